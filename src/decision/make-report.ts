// What does the evidence say? From sufficient statistics to the one document every reader gets.
import type { ExperimentSummary, LatencySummary, VariantSummary } from '../evidence/index.ts';
import type { Experiment } from '../experiment/index.ts';
import type { Insufficient } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import { levelAllocations } from './allocation-strata.ts';
import { expectedShares, runChecks } from './checks.ts';
import { extendEntry } from './comparison.ts';
import { zeroOneMetrics } from './constant-rate.ts';
import { type ComparedTable, correctTogether, sequenceOf } from './correction.ts';
import { type AssessedCriterion, assessBetter, assessCriterion } from './criteria.ts';
import { criterionNames, netValueLimit } from './criterion-form.ts';
import { metricEntry } from './effects.ts';
import { checkCode, collectFindings } from './findings.ts';
import { numberText } from './number-text.ts';
import { type Procedures, proceduresOf } from './procedure.ts';
import type { LatencyEntry, MetricEntry, Report, ValueEntry, VariantEntry } from './report.ts';
import { segmentEffects, segmentFindings } from './segment-effects.ts';
import { seriesEntries } from './series.ts';
import { valueEntry } from './value.ts';
import { judge, type VerdictCase } from './verdict.ts';
import { watchNetValue } from './watched-interval.ts';

/** The part of a specification a report rests on; a whole `Experiment` is one. */
export type ReportedExperiment = Pick<Experiment, 'decision' | 'value' | 'plan'> & Partial<Pick<Experiment, 'metrics'>>;

/** What a report needs beside the numbers. All optional: a table of numbers alone gives a report too. */
interface MakeReportOptions {
  /** The specification: criteria, value model, plan. Without primary criteria the first metric of the summary is the primary one. */
  readonly experiment?: ReportedExperiment;
  /** Two-sided significance level in (0, 1); default the experiment's, else 0.05. */
  readonly alpha?: number;
  /** Roles by metric name, for summaries without an experiment; default first primary, the rest informational. */
  readonly roles?: { readonly [metric: string]: MetricEntry['role'] };
  /** Metrics of which less is better, where no criterion says so. */
  readonly lowerIsBetter?: readonly string[];
  /** When the experiment started, epoch milliseconds; default the first evidence. */
  readonly startedAtMs?: number;
  /** When the report is made, epoch milliseconds; default the last evidence. */
  readonly nowMs?: number;
  /** What was changed in criteria or plan after the start, in words; absent or empty when nothing was. */
  readonly planChanges?: readonly string[];
}

/**
 * Makes the report of one experiment. Pure: the same summary and options give the same report for ever.
 * @throws RangeError when alpha is outside (0, 1) or the control is not among the summary's variants.
 */
export function makeReport(pooled: ExperimentSummary, options: MakeReportOptions = {}): Report {
  const summary = levelAllocations(pooled);
  const alpha = options.alpha ?? options.experiment?.decision.alpha ?? 0.05;
  if (!(alpha > 0 && alpha < 1)) throw new RangeError(`alpha is ${alpha}, must be in (0, 1)`);
  const control = summary.variants.find((variant) => variant.variant === summary.control);
  const candidates = summary.variants.filter((variant) => variant !== control);
  if (control === undefined || candidates.length === 0) {
    const names = summary.variants.map((variant) => variant.variant).join(', ');
    throw new RangeError(`summary.variants is [${names}], must hold the control ${summary.control} and a candidate`);
  }
  const decision = options.experiment?.decision;
  const names = metricNames(summary.variants);
  const procedures = proceduresOf(options.experiment, { isLive: summary.health !== null });
  const primaryMetric = names.find((name) => options.roles?.[name] === 'primary') ?? names[0];
  const zeroOne = zeroOneMetrics(options.experiment?.metrics ?? []);
  const cases = candidates.map((candidate) =>
    candidateCase(
      { control, candidate },
      { alpha: alpha / candidates.length, netAlpha: alpha, primaryMetric, zeroOne, procedures, options },
    ),
  );
  const elapsedMs = elapsed(summary, options);
  const checks = runChecks(summary, {
    elapsedMs,
    minDurationMs: decision?.minDurationMs,
    planChanges: options.planChanges ?? [],
    isWatched: procedures.guardrails.kind === 'sequential',
    plan: { isFixed: decision?.method === 'fixed', units: options.experiment?.plan.units },
  });
  const verdict = judge(cases, {
    sampleRatio: checks.sampleRatio,
    minDuration: checks.minDuration,
    blocking: Object.entries(checks).flatMap(([name, check]) =>
      check.blocks ? [{ code: checkCode(name), check }] : [],
    ),
    maxDuration:
      elapsedMs === undefined || decision === undefined
        ? undefined
        : { elapsedMs, maxDurationMs: decision.maxDurationMs },
    levels: options.experiment?.value === undefined ? undefined : decision?.levels,
    unitsPerDay: unitsPerDay(summary, { ...options, elapsedMs }),
  });
  const roleOf = roleFinder(options, primaryMetric);
  const fallbackMetric = options.experiment?.metrics?.find(
    ({ definition }) => definition.kind === 'mean' && definition.expression.trim() === 'fallback',
  )?.name;
  const sequence = sequenceOf(procedures.criteria);
  const entries = (variants: readonly VariantSummary[], isExact: boolean): readonly MetricEntry[] =>
    names.map((name) => {
      const isZeroOne = zeroOne.has(name);
      const entry = metricEntry(name, variants, {
        alpha,
        control: summary.control,
        role: roleOf(name),
        isZeroOne,
        ...(options.experiment?.metrics === undefined ? {} : { perUnit: summary.perUnit?.includes(name) ?? false }),
        cap: summary.caps?.[name],
        byAllocation: summary.strata !== undefined,
      });
      return extendEntry(entry, variants, {
        alpha,
        control: summary.control,
        isZeroOne,
        procedure: sequence,
        isExact,
        fallbackMetric,
      });
    });
  const together = (tables: readonly ComparedTable[]): readonly ComparedTable[] =>
    correctTogether(tables, {
      alpha,
      control: summary.control,
      correction: decision?.correction ?? 'holm',
      zeroOne,
      procedure: procedures.criteria,
    });
  const whole = { variants: summary.variants, metrics: entries(summary.variants, true) };
  const metrics = together([whole])[0]?.metrics ?? whole.metrics;
  const bySegment = segmentEffects(summary.segments, {
    control: summary.control,
    candidates: candidates.map(({ variant }) => variant),
    metrics: names.filter((name) => roleOf(name) === 'primary'),
    alpha,
  });
  const values = cases.map(({ value }) => value);
  return {
    experiment: summary.experiment,
    namespace: summary.namespace,
    control: summary.control,
    unit: summary.unit,
    ...(summary.fromMs === null ? {} : { from: new Date(summary.fromMs).toISOString() }),
    ...(summary.toMs === null ? {} : { to: new Date(summary.toMs).toISOString() }),
    variants: variantEntries(summary),
    checks,
    metrics,
    criteria: cases.flatMap(({ criteria }) => criteria.map(({ entry }) => entry)),
    value: values[0] as ValueEntry,
    values,
    segments: segmentEntries(summary, { entries, together }),
    ...(bySegment.length === 0 ? {} : { segmentEffects: bySegment }),
    ...(summary.unmixed === undefined
      ? {}
      : { sensitivity: [withoutMixed(summary, entries(summary.unmixed.variants, false))] }),
    ...(summary.series === undefined ? {} : { series: seriesEntries(summary.series, names) }),
    findings: [...collectFindings({ summary, checks, cases, verdict, alpha }), ...segmentFindings(bySegment, alpha)],
    verdict,
  };
}

/** Each segment's values are one family: whoever looks for a group with an effect looks at all of its groups. */
function segmentEntries(
  { segments }: ExperimentSummary,
  make: {
    entries(variants: readonly VariantSummary[], isExact: boolean): readonly MetricEntry[];
    together(tables: readonly ComparedTable[]): readonly ComparedTable[];
  },
): Report['segments'] {
  return [...new Set(segments.map(({ segment }) => segment))].flatMap((name) => {
    const own = segments.filter(({ segment }) => segment === name);
    const tables = make.together(own.map(({ variants }) => ({ variants, metrics: make.entries(variants, false) })));
    return own.map(({ segment, value }, i) => ({ segment, value, metrics: tables[i]?.metrics ?? [] }));
  });
}

function withoutMixed(
  summary: ExperimentSummary,
  metrics: readonly MetricEntry[],
): NonNullable<Report['sensitivity']>[number] {
  const units = summary.health?.unitsInSeveralVariants ?? 0;
  return {
    name: 'exclude-mixed',
    text: `Without the ${numberText(units, 1)} units seen in several variants. Whether a unit is seen in several may hang on its variant: look at the difference from the report's own numbers, do not decide by these.`,
    metrics,
  };
}

interface CaseOptions {
  /** Shared out over the candidates, so that shipping any wrong one stays as rare as with one candidate. */
  readonly alpha: number;
  readonly netAlpha: number;
  readonly primaryMetric: string | undefined;
  /** Names of the metrics whose rows are 0 or 1 whatever the evidence holds. */
  readonly zeroOne: ReadonlySet<string>;
  readonly procedures: Procedures;
  readonly options: MakeReportOptions;
}

function candidateCase(
  sides: { readonly control: VariantSummary; readonly candidate: VariantSummary },
  { alpha, netAlpha, primaryMetric, zeroOne, procedures, options }: CaseOptions,
): VerdictCase {
  const model = options.experiment?.value;
  const decision = options.experiment?.decision;
  const written = (['primary', 'secondary', 'guardrail'] as const).flatMap((role) =>
    (decision?.[role === 'guardrail' ? 'guardrails' : role] ?? []).map((text) =>
      // A guardrail protects: it keeps its full alpha however many candidates there are.
      assessCriterion(
        role === 'guardrail'
          ? { text, role, alpha: netAlpha, model, zeroOne, procedure: procedures.guardrails }
          : { text, role, alpha, model, zeroOne, procedure: procedures.criteria },
        sides,
      ),
    ),
  );
  const limits = (decision?.primary ?? []).flatMap((text) => netValueLimit(text, model) ?? []);
  const once = valueEntry(sides, { model, alpha: netAlpha, threshold: limits[0] ?? decision?.levels.strong ?? 0 });
  const value = watchNetValue(once, sides, { model, alpha: netAlpha, zeroOne, procedure: procedures.criteria });
  const implied: AssessedCriterion[] = [];
  if ((decision?.primary.length ?? 0) === 0 && primaryMetric !== undefined) {
    implied.push(
      assessBetter(primaryMetric, sides, {
        alpha,
        zeroOne,
        procedure: procedures.criteria,
        lowerIsBetter: isLowerBetter(primaryMetric, options),
      }),
    );
  }
  return { variant: sides.candidate.variant, criteria: [...implied, ...written], value };
}

/** Built-in fields that count harm or time: less is better. */
const harmFields: readonly string[] = ['failed', 'caller_failed', 'attempt_ms', 'caller_ms', 'fallback'];
/** Kinds that measure how far off a model is. */
const errorKinds: readonly string[] = ['rmse', 'mae', 'pinball', 'calibration'];

function isLowerBetter(metric: string, options: MakeReportOptions): boolean {
  if (options.lowerIsBetter?.includes(metric)) return true;
  const definition = options.experiment?.metrics?.find(({ name }) => name === metric)?.definition;
  if (definition === undefined) return harmFields.includes(metric);
  if (errorKinds.includes(definition.kind)) return true;
  return 'expression' in definition && harmFields.includes(definition.expression.trim());
}

/** A metric's role follows from the weightiest list whose criteria name it; the value model stands behind `net_value`. */
function roleFinder(
  options: MakeReportOptions,
  primaryMetric: string | undefined,
): (name: string) => MetricEntry['role'] {
  const decision = options.experiment?.decision;
  const valued = options.experiment?.value?.terms.map(({ metric }) => metric) ?? [];
  const namedIn = (texts: readonly string[]): ReadonlySet<string> =>
    new Set(texts.flatMap(criterionNames).flatMap((name) => (name === 'net_value' ? [] : [name])));
  const primary = namedIn(decision?.primary ?? []);
  const secondary = namedIn(decision?.secondary ?? []);
  const guardrails = namedIn(decision?.guardrails ?? []);
  const isValueDeciding = (decision?.primary ?? []).flatMap(criterionNames).includes('net_value');
  return (name) => {
    const declared = options.roles?.[name];
    if (declared !== undefined) return declared;
    if (primary.has(name)) return 'primary';
    if (guardrails.has(name)) return 'guardrail';
    if (secondary.has(name)) return 'secondary';
    if (isValueDeciding && valued.includes(name)) return 'primary';
    return (decision?.primary.length ?? 0) === 0 && name === primaryMetric ? 'primary' : 'informational';
  };
}

function metricNames(variants: readonly VariantSummary[]): readonly string[] {
  return [...new Set(variants.flatMap((variant) => Object.keys(variant.metrics)))];
}

function elapsed(summary: ExperimentSummary, options: MakeReportOptions): number | undefined {
  const from = options.startedAtMs ?? summary.fromMs ?? undefined;
  const to = options.nowMs ?? summary.toMs ?? undefined;
  return from === undefined || to === undefined ? undefined : Math.max(0, to - from);
}

/** As planned; else as it has been, once an hour shows it. */
function unitsPerDay(
  summary: ExperimentSummary,
  { experiment, elapsedMs }: Pick<MakeReportOptions, 'experiment'> & { readonly elapsedMs: number | undefined },
): number | undefined {
  const planned = experiment?.plan.requestsPerDay;
  const units = summary.variants.reduce((sum, variant) => sum + variant.units, 0);
  const requests = summary.variants.reduce((sum, variant) => sum + variant.requests, 0);
  if (planned !== undefined && requests > 0) return (planned * units) / requests;
  const isKnown = elapsedMs !== undefined && elapsedMs >= 3_600_000 && summary.health !== null;
  return isKnown ? (units / elapsedMs) * 86_400_000 : undefined;
}

function variantEntries(summary: ExperimentSummary): readonly VariantEntry[] {
  const total = summary.variants.reduce((sum, variant) => sum + variant.units, 0);
  const expected = expectedShares(summary.epochs);
  return summary.variants.map((variant) => {
    const rate = (count: number): number | Insufficient =>
      summary.health === null
        ? insufficient('no log of requests is behind these numbers')
        : variant.requests === 0
          ? insufficient(`${variant.variant} has had no request yet`)
          : count / variant.requests;
    return {
      name: variant.variant,
      units: variant.units,
      requests: variant.requests,
      share: total === 0 ? 0 : variant.units / total,
      expectedShare: expected[variant.variant] ?? 0,
      failureRate: rate(variant.failed),
      callerFailureRate: rate(variant.callerFailed),
      fallbackRate: rate(variant.fallback),
      attemptMs: latencyEntry(variant.attemptMs),
      callerMs: latencyEntry(variant.callerMs),
    };
  });
}

function latencyEntry(latency: LatencySummary | Insufficient): LatencyEntry | Insufficient {
  if ('reason' in latency) return latency;
  return { mean: latency.mean, p50: latency.p50, p95: latency.p95, p99: latency.p99 };
}
