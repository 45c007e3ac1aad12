// What do the replayed pairs say? Counts, shares with intervals, and paired comparisons where the pairs allow them.
import {
  comparePairedModels,
  comparePairs,
  type Estimate,
  estimateProportion,
  type Insufficient,
  type McNemarResult,
  momentsOf,
  quantileOf,
} from '../../stats/index.ts';
import type { ReplayCounts, ReplayPair } from './replay-run.ts';

type PairedResult = ReturnType<typeof comparePairs>;

/** Quantiles of one side's latencies, milliseconds. */
export interface LatencySummary {
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
}

/** The result of one replay; `after` is the other server, `before` what was kept. */
export interface ReplaySummary extends ReplayCounts {
  readonly answered: number;
  /** Why no reply or a failed one came: error -> number. */
  readonly failed: { readonly [error: string]: number };
  readonly sameStatus: number;
  readonly replies: {
    readonly compared: number;
    readonly same: number;
    /** Share of equal replies among those compared. */
    readonly share: Estimate | Insufficient;
    /** Answered, but the kept reply was cut or left out, or one is a stream that differs in bytes. */
    readonly notComparable: number;
  };
  /** Null when no value was asked for. */
  readonly value: {
    readonly pairs: number;
    readonly equal: number;
    readonly largestDifference: number;
    /** Mean of after - before. */
    readonly difference: PairedResult;
  } | null;
  /** Decisions at the threshold; null when none was given. */
  readonly decisions: {
    readonly threshold: number;
    readonly both: number;
    readonly onlyBefore: number;
    readonly onlyAfter: number;
    readonly neither: number;
    readonly test: McNemarResult | Insufficient;
  } | null;
  /** Null without answers. */
  readonly latency: {
    readonly before: LatencySummary;
    readonly after: LatencySummary;
    /** Mean of after - before. */
    readonly difference: PairedResult;
  } | null;
  /** What to know before relying on these numbers. */
  readonly notes: readonly string[];
}

/** The summary of the pairs. @param options `threshold` turns values into decisions: at or above it is yes. */
export function summariseReplay(
  pairs: readonly ReplayPair[],
  counts: ReplayCounts,
  options: { readonly alpha: number; readonly wantsValue: boolean; readonly threshold: number | null },
): ReplaySummary {
  const { alpha, wantsValue, threshold } = options;
  const answered = pairs.filter(({ after }) => after.error === null && after.status !== null);
  const failed: { [error: string]: number } = {};
  for (const { after } of pairs) if (after.error !== null) failed[after.error] = (failed[after.error] ?? 0) + 1;
  const verdicts = answered.map(({ comparison }) => comparison?.same ?? null).filter((same) => same !== null);
  const same = verdicts.filter(Boolean).length;
  const values = answered.flatMap(({ comparison }) => {
    const { before = null, after = null } = comparison ?? {};
    return before === null || after === null ? [] : [{ before, after }];
  });
  return {
    ...counts,
    answered: answered.length,
    failed,
    sameStatus: answered.filter(({ before, after }) => before.status === after.status).length,
    replies: {
      compared: verdicts.length,
      same,
      share: estimateProportion({ successes: same, n: verdicts.length }, { alpha }),
      notComparable: answered.length - verdicts.length,
    },
    value: wantsValue ? summariseValues(values, alpha) : null,
    decisions: wantsValue && threshold !== null ? summariseDecisions(values, { threshold, alpha }) : null,
    latency: answered.length === 0 ? null : summariseLatency(answered, alpha),
    notes: [
      'Requests are taken as independent. Where few users sent many of them, intervals are too narrow and p-values too small.',
      'Kept latencies were measured under production load, replayed ones now and from here: a difference is no verdict on the model alone.',
    ],
  };
}

interface ValuePair {
  readonly before: number;
  readonly after: number;
}

function summariseValues(values: readonly ValuePair[], alpha: number): NonNullable<ReplaySummary['value']> {
  const differences = values.map(({ before, after }) => after - before);
  return {
    pairs: values.length,
    equal: differences.filter((difference) => difference === 0).length,
    largestDifference: differences.reduce((most, difference) => Math.max(most, Math.abs(difference)), 0),
    difference: comparePairs(momentsOf(differences), { alpha }),
  };
}

function summariseDecisions(
  values: readonly ValuePair[],
  { threshold, alpha }: { readonly threshold: number; readonly alpha: number },
): NonNullable<ReplaySummary['decisions']> {
  const count = (isBefore: boolean, isAfter: boolean): number =>
    values.filter(({ before, after }) => before >= threshold === isBefore && after >= threshold === isAfter).length;
  const table = {
    both: count(true, true),
    onlyBefore: count(true, false),
    onlyAfter: count(false, true),
    neither: count(false, false),
  };
  const test = comparePairedModels(
    { both: table.both, onlyControl: table.onlyBefore, onlyCandidate: table.onlyAfter, neither: table.neither },
    { alpha },
  );
  return { threshold, ...table, test };
}

function summariseLatency(pairs: readonly ReplayPair[], alpha: number): NonNullable<ReplaySummary['latency']> {
  const side = (times: readonly number[]): LatencySummary => {
    const sorted = [...times].sort((a, b) => a - b);
    return { mean: momentsOf(times).mean, p50: quantileOf(sorted, 0.5), p95: quantileOf(sorted, 0.95) };
  };
  return {
    before: side(pairs.map(({ before }) => before.latencyMs)),
    after: side(pairs.map(({ after }) => after.latencyMs)),
    difference: comparePairs(momentsOf(pairs.map(({ before, after }) => after.latencyMs - before.latencyMs)), {
      alpha,
    }),
  };
}
