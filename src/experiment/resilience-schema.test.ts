import { describe, expect, test } from 'vitest';
import { AssayError } from '../errors.ts';
import { defaultResilience, type Experiment, parseExperimentFile } from './index.ts';

/** An experiment with a shadow of this weight and these further lines of `spec`. */
const file = (spec: string, weight: number | string = 0): string => `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: small}
spec:
  route: {path: /v1/predict}
  unit: request
  control: a
  variants:
    - {name: a, weight: 1, upstream: {url: "http://127.0.0.1:1"}}
    - {name: b, weight: ${weight}, upstream: {url: "http://127.0.0.1:2"}}
  ${spec}
`;
const read = (spec: string): Experiment => parseExperimentFile(file(spec));

function faultOf(text: string): string {
  try {
    parseExperimentFile(text);
  } catch (error) {
    if (error instanceof AssayError) return error.issues[0]!.text;
    throw error;
  }
  throw new Error('the text was accepted');
}

describe('a mirror', () => {
  test.each([0, 0.25, 1])('copies a share of %s to a variant of weight 0', (share) => {
    expect(read(`mirror: {variant: b, share: ${share}}`).mirror).toEqual({ variant: 'b', share });
  });

  test.each<[string, string]>([
    ['{variant: c, share: 1}', 'spec.mirror.variant is "c", which is no variant, must be one of: a, b'],
    ['{variant: a, share: 1}', 'spec.mirror.variant is "a", must be another variant than the control'],
    ['{variant: b, share: 1.01}', 'spec.mirror.share is 1.01, must be a number in [0, 1]'],
    ['{variant: b, share: -1}', 'spec.mirror.share is -1, must be a number in [0, 1]'],
    ['{variant: b}', 'spec.mirror.share is missing, must be a number in [0, 1]'],
    ['{variant: b, share: 1, percent: 100}', 'spec.mirror.percent is an unknown key, must be one of: variant, share'],
    ['b', 'spec.mirror is "b", must be a mapping with variant, share'],
  ])('%s is refused', (mirror, text) => {
    expect(faultOf(file(`mirror: ${mirror}`))).toBe(text);
  });

  test('a shadow that also has units of its own is refused', () => {
    expect(faultOf(file('mirror: {variant: b, share: 1}', 5))).toBe(
      'spec.variants[1].weight is 5, must be 0, because spec.mirror names this variant',
    );
  });
});

describe('resilience', () => {
  test('an empty part is the defaults', () => {
    expect(read('resilience: {}').resilience).toEqual(defaultResilience);
    expect(read('hypothesis: x')).not.toHaveProperty('resilience');
  });

  test('every number can be set, and ejection can be switched off', () => {
    const all =
      '{ejection: {failureRate: 1, minRequests: 5, windowMs: 1000, coolDownMs: 200}, retries: 3, hedgeAfterMs: 50, maxInFlight: 7}';
    expect(read(`resilience: ${all}`).resilience).toEqual({
      ejection: { failureRate: 1, minRequests: 5, windowMs: 1000, coolDownMs: 200 },
      retries: 3,
      hedgeAfterMs: 50,
      maxInFlight: 7,
    });
    expect(read('resilience: {ejection: false}').resilience?.ejection).toBeNull();
    expect(read('resilience: {ejection: {minRequests: 50}}').resilience?.ejection).toEqual({
      ...defaultResilience.ejection,
      minRequests: 50,
    });
  });

  test.each<[string, string]>([
    ['{ejection: {failureRate: 0}}', 'spec.resilience.ejection.failureRate is 0, must be a number in (0, 1]'],
    ['{ejection: {window: 10s}}', 'spec.resilience.ejection.window is an unknown key, did you mean "windowMs"?'],
    [
      '{ejection: true}',
      'spec.resilience.ejection is true, must be false, or a mapping with failureRate, minRequests, windowMs, coolDownMs',
    ],
    ['{retries: 4}', 'spec.resilience.retries is 4, must be an integer <= 3'],
    ['{hedgeAfterMs: 0}', 'spec.resilience.hedgeAfterMs is 0, must be an integer >= 1'],
    ['{maxInFlight: 0}', 'spec.resilience.maxInFlight is 0, must be an integer >= 1'],
  ])('%s is refused', (resilience, text) => {
    expect(faultOf(file(`resilience: ${resilience}`))).toBe(text);
  });
});

describe('body capture', () => {
  test('keeps 64 KB for a week unless it says otherwise', () => {
    expect(read('bodyCapture: {share: 0.01}').bodyCapture).toEqual({
      share: 0.01,
      maxBytes: 65_536,
      redact: [],
      retentionMs: 604_800_000,
    });
    const all = '{share: 1, maxBytes: 100, redact: [$.user.email, "$.items[0]"], retention: 2h}';
    expect(read(`bodyCapture: ${all}`).bodyCapture).toEqual({
      share: 1,
      maxBytes: 100,
      redact: ['$.user.email', '$.items[0]'],
      retentionMs: 7_200_000,
    });
  });

  test.each<[string, string]>([
    ['{share: 2}', 'spec.bodyCapture.share is 2, must be a number in [0, 1]'],
    [
      '{share: 1, redact: [email]}',
      'spec.bodyCapture.redact[0] is "email", must be a JSON path such as $.user_id or $.items[0].id',
    ],
    [
      '{share: 1, retention: 0s}',
      'spec.bodyCapture.retention is "0s", must be a duration such as 500ms, 30m, 24h or 7d, above zero and at most ten years',
    ],
  ])('%s is refused', (bodyCapture, text) => {
    expect(faultOf(file(`bodyCapture: ${bodyCapture}`))).toBe(text);
  });
});
