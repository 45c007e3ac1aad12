// Promotions and versions as edits of YAML text.
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseExperimentFile } from '../experiment/index.ts';
import { promoteInManifest, setVersionInManifest } from './git-manifest.ts';

const own = `# The team's experiment
apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: { name: forecast } # do not rename
spec:
  route: { model: forecast }
  unit: { header: x-user-id }
  control: baseline
  variants:
    - { name: baseline, weight: 70, upstream: { url: "http://127.0.0.1:9001", model: forecast, version: "1" } }
    - name: enhanced # trained weekly
      weight: 30
      upstream:
        url: http://127.0.0.1:9002
        model: forecast
`;
const seldon = `apiVersion: mlops.seldon.io/v1alpha1
kind: Experiment
metadata:
  name: forecast
spec:
  default: forecast-1
  candidates:
  - name: forecast-1
    weight: 50
  - name: forecast-2   # the new one
    weight: 50
`;
const model = `apiVersion: mlops.seldon.io/v1alpha1
kind: Model
metadata: {name: enhanced}
spec:
  storageUri: "s3://models/enhanced/6"
  requirements: [sklearn]
`;
const changed = (before: string, after: string): readonly string[] => {
  const old = before.split('\n');
  return after.split('\n').filter((line) => !old.includes(line));
};

describe('a promotion', () => {
  const winner = { experiment: 'forecast', variant: 'enhanced', model: 'forecast-2' };

  it('gives the winner all weight and changes nothing else of the file', () => {
    const after = promoteInManifest(own, winner);
    expect(changed(own, after)).toEqual([
      '    - { name: baseline, weight: 0, upstream: { url: "http://127.0.0.1:9001", model: forecast, version: "1" } }',
      '      weight: 100',
    ]);
    expect(parseExperimentFile(after).variants.map(({ weight }) => weight)).toEqual([0, 100]);
    expect(promoteInManifest(after, winner)).toBe(after);
  });

  it('finds the model of a Seldon Experiment', () => {
    expect(changed(seldon, promoteInManifest(seldon, winner))).toEqual(['    weight: 0', '    weight: 100']);
  });

  it('finds its document among others', () => {
    const after = promoteInManifest(`${model}---\n${own.replace('forecast }', 'other }')}---\n${seldon}`, winner);
    expect(after).toContain('weight: 70');
    expect(after).toContain('  - name: forecast-2   # the new one\n    weight: 100');
  });

  it.each([
    ['another experiment', own, { ...winner, experiment: 'other' }, 'the file has no experiment "other"'],
    ['a variant it does not have', own, { ...winner, variant: 'x' }, 'are baseline, enhanced, must hold "x"'],
    ['a file that is no YAML', 'a: [', winner, 'the file is not YAML'],
    ['the same experiment twice', `${seldon}---\n${seldon}`, winner, '2 times'],
  ])('is refused for %s', (_, text, wanted, rule) => {
    expect(() => promoteInManifest(text, wanted)).toThrow(rule);
  });
});

describe('a version', () => {
  const set = (text: string, variant: string, version: string, experiment?: string): string =>
    setVersionInManifest(text, { variant, experiment, version });

  it('replaces the one of a variant, as text', () => {
    const after = set(own, 'baseline', '2');
    expect(changed(own, after)).toHaveLength(1);
    expect(parseExperimentFile(after).variants[0]!.upstream.version).toBe('2');
    expect(set(after, 'baseline', '2')).toBe(after);
  });

  it('is put behind the last key where there was none', () => {
    const after = set(own, 'enhanced', '7, beta');
    expect(changed(own, after)).toEqual(['        version: "7, beta"']);
    expect(parseExperimentFile(after).variants[1]!.upstream.version).toBe('7, beta');
    const flow = own.replace(', version: "1"', '');
    expect(parseExperimentFile(set(flow, 'baseline', '3')).variants[0]!.upstream.version).toBe('3');
  });

  it('replaces the number in the name of a registered model', () => {
    const registered = own.replace('http://127.0.0.1:9002', 'models:/forecast/6');
    expect(changed(registered, set(registered, 'enhanced', '7'))).toEqual(['        url: "models:/forecast/7"']);
  });

  it('of a Seldon Model is its address, or its artifact version', () => {
    expect(parse(set(model, 'enhanced', 's3://models/enhanced/7')).spec.storageUri).toBe('s3://models/enhanced/7');
    expect(parse(set(model, 'enhanced', '7')).spec).toMatchObject({
      storageUri: 's3://models/enhanced/6',
      artifactVersion: 7,
    });
    expect(() => set(model, 'enhanced', 'latest')).toThrow('must be an address or a whole number');
  });

  it('names its experiment where two have the variant', () => {
    const two = `${own}---\n${own.replace('forecast }', 'other }')}`;
    expect(() => set(two, 'enhanced', '7')).toThrow('2 times');
    expect(set(two, 'enhanced', '7', 'other').indexOf('version: "7"')).toBeGreaterThan(own.length);
    expect(() => set(own, 'absent', '7')).toThrow('the file has no variant "absent"');
  });
});
