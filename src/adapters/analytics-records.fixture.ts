// Records, plans and logs for tests of the analytics, each with sensible values that a test overrides where it matters.
import type { AnalysisPlan, NewRecord } from '../evidence/index.ts';
import type { Experiment, Metric } from '../experiment/index.ts';
import { createCountingObserver } from './counting-observer.ts';
import { openEvidenceLog } from './file-evidence-log.ts';

/** Appends each list under a writer of its own, in frames of at most `perFrame` records. */
export async function write(
  directory: string,
  lists: readonly (readonly NewRecord[])[],
  perFrame = 1_000,
): Promise<void> {
  for (const records of lists) {
    const log = await openEvidenceLog({ directory, now: () => 0, observer: createCountingObserver({ now: Date.now }) });
    for (let index = 0; index < records.length; index += perFrame) {
      await log.appendDurable(records.slice(index, index + perFrame));
    }
    await log.close();
  }
}

/** The moment tests count from, epoch milliseconds. */
export const t0: number = 1_700_000_000_000;

/** A mean. */
export function metric(name: string, expression: string, windowMs = 1_000): Metric {
  return { name, definition: { kind: 'mean', expression }, windowMs };
}

/** A plan for experiment `test` with variants a and b. */
export function plan(
  metrics: readonly Metric[],
  changes: Partial<Experiment> & { readonly nowMs?: number } = {},
): AnalysisPlan {
  const { nowMs = t0 + 1_000_000, ...experiment } = changes;
  const upstream = { url: 'http://127.0.0.1:1', protocol: 'json' } as const;
  return {
    nowMs,
    epochs: [{ epoch: 1, shares: { a: 0.5, b: 0.5 } }],
    experiment: {
      apiVersion: 'assay.dev/v1alpha1',
      namespace: 'default',
      name: 'test',
      hypothesis: '',
      salt: 'default/test',
      route: { kind: 'path', path: '/' },
      unit: { sources: [{ kind: 'header', name: 'x-user-id' }], orElse: 'control' },
      control: 'a',
      variants: ['a', 'b'].map((name) => ({ name, weight: 1, upstream, timeoutMs: 1_000 })),
      coverage: 1,
      capture: [],
      metrics,
      decision: {
        primary: [],
        secondary: [],
        guardrails: [],
        levels: { strong: 2, recommend: 0.5 },
        minDurationMs: 0,
        maxDurationMs: 1,
        onBreach: 'notify',
        onShip: 'hold',
        alpha: 0.05,
      },
      plan: {},
      segments: [],
      exclude: [],
      ...experiment,
    },
  };
}

export type Prediction = Extract<NewRecord, { kind: 'prediction' }>;
type Outcome = Extract<NewRecord, { kind: 'outcome' }>;

/** A prediction `id` of `unit` at t0 + `at`, well served by `assigned`. */
export function prediction(id: string, changes: Partial<Prediction> & { readonly at?: number } = {}): Prediction {
  const { at = 0, ...rest } = changes;
  const assigned = rest.assigned ?? 'a';
  return {
    kind: 'prediction',
    timeMs: t0 + at,
    namespace: 'default',
    experiment: 'test',
    revision: 1,
    epoch: 1,
    predictionId: id,
    requestId: `r-${id}`,
    row: 0,
    unit: `u-${id}`,
    assigned,
    served: assigned,
    reason: 'split',
    propensity: 0.5,
    attempts: [{ variant: assigned, status: 200, latencyMs: 10, error: null }],
    context: {},
    prediction: 1,
    captured: {},
    status: 200,
    callerMs: 12,
    streaming: false,
    ...rest,
  };
}

/** An outcome `id` of the prediction with the same id, at t0 + `at`, received at once. */
export function outcome(id: string, changes: Partial<Outcome> & { readonly at?: number } = {}): Outcome {
  const { at = 10, ...rest } = changes;
  return {
    kind: 'outcome',
    id,
    timeMs: t0 + at,
    receivedMs: t0 + at,
    namespace: 'default',
    type: 'label',
    value: 1,
    subject: { kind: 'prediction', predictionId: id },
    attributes: {},
    ...rest,
  };
}
