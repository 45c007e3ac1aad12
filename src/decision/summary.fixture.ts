// Small summaries for the tests of this folder: real sufficient statistics, made from plain numbers.

import type { EvidenceHealth, ExperimentSummary, MetricSummary, VariantSummary } from '../evidence/index.ts';
import type { Experiment } from '../experiment/index.ts';
import { jointMomentsOf } from '../stats/index.ts';

/** A variant of `units` units with one request each. */
export function variant(name: string, units: number, metrics: VariantSummary['metrics']): VariantSummary {
  const absent = { kind: 'insufficient', reason: 'not measured' } as const;
  return {
    variant: name,
    units,
    requests: units,
    failed: 0,
    callerFailed: 0,
    fallback: 0,
    attemptMs: absent,
    callerMs: absent,
    metrics,
    waiting: {},
    joint: null,
  };
}

/** `share` successes among `n` units. */
export function proportion(n: number, share: number): MetricSummary {
  return { kind: 'proportion', n, successes: Math.round(n * share) };
}

/** `n` units with this mean and standard deviation. */
export function mean(n: number, center: number, deviation: number): MetricSummary {
  return { kind: 'mean', n, mean: center, m2: (n - 1) * deviation ** 2 };
}

/** `n` units with 1, 2, 3, 1, 2, 3, ... rows of 0/1; the first `events` rows of the units are the other than `usual`. */
export function zeroOneRows(n: number, usual: 0 | 1, events = 0): MetricSummary {
  let left = events;
  const units = Array.from({ length: n }, (_, unit) => {
    const rows = 1 + (unit % 3);
    const others = Math.min(left, rows);
    left -= others;
    return [usual === 0 ? others : rows - others, rows];
  });
  const rows = units.reduce((sum, [, count = 0]) => sum + count, 0);
  return { kind: 'ratio', n, rows, moments: jointMomentsOf(units) };
}

/** A log in which everything went well. */
export const quietHealth: EvidenceHealth = {
  predictions: 100,
  byReason: { split: 100 },
  unitsInSeveralVariants: 0,
  outcomes: { received: 100, duplicates: 0, joined: 100, orphans: 0, late: 0 },
  uncleanShutdowns: 0,
};

/** A summary with control `old`, split as the units stand unless shares are given. */
export function summaryOf(variants: readonly VariantSummary[], shares?: readonly number[]): ExperimentSummary {
  const total = variants.reduce((sum, { units }) => sum + units, 0);
  return {
    format: 'assay-summary',
    version: 1,
    namespace: 'default',
    experiment: 'example',
    control: 'old',
    unit: 'unit',
    fromMs: 0,
    toMs: 86_400_000,
    variants,
    segments: [],
    epochs: [
      {
        epoch: 0,
        shares: Object.fromEntries(variants.map(({ variant, units }, i) => [variant, shares?.[i] ?? units / total])),
        units: Object.fromEntries(variants.map(({ variant, units }) => [variant, units])),
      },
    ],
    health: quietHealth,
  };
}

type Decision = Experiment['decision'];

/** A specification with these criteria, a one-term value model (points of accuracy), and no minimum duration. */
export function specification(decision: Partial<Decision>): Pick<Experiment, 'decision' | 'value' | 'plan'> {
  return {
    decision: {
      primary: [],
      secondary: [],
      guardrails: [],
      levels: { strong: 2, recommend: 0.5 },
      minDurationMs: 0,
      maxDurationMs: 28 * 86_400_000,
      onBreach: 'roll-back',
      onShip: 'hold',
      alpha: 0.05,
      // One look at the end, as the tests of this folder do unless they say otherwise.
      method: 'fixed',
      ...decision,
    },
    value: { unit: 'points', terms: [{ name: 'lift', metric: 'accuracy', coefficient: 1, per: 0.01 }] },
    plan: {},
  };
}
