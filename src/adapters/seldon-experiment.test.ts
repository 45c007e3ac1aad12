// Seldon Experiments in, experiment files out, and back.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { AssayError } from '../errors.ts';
import { parseExperimentFile } from '../experiment/index.ts';
import { fromSeldonExperiment, toSeldonManifest } from './seldon-conversion.ts';
import { parseSeldonExperiments } from './seldon-experiment.ts';
import { seldonWeights } from './seldon-weights.ts';

const manifest = (spec: unknown, metadata: unknown = { name: 'sample' }): string =>
  stringify({ apiVersion: 'mlops.seldon.io/v1alpha1', kind: 'Experiment', metadata, spec });
const sample = {
  default: 'iris',
  candidates: [
    { name: 'iris', weight: 50 },
    { name: 'iris2', weight: 50 },
  ],
  mirror: { name: 'iris3', percent: 10 },
};
const read = (text: string) => parseSeldonExperiments(text, { file: 'seldon.yaml' });
const refusals = (text: string): readonly string[] => {
  try {
    read(text);
  } catch (fault) {
    return (fault as AssayError).issues.map((issue) => issue.text);
  }
  return [];
};
const options = { meshUrl: 'http://seldon-mesh/', unitHeader: 'X-User-Id', namespace: 'default' };
const imported = (spec: unknown, more = options) => {
  const { value, warnings } = fromSeldonExperiment(read(manifest(spec)).value[0]!, more);
  return { experiment: parseExperimentFile(stringify(value)), warnings };
};

describe('reading a Seldon Experiment', () => {
  it('gives name, default, candidates and mirror', () => {
    expect(read(manifest(sample, { name: 'sample', namespace: 'models' }))).toEqual({
      value: [{ name: 'sample', namespace: 'models', resourceType: 'model', ...sample }],
      warnings: [],
    });
  });

  it.each([
    ['a negative weight', { candidates: [{ name: 'a', weight: -1 }] }, 'spec.candidates[0].weight is -1, must be'],
    ['a broken weight', { candidates: [{ name: 'a', weight: 0.5 }] }, 'spec.candidates[0].weight is 0.5, must be'],
    ['a weight in quotes', { candidates: [{ name: 'a', weight: '50' }] }, 'spec.candidates[0].weight is "50", must be'],
    ['a missing weight', { candidates: [{ name: 'a' }] }, 'spec.candidates[0].weight is missing, must be'],
    ['weights that are all 0', { candidates: [{ name: 'a', weight: 0 }] }, 'must have one above 0'],
    ['a default that is no candidate', { ...sample, default: 'other' }, 'must be one of the candidates: iris, iris2'],
    ['neither candidates nor mirror', { candidates: [] }, 'has neither candidates nor a mirror'],
    ['no candidates key', { mirror: { name: 'a', percent: 1 } }, 'spec.candidates is missing, must be a list'],
    ['a candidate twice', { candidates: [sample.candidates[0], sample.candidates[0]] }, 'an earlier candidate already'],
    ['a mirror that is a candidate', { ...sample, mirror: { name: 'iris', percent: 1 } }, 'is a candidate already'],
    ['a negative mirror', { ...sample, mirror: { name: 'm', percent: -5 } }, 'spec.mirror.percent is -5, must be'],
    ['a name Kubernetes refuses', { candidates: [{ name: 'A_b', weight: 1 }] }, 'spec.candidates[0].name is "A_b"'],
  ])('refuses %s', (_, spec, rule) => {
    expect(refusals(manifest(spec)).join('\n')).toContain(rule);
  });

  it('tells the line and every fault at once', () => {
    const text = manifest({ default: 'x', candidates: [{ name: 'a', weight: -1 }] });
    expect(() => read(text)).toThrow(/^seldon.yaml:6: spec.default is "x".* \(and 1 more\)$/);
  });

  it('refuses two experiments over the same default, as the scheduler does', () => {
    const two = `${manifest(sample)}---\n${manifest(sample, { name: 'other' })}`;
    expect(refusals(two)).toEqual(['spec.default is "iris", which is already the default of experiment "sample"']);
    expect(refusals(`${manifest(sample)}---\n${manifest({ ...sample, default: 'iris2' }, { name: 'other' })}`)).toEqual(
      [],
    );
  });

  it('warns of what Seldon takes without a word: unknown keys, types, more than 100 percent, other documents', () => {
    const { value, warnings } = read(
      `${manifest({ ...sample, candidate: [], resourceType: 'modle', mirror: { name: 'iris3', percent: 400 } })}---\nkind: Model\napiVersion: v1\n`,
    );
    expect(value).toHaveLength(1);
    expect(value[0]).toMatchObject({ resourceType: 'model', mirror: { percent: 100 } });
    expect(warnings.map((text) => text.replace(/^seldon.yaml:\d+: /, ''))).toEqual([
      'spec.candidate is an unknown key, which Seldon drops; known are: default, resourceType, candidates, mirror',
      'spec.mirror.percent is 400, which Seldon takes for 100; so it is here',
      'spec.resourceType is "modle", which Seldon takes for model; so it is here',
      'kind makes this document a "v1" "Model", which is no Seldon Experiment; it is left out',
    ]);
  });

  it.each([
    ['text that is no YAML', 'a: [', 'is not YAML'],
    ['an empty file', '', 'holds no Experiment'],
  ])('refuses %s', (_, text, rule) => {
    expect(refusals(text).join()).toContain(rule);
  });
});

describe('a Seldon Experiment as an experiment file', () => {
  it('splits by unit among the same models, each asked by name through the mesh', () => {
    const { experiment } = imported(sample);
    expect(experiment).toMatchObject({
      name: 'sample',
      route: { kind: 'model', model: 'iris' },
      control: 'iris',
      unit: { sources: [{ kind: 'header', name: 'x-user-id' }] },
      mirror: { variant: 'iris3', share: 0.1 },
    });
    expect(experiment.variants.map(({ name, weight, upstream, set }) => [name, weight, upstream.url, set])).toEqual([
      ['iris', 50, 'http://seldon-mesh', { headers: { 'seldon-model': 'iris' } }],
      ['iris2', 50, 'http://seldon-mesh', { headers: { 'seldon-model': 'iris2' } }],
      ['iris3', 0, 'http://seldon-mesh', { headers: { 'seldon-model': 'iris3' } }],
    ]);
  });

  it('warns where both would split, and where nobody keeps a variant', () => {
    const { experiment, warnings } = imported(sample, { ...options, unitHeader: undefined as never });
    expect(experiment.unit.sources).toEqual([{ kind: 'request' }]);
    expect(warnings.join('\n')).toMatch(/splits the endpoint of "iris" in Seldon too[\s\S]*needs --unit-header/);
  });

  it('takes the first candidate for the control where there is no default, and its own name for the route', () => {
    const { experiment, warnings } = imported({ candidates: sample.candidates });
    expect(experiment).toMatchObject({ route: { kind: 'model', model: 'sample' }, control: 'iris' });
    expect(warnings.join()).toContain('names no default');
  });

  it('keeps pipelines pipelines', () => {
    const { experiment } = imported({ ...sample, resourceType: 'pipeline' });
    expect(experiment.route).toEqual({ kind: 'model', model: 'iris.pipeline' });
    expect(experiment.variants[1]!.set).toEqual({ headers: { 'seldon-model': 'iris2.pipeline' } });
    expect(toSeldonManifest(experiment, { namespace: undefined }).value).toMatchObject({
      spec: { default: 'iris', resourceType: 'pipeline' },
    });
  });

  it('is refused where there is nothing to compare', () => {
    expect(() => imported({ candidates: [{ name: 'a', weight: 1 }] })).toThrow(/has 1 candidates and no mirror/);
    expect(() => imported({ candidates: [], mirror: { name: 'a', percent: 1 } })).toThrow(/has 0 candidates/);
  });

  it('goes back as it came', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9-]{0,20}[a-z0-9]$/), { minLength: 3, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 6, maxLength: 6 }),
        fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined }),
        fc.boolean(),
        ([mirrored, ...names], weights, percent, isNamed) => {
          const spec = {
            ...(isNamed ? { default: names[0] } : {}),
            candidates: names.map((name, index) => ({ name, weight: weights[index] })),
            ...(percent === undefined ? {} : { mirror: { name: mirrored, percent } }),
          };
          const { experiment } = imported(spec);
          expect(toSeldonManifest(experiment, { namespace: undefined }).value).toEqual({
            apiVersion: 'mlops.seldon.io/v1alpha1',
            kind: 'Experiment',
            metadata: { name: 'sample' },
            spec,
          });
        },
      ),
      { numRuns: 50 },
    );
  });

  it('puts coverage into the weights and says what Seldon cannot', () => {
    const { experiment } = imported(sample);
    const { value, warnings } = toSeldonManifest({ ...experiment, coverage: 0.2 }, { namespace: 'models' });
    expect(value).toMatchObject({
      metadata: { name: 'sample', namespace: 'models' },
      spec: {
        candidates: [
          { name: 'iris', weight: 90 },
          { name: 'iris2', weight: 10 },
        ],
      },
    });
    expect(warnings.join('\n')).toMatch(/units: Seldon draws every request[\s\S]*coverage 0.2/);
  });
});

describe('weights from shares', () => {
  it.each([
    [
      [0.5, 0.5],
      [50, 50],
    ],
    [
      [1, 0],
      [100, 0],
    ],
    [
      [0.995, 0.005],
      [9950, 50],
    ],
    [
      [1 / 3, 1 / 3, 1 / 3],
      [3334, 3333, 3333],
    ],
    [
      [0.999999, 0.000001],
      [9999, 1],
    ],
  ])('of %j are %j', (shares, weights) => {
    expect(seldonWeights(shares)).toEqual(weights);
  });

  it('are within 0.0001 of each share or one part, and never 0 for a share above it', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 100_000 }), { minLength: 1, maxLength: 20 }), (counts) => {
        const sum = counts.reduce((total, each) => total + each, 0);
        fc.pre(sum > 0);
        const shares = counts.map((each) => each / sum);
        const weights = seldonWeights(shares);
        const whole = weights.reduce((total, each) => total + each, 0);
        expect([100, 10_000]).toContain(whole);
        for (const [index, share] of shares.entries()) {
          expect(weights[index]! > 0).toBe(share > 0);
          expect(Math.abs(weights[index]! / whole - share)).toBeLessThan(0.0022);
        }
      }),
    );
  });

  it.each([[[0.5, 0.4]], [[1.5, -0.5]], [[]]])('are refused for %j', (shares) => {
    expect(() => seldonWeights(shares)).toThrow(RangeError);
  });
});
