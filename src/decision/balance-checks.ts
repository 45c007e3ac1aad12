// Were the variants alike before anything was measured, and was the run whole? Checks of segments, covariates, joins, time and the plan.
import type { ExperimentSummary, VariantSummary } from '../evidence/index.ts';
import { chiSquared, compareProportions, covariateBalance, type JointMoments, sampleRatio } from '../stats/index.ts';
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

/** Is the split as declared within every value of every segment? Undefined without segments. */
export function checkSegmentRatio(
  { segments }: ExperimentSummary,
  expected: Readonly<Record<string, number>>,
): CheckEntry | undefined {
  const names = Object.keys(expected).filter((name) => (expected[name] ?? 0) > 0);
  // A unit stands in as many stretches of days as it stayed for, which the variant may decide.
  const cuts = segments.filter(({ segment }) => segment !== 'days_since_exposure');
  const tests = cuts.flatMap(({ segment, value, variants }) => {
    const counts = names.map((name) => variants.find(({ variant }) => variant === name)?.units ?? 0);
    // Too few units for chi-squared say nothing.
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (total * Math.min(...names.map((name) => expected[name] ?? 0)) < 5) return [];
    const test = sampleRatio(
      counts,
      names.map((name) => expected[name] ?? 0),
    );
    return test.kind === 'insufficient'
      ? []
      : [{ segment, value, counts, pValue: chiSquared(test.df).sf(test.statistic) }];
  });
  const found = worstOf(tests);
  if (found === undefined) return undefined;
  const { worst, pValue, ok } = found;
  return {
    ok,
    text: ok
      ? `The split is as declared within each of ${tests.length} segment values.`
      : `The split is broken where ${worst.segment} is ${worst.value}: ${names.map((name, i) => `${name} has ${numberText(worst.counts[i] ?? 0, 1)} units`).join(', ')}, p = ${numberText(pValue)} among ${tests.length} segment values.`,
    numbers: { pValue, segments: tests.length },
    ...(ok ? {} : { blocks: true }),
  };
}

/** Are the covariates, known before the first exposure, alike? Undefined where no metric has one. */
export function checkCovariates(summary: ExperimentSummary): CheckEntry | undefined {
  const control = summary.variants.find(({ variant }) => variant === summary.control);
  if (control === undefined) return undefined;
  const tests = summary.variants.flatMap((candidate) =>
    candidate === control
      ? []
      : Object.keys(control.metrics).flatMap((name) => {
          const left = covariateOf(control, name);
          const right = covariateOf(candidate, name);
          if (left === undefined || right === undefined) return [];
          const test = covariateBalance(left, right, { alpha: alarmAlpha });
          return test.kind === 'insufficient' ? [] : [{ name, variant: candidate.variant, pValue: test.pValue }];
        }),
  );
  const found = worstOf(tests);
  if (found === undefined) return undefined;
  const { worst, pValue, ok } = found;
  return {
    ok,
    text: ok
      ? `The variants' units were alike before their first exposure (${tests.length} ${tests.length === 1 ? 'covariate' : 'covariates'}).`
      : `The covariate of ${worst.name} differs between ${worst.variant} and ${summary.control} before the first exposure, p = ${numberText(pValue)}: the assignment, its logging or the join is at fault.`,
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
export function checkJoinRates(summary: ExperimentSummary): CheckEntry | undefined {
  const control = summary.variants.find(({ variant }) => variant === summary.control);
  if (control === undefined) return undefined;
  const tests = summary.variants.flatMap((candidate) =>
    candidate === control
      ? []
      : Object.keys(control.metrics).flatMap((name) => {
          const left = measured(control, name);
          const right = measured(candidate, name);
          if (left === undefined || right === undefined) return [];
          const test = compareProportions(left, right, { alpha: alarmAlpha });
          return test.kind === 'insufficient' ? [] : [{ name, variant: candidate.variant, pValue: test.pValue, test }];
        }),
  );
  const found = worstOf(tests);
  if (found === undefined) return undefined;
  const { worst, pValue, ok } = found;
  return {
    ok,
    text: ok
      ? 'As many units of each variant have a value of each metric.'
      : `${percentText(worst.test.candidate)} of ${worst.variant}'s units have a value of ${worst.name}, ${percentText(worst.test.control)} of ${summary.control}'s (p = ${numberText(pValue)}): the metric compares different kinds of units.`,
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
