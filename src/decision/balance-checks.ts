// Were the variants alike before anything was measured, and was the run whole? Checks of segments, covariates, joins, time and the plan.
import type { ExperimentSummary, StratumSummary, VariantSummary } from '../evidence/index.ts';
import {
  chiSquared,
  compareProportions,
  covariateBalance,
  type JointMoments,
  normal,
  sampleRatio,
  watchLimit,
  watchSampleRatio,
} from '../stats/index.ts';
import { durationText, numberText, percentText } from './number-text.ts';
import type { CheckEntry } from './report.ts';

/** As strict as the check of the whole split: a false alarm throws an experiment away. */
const alarmAlpha = 0.001;
const dayMs = 86_400_000;

/** The test that speaks loudest, its p-value as that of the loudest of so many (Bonferroni), and whether it is an alarm. */
function worstOf<T extends { readonly pValue: number }>(
  tests: readonly T[],
): { readonly worst: T; readonly pValue: number; readonly ok: boolean } | undefined {
  const worst = tests.toSorted((left, right) => left.pValue - right.pValue)[0];
  if (worst === undefined) return undefined;
  const pValue = Math.min(1, worst.pValue * tests.length);
  return { worst, pValue, ok: pValue >= alarmAlpha };
}

/**
 * Is the split as declared within every value of every segment? Each allocation of a segment is held against its own shares.
 * Undefined without segments.
 * @param expected shares of the one allocation of an experiment whose shares never changed
 */
export function checkSegmentRatio(
  { segments }: ExperimentSummary,
  expected: Readonly<Record<string, number>>,
  { isWatched }: { readonly isWatched: boolean },
): CheckEntry | undefined {
  // A unit stands in as many stretches of days as it stayed for, which the variant may decide.
  const cuts = segments.filter(({ segment }) => segment !== 'days_since_exposure');
  const tests = cuts.flatMap((cut) => {
    const split = splitOf(cut.strata ?? [{ shares: expected, variants: cut.variants }], { isWatched });
    return split === undefined ? [] : [{ segment: cut.segment, value: cut.value, ...split }];
  });
  const found = worstOf(tests);
  if (found === undefined) return undefined;
  const { worst, pValue, ok } = found;
  const seen = Object.entries(worst.units).map(([name, count]) => `${name} has ${numberText(count, 1)} units`);
  return {
    ok,
    text: ok
      ? `The split is as declared within each of ${tests.length} segment values.`
      : `The split is broken where ${worst.segment} is ${worst.value}: ${seen.join(', ')}, p = ${numberText(pValue)}${isWatched ? ' at every look' : ''} among ${tests.length} segment values.`,
    numbers: { pValue, segments: tests.length, units: Object.values(worst.units).reduce((sum, each) => sum + each, 0) },
    ...(ok ? {} : { blocks: true }),
  };
}

/** One segment value's allocations together; undefined where too few units came in to say anything. */
function splitOf(
  strata: readonly Pick<StratumSummary, 'shares' | 'variants'>[],
  { isWatched }: { readonly isWatched: boolean },
): { readonly pValue: number; readonly units: Readonly<Record<string, number>> } | undefined {
  const units: Record<string, number> = {};
  let statistic = 0;
  let df = 0;
  let logE = 0;
  for (const { shares, variants } of strata) {
    const names = Object.keys(shares).filter((name) => (shares[name] ?? 0) > 0);
    const counts = names.map((name) => variants.find(({ variant }) => variant === name)?.units ?? 0);
    const parts = names.map((name) => shares[name] ?? 0);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const test = sampleRatio(counts, parts);
    const watched = watchSampleRatio(counts, parts);
    // Too few units for chi-squared say nothing.
    if (test.kind === 'insufficient' || total * Math.min(...parts) < 5) continue;
    statistic += test.statistic;
    df += test.df;
    // Evidence of separate allocations multiplies.
    if (watched.kind === 'watched') logE += watched.logE;
    names.forEach((name, i) => {
      units[name] = (units[name] ?? 0) + (counts[i] ?? 0);
    });
  }
  if (df === 0) return undefined;
  return { pValue: isWatched ? Math.min(1, Math.exp(-logE)) : chiSquared(df).sf(statistic), units };
}

/** Watched sequences of these checks are tightest at so many units of a pair of variants. */
const balanceHorizon = 5_000;

/** A p-value as it must be to hold at every look: its normal score against an asymptotic confidence sequence. */
function atEveryLook(pValue: number, sides: Sides): number {
  if (!(pValue > 0)) return 0;
  const watched = watchLimit(
    { estimate: normal.isf(pValue / 2), standardError: 1, n: sides.control.units + sides.candidate.units },
    { alpha: alarmAlpha, horizon: balanceHorizon, direction: 'apart', tuning: 'approximate' },
  );
  return watched.kind === 'watched' ? watched.pValue : 1;
}

interface Sides {
  readonly control: VariantSummary;
  readonly candidate: VariantSummary;
}

/** What a test makes of each metric of each candidate beside the control; where it makes nothing, nothing. */
function eachComparison<T>(
  summary: ExperimentSummary,
  test: (name: string, sides: Sides) => T | undefined,
): readonly T[] {
  const control = summary.variants.find(({ variant }) => variant === summary.control);
  if (control === undefined) return [];
  return summary.variants
    .filter((candidate) => candidate !== control)
    .flatMap((candidate) => Object.keys(control.metrics).flatMap((name) => test(name, { control, candidate }) ?? []));
}

/** Are the covariates, known before the first exposure, alike? Undefined where no metric has one. */
export function checkCovariates(
  summary: ExperimentSummary,
  { isWatched }: { readonly isWatched: boolean },
): CheckEntry | undefined {
  const tests = eachComparison(summary, (name, sides) => {
    const { control, candidate } = sides;
    const left = covariateOf(control, name);
    const right = covariateOf(candidate, name);
    if (left === undefined || right === undefined) return undefined;
    const test = covariateBalance(left, right, { alpha: alarmAlpha });
    if (test.kind === 'insufficient') return undefined;
    return { name, variant: candidate.variant, pValue: isWatched ? atEveryLook(test.pValue, sides) : test.pValue };
  });
  const found = worstOf(tests);
  if (found === undefined) return undefined;
  const { worst, pValue, ok } = found;
  return {
    ok,
    text: ok
      ? `The variants' units were alike before their first exposure (${tests.length} ${tests.length === 1 ? 'covariate' : 'covariates'}).`
      : `The covariate of ${worst.name} differs between ${worst.variant} and ${summary.control} before the first exposure, p = ${numberText(pValue)}${isWatched ? ' at every look' : ''}: the assignment, its logging or the join is at fault.`,
    numbers: { pValue, covariates: tests.length },
    ...(ok ? {} : { blocks: true }),
  };
}

function covariateOf(variant: VariantSummary, name: string): JointMoments | undefined {
  const summary = variant.metrics[name];
  if (summary?.kind !== 'mean' && summary?.kind !== 'ratio') return undefined;
  const adjusted = summary.adjusted;
  const column = summary.kind === 'mean' ? 1 : 2;
  const mean = adjusted?.mean[column];
  const m2 = adjusted?.m2[column]?.[column];
  return adjusted === undefined || mean === undefined || m2 === undefined
    ? undefined
    : { n: adjusted.n, mean: [mean], m2: [[m2]] };
}

/** Have as many of each variant's units a value? Where not, a metric compares different kinds of units. */
export function checkJoinRates(
  summary: ExperimentSummary,
  { isWatched }: { readonly isWatched: boolean },
): CheckEntry | undefined {
  const tests = eachComparison(summary, (name, sides) => {
    const { control, candidate } = sides;
    const left = measured(control, name);
    const right = measured(candidate, name);
    if (left === undefined || right === undefined) return undefined;
    const test = compareProportions(left, right, { alpha: alarmAlpha });
    if (test.kind === 'insufficient') return undefined;
    const pValue = isWatched ? atEveryLook(test.pValue, sides) : test.pValue;
    return { name, variant: candidate.variant, pValue, test };
  });
  const found = worstOf(tests);
  if (found === undefined) return undefined;
  const { worst, pValue, ok } = found;
  return {
    ok,
    text: ok
      ? 'As many units of each variant have a value of each metric.'
      : `${percentText(worst.test.candidate)} of ${worst.variant}'s units have a value of ${worst.name}, ${percentText(worst.test.control)} of ${summary.control}'s (p = ${numberText(pValue)}${isWatched ? ' at every look' : ''}): the metric compares different kinds of units.`,
    numbers: { pValue, control: worst.test.control, candidate: worst.test.candidate },
  };
}

function measured(variant: VariantSummary, name: string): { n: number; successes: number } | undefined {
  const summary = variant.metrics[name];
  if (summary === undefined || summary.kind === 'insufficient' || variant.units === 0) return undefined;
  return { n: variant.units, successes: Math.min(variant.units, summary.n) };
}

/** Did every day of the week count alike? Undefined for plans of less than a day, which have no weekdays. */
export function checkWholeWeeks(
  elapsedMs: number | undefined,
  minDurationMs: number | undefined,
): CheckEntry | undefined {
  if (elapsedMs === undefined || minDurationMs === undefined || minDurationMs < dayMs) return undefined;
  const weeks = elapsedMs / (7 * dayMs);
  const ok = weeks >= 0.98 && Math.abs(weeks - Math.round(weeks)) <= 0.15 / Math.max(1, Math.round(weeks));
  return {
    ok,
    text: ok
      ? `The experiment ran ${Math.round(weeks)} whole ${Math.round(weeks) === 1 ? 'week' : 'weeks'}.`
      : `The experiment ran ${durationText(elapsedMs)}, which is no whole number of weeks: days of the week do not count alike.`,
    numbers: { weeks },
  };
}

/** Is a plan for one look looked at before its end? Undefined for other plans and where its end is not known. */
export function checkPeeking(
  units: number,
  plan: { readonly isFixed: boolean; readonly units: number | undefined },
): CheckEntry | undefined {
  if (!plan.isFixed || plan.units === undefined) return undefined;
  const ok = units >= plan.units;
  return {
    ok,
    text: ok
      ? `The ${numberText(plan.units, 1)} units planned for one look are in.`
      : `The plan is one look at ${numberText(plan.units, 1)} units, and ${numberText(units, 1)} are in: what is read now decides nothing, because whoever looks early and often finds something by chance.`,
    numbers: { units, planned: plan.units },
    ...(ok ? {} : { blocks: true }),
  };
}

/** Something that happened, such as an outage or a launch. */
export interface AnnotatedTime {
  readonly text: string;
  /** Epoch milliseconds. */
  readonly atMs: number;
  /** Absent for a moment. */
  readonly untilMs?: number;
}

/** Were there stretches without a single unit between busy ones that nobody has explained? Undefined without a series. */
export function checkGaps(
  { series }: ExperimentSummary,
  annotations: readonly AnnotatedTime[] = [],
): CheckEntry | undefined {
  if (series === undefined || series.points.length === 0) return undefined;
  const units = new Map<number, number>();
  const first = series.points[0]?.metric;
  for (const { metric, atMs, n } of series.points) {
    if (metric === first) units.set(atMs, (units.get(atMs) ?? 0) + n);
  }
  const times = [...units.keys()].sort((left, right) => left - right);
  const typical = [...units.values()].sort((left, right) => left - right)[Math.floor(units.size / 2)] ?? 0;
  const span = ((times.at(-1) ?? 0) - (times[0] ?? 0)) / series.widthMs + 1;
  const stretches = Math.round(span);
  const empty = Array.from({ length: stretches }, (_, place) => (times[0] ?? 0) + place * series.widthMs).filter(
    (atMs) => !units.has(atMs),
  );
  const reasonOf = (fromMs: number): AnnotatedTime | undefined =>
    annotations.find(({ atMs, untilMs }) => atMs < fromMs + series.widthMs && (untilMs ?? atMs) >= fromMs);
  const explained = empty.filter((atMs) => reasonOf(atMs) !== undefined);
  const missing = empty.length - explained.length;
  const during = (count: number): string =>
    `No new unit came in during ${count} of ${stretches} stretches of ${durationText(series.widthMs)}`;
  // Where a stretch usually brings a handful of units an empty one is chance.
  const ok = missing === 0 || typical < 20;
  const reasons = [...new Set(explained.map((atMs) => reasonOf(atMs)?.text ?? ''))];
  return {
    ok,
    text: !ok
      ? `${during(missing)}, where ${numberText(typical, 1)} are usual: something was not recorded, or not routed.`
      : reasons.length > 0
        ? `${during(explained.length)}, all of them at times that are annotated: ${reasons.join('; ')}.`
        : 'New units came in all the time.',
    numbers: { missing, explained: explained.length, stretches, typical },
  };
}
