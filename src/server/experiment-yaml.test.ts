import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseExperimentFiles } from '../experiment/index.ts';
import { experimentYaml } from './experiment-yaml.ts';
import { diffLines } from './line-diff.ts';

const examples = fileURLToPath(new URL('../../examples', import.meta.url));
const files = readdirSync(examples, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.yaml'));

const everything = `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: all, namespace: team}
spec:
  hypothesis: "b is better: by 3"
  salt: other
  layer: shared
  route: {host: models.example.org}
  unit: {from: [{header: x-user}, {json: $.user.id}], orElse: request}
  control: a
  variants:
    - {name: a, weight: 3, upstream: {url: "http://127.0.0.1:1", protocol: oip, model: m}}
    - {name: b, weight: 1, timeoutMs: 250, upstream: {url: "http://127.0.0.1:2", protocol: oip, model: m}, set: {headers: {x-model: b}}}
    - {name: c, weight: 0, upstream: {url: "http://127.0.0.1:3", protocol: oip, model: m, headersFrom: {x-auth: {env: TOKEN}}}}
  capture: {prediction: {tensor: up, threshold: 0.5}, page: {json: $.page}, score: {json: $.score, from: reply}}
  mirror: {variant: c, share: 0.1}
  resilience: {ejection: {failureRate: 0.2}, retries: 1, hedgeAfterMs: 90}
  bodyCapture: {share: 0.01, redact: [$.name], retention: 2d}
  metrics:
    accuracy: {mean: "prediction == outcome.label", window: 90m, filter: "page == 'home'"}
    slow: {quantile: attempt_ms, q: 0.95}
    spend: {sum: outcome.revenue, winsorize: {upper: 0.99}, cuped: true, before: 14d}
    clicks: {ratio: {numerator: {count: click}, denominator: {count: prediction}}}
    back: {retention: visit, from: 1d, to: 7d}
    error: {mean: failed}
  outcomes: {clicked: {type: click, when: "event == 'click'", unit: $.user, attributes: {slot: $.slot}}}
  value: {unit: USD, terms: {gain: {accuracy: 2, per: 0.01, base: revenue}, harm: {error: -10}}}
  decision: {primary: [net_value > 0], guardrails: [error < 0.02], levels: {strong: 3, recommend: 1}, minDuration: 36h, onShip: notify, method: fixed}
  ramp: {coverage: [0.1, 0.5], hold: 30m}
  plan: {requestsPerDay: 5000, units: 4000}
  segments: [page, new_unit]
  exclude: ["page == 'test'"]
  sensitivity: [exclude-mixed]
`;

describe('the file of an experiment', () => {
  const texts = [everything, ...files.map((file) => readFileSync(join(examples, file), 'utf8'))].filter(
    (text) => /^kind: Experiment$/m.test(text) && !text.includes('mlops.seldon.io'),
  );
  it('comes back from its normal form and means the same, for every example there is', () => {
    expect(texts.length).toBeGreaterThan(2);
    for (const text of texts)
      for (const experiment of parseExperimentFiles(text)) {
        const yaml = experimentYaml(experiment);
        expect(yaml).not.toContain('not an experiment file');
        expect(parseExperimentFiles(yaml)).toEqual([experiment]);
        expect(experimentYaml(parseExperimentFiles(yaml)[0]!)).toBe(yaml);
      }
  });

  it('says so where this version cannot write it', () => {
    const [experiment] = parseExperimentFiles(everything);
    const yaml = experimentYaml({ ...experiment!, ofTheFuture: 1 } as never);
    expect(yaml.startsWith('# The normal form')).toBe(true);
  });
});

describe('the difference of two texts', () => {
  it('keeps what is common, line for line, and numbers both sides', () => {
    expect(diffLines('a\nb\nc\n', 'a\nx\nc\nd\n')).toEqual([
      { kind: 'same', text: 'a', before: 1, after: 1 },
      { kind: 'removed', text: 'b', before: 2 },
      { kind: 'added', text: 'x', after: 2 },
      { kind: 'same', text: 'c', before: 3, after: 3 },
      { kind: 'added', text: 'd', after: 4 },
    ]);
  });

  it('gives both texts back', () => {
    const [older, newer] = ['q\na\nb\nc\nd', 'a\nc\nz\nd\ne'];
    const lines = diffLines(older, newer);
    const side = (other: string): string =>
      lines
        .filter(({ kind }) => kind !== other)
        .map(({ text }) => text)
        .join('\n');
    expect(side('added')).toBe(older);
    expect(side('removed')).toBe(newer);
  });
});
