import { describe, expect, test } from 'vitest';
import { createLiveTally, type PredictionRecord } from '../evidence/index.ts';
import { type Experiment, parseExperimentFile } from '../experiment/index.ts';
import { createRandom, type Random } from '../stats/index.ts';
import { readGuardrails } from './guardrail-form.ts';
import { type GuardrailBreach, watchGuardrails } from './guardrail-watch.ts';

function experimentWith(guardrails: readonly string[], more = ''): Experiment {
  return parseExperimentFile(`apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: one}
spec:
  route: {path: /one}
  unit: {header: x-user-id}
  control: a
  variants:
    - {name: a, weight: 1, upstream: {url: "http://127.0.0.1:1"}}
    - {name: b, weight: 1, upstream: {url: "http://127.0.0.1:1"}}
  metrics:
    error_rate: {mean: failed}
    caller_errors: {mean: caller_failed}
    latency: {mean: attempt_ms}
    latency_p95: {quantile: attempt_ms, q: 0.95}
    liked: {mean: "default(outcome.like, 0)"}
    slow_errors: {mean: failed, filter: attempt_ms > 5}
  decision: {guardrails: [${guardrails.map((text) => JSON.stringify(text)).join(', ')}]}
${more}`);
}

interface Sent {
  readonly variant: 'a' | 'b';
  /** Undefined: a request without a unit. */
  readonly unit?: number;
  readonly failed?: boolean;
  readonly ms?: number;
}

function recordOf({ variant, unit, failed = false, ms = 20 }: Sent): PredictionRecord {
  const hex = unit === undefined ? null : (Math.imul(unit + 1, 2654435761) >>> 0).toString(16).padStart(16, '0');
  return {
    kind: 'prediction',
    timeMs: 0,
    namespace: 'default',
    experiment: 'one',
    revision: 1,
    epoch: 1,
    predictionId: 'p',
    requestId: 'r',
    row: 0,
    // The group is read from the first digits.
    unit: hex === null ? null : hex.split('').reverse().join(''),
    assigned: variant,
    served: failed ? 'a' : variant,
    reason: 'split',
    propensity: 0.5,
    attempts: [{ variant, status: failed ? 500 : 200, latencyMs: ms, error: failed ? 'status' : null }],
    context: {},
    prediction: null,
    captured: {},
    status: 200,
    callerMs: ms,
    streaming: false,
  };
}

/** Plays ticks of 250 ms; gives the tick and the breach, or undefined. */
function play(
  experiment: Experiment,
  { ticks, send }: { readonly ticks: number; readonly send: (tick: number) => readonly Sent[] },
): { readonly tick: number; readonly breach: GuardrailBreach } | undefined {
  const watch = watchGuardrails(experiment, { nowMs: 0 });
  const tally = createLiveTally();
  for (let tick = 1; tick <= ticks; tick += 1) {
    for (const sent of send(tick)) tally.add(recordOf(sent));
    watch.add(tally.take());
    const breach = watch.look(tick * 250);
    if (breach !== undefined) return { tick, breach };
  }
  return undefined;
}

const both = (count: number, make: (index: number, variant: 'a' | 'b') => Omit<Sent, 'variant'>): readonly Sent[] =>
  (['a', 'b'] as const).flatMap((variant) =>
    Array.from({ length: count }, (_, index) => ({ variant, ...make(index, variant) })),
  );

describe('guardrails on live counts', () => {
  test('say which of them live counts can show, and why the others wait for the report', () => {
    const read = readGuardrails(
      experimentWith([
        'error_rate < 0.02',
        'latency_p95 < 200',
        'latency - control.latency < 10',
        'liked > 0.1',
        'slow_errors < 0.1',
        'error_rate / control.error_rate < 2',
        'latency_p95 - control.latency_p95 < 50',
      ]),
    );
    expect(read.map(({ kind }) => kind)).toEqual([
      'live',
      'live',
      'live',
      'reported',
      'reported',
      'reported',
      'reported',
    ]);
    expect(read[3]).toMatchObject({ reason: 'live counts do not hold the metric liked' });
    expect(read[1]).toMatchObject({ limit: expect.closeTo(0.05, 12) });
    const excluding = experimentWith(
      ['error_rate < 0.02'],
      '  capture: {bot: {header: x-bot}}\n  exclude: ["bot == 1"]\n',
    );
    expect(readGuardrails(excluding)[0]?.kind).toBe('reported');
  });

  test('show within a second that a candidate fails which was well for twenty minutes, though callers never see it', () => {
    const quiet = 4 * 60 * 20;
    const random = createRandom('twenty minutes of health');
    const found = play(experimentWith(['error_rate < 0.02']), {
      ticks: quiet + 40,
      send: (tick) =>
        tick <= quiet
          ? both(3, (index) => ({ unit: tick * 3 + index, failed: random.uniform() < 0.005 }))
          : both(62, (index, variant) => ({ unit: tick * 62 + index, failed: variant === 'b' })),
    });
    expect(found?.tick).toBeGreaterThan(quiet);
    expect(found?.tick).toBeLessThanOrEqual(quiet + 4);
    expect(found?.breach).toMatchObject({ guardrail: 'error_rate < 0.02', variant: 'b', numbers: { limit: 0.02 } });
    expect(found?.breach.text).toContain('is broken for b');
  });

  test('are not broken by one unit whose every request fails', () => {
    const found = play(experimentWith(['error_rate < 0.02']), {
      ticks: 400,
      send: (tick) =>
        both(20, (index, variant) => ({
          unit: index < 5 ? 7 : tick * 20 + index,
          failed: variant === 'b' && index < 5,
        })),
    });
    expect(found).toBeUndefined();
  });

  test('are broken when many units meet the same share of failures', () => {
    const random = createRandom('a quarter fails');
    const found = play(experimentWith(['error_rate < 0.02']), {
      ticks: 40,
      send: (tick) =>
        both(20, (index, variant) => ({ unit: tick * 20 + index, failed: variant === 'b' && random.uniform() < 0.25 })),
    });
    expect(found?.tick).toBeLessThan(20);
  });

  test('hold a share of slow replies against the quantile, a mean against its limit, and the candidate against the control', () => {
    const latency = (random: Random, mean: number): number => mean * Math.exp(0.5 * random.normal() - 0.125);
    for (const guardrail of ['latency_p95 < 200', 'latency < 60', 'latency - control.latency < 20']) {
      const slow = createRandom(`slow ${guardrail}`);
      const sent = (mean: number) => ({
        ticks: 60,
        send: (tick: number) =>
          both(20, (index, variant) => ({ unit: tick * 20 + index, ms: latency(slow, variant === 'b' ? mean : 40) })),
      });
      expect(play(experimentWith([guardrail]), sent(40)), guardrail).toBeUndefined();
      expect(play(experimentWith([guardrail]), sent(150))?.breach, guardrail).toMatchObject({
        guardrail,
        variant: 'b',
      });
    }
  });

  test('count only what the split decided', () => {
    const watch = watchGuardrails(experimentWith(['error_rate < 0.02']), { nowMs: 0 });
    const tally = createLiveTally();
    for (let unit = 0; unit < 500; unit += 1)
      tally.add({ ...recordOf({ variant: 'b', unit, failed: true }), reason: 'forced' });
    watch.add(tally.take());
    expect(watch.look(250)).toBeUndefined();
  });
});
