// What does the evidence say? From sufficient statistics to the one document every reader gets.
import type { ExperimentSummary, LatencySummary, VariantSummary } from '../evidence/index.ts';
import type { Insufficient } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import { expectedShares } from './checks.ts';
import { extendDifference } from './comparison.ts';
import { type ComparedTable, correctTogether, sequenceOf } from './correction.ts';
import { criterionNames } from './criterion-form.ts';
import { metricEntry } from './effects.ts';
import { collectFindings } from './findings.ts';
import { sayVerdict } from './headline.ts';
import { type JudgementOptions, judgeExperiment } from './judgement.ts';
import { looksOf } from './looks.ts';
import { moneyEntry } from './money.ts';
import { numberText } from './number-text.ts';
import type { LatencyEntry, MetricEntry, Report, ValueEntry, VariantEntry } from './report.ts';
import { driftFindings } from './score-drift.ts';
import { segmentEffects, segmentFindings } from './segment-effects.ts';
import { seriesEntries } from './series.ts';

/**
 * Makes the report of one experiment. Pure: the same summary and options give the same report for ever.
 * @throws RangeError when alpha is outside (0, 1) or the control is not among the summary's variants.
 */
export function makeReport(pooled: ExperimentSummary, options: JudgementOptions = {}): Report {
  const { summary, candidates, alpha, names, primaryMetric, zeroOne, procedures, cases, checks, verdict } =
    judgeExperiment(pooled, options);
  const decision = options.experiment?.decision;
  const roleOf = roleFinder(options, primaryMetric);
  const fallbackMetric = options.experiment?.metrics?.find(
    ({ definition }) => definition.kind === 'mean' && definition.expression.trim() === 'fallback',
  )?.name;
  const sequence = sequenceOf(procedures.criteria);
  const entries = (variants: readonly VariantSummary[], isExact: boolean): readonly MetricEntry[] =>
    names.map((name) => {
      const isZeroOne = zeroOne.has(name);
      return metricEntry(name, variants, {
        alpha,
        control: summary.control,
        role: roleOf(name),
        isZeroOne,
        ...(options.experiment?.metrics === undefined ? {} : { perUnit: summary.perUnit?.includes(name) ?? false }),
        cap: summary.caps?.[name],
        byAllocation: summary.strata !== undefined,
        extend: (difference, compared) =>
          extendDifference(difference, compared, { alpha, isZeroOne, procedure: sequence, isExact, fallbackMetric }),
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
  const model = options.experiment?.value;
  const spoken = cases.find(({ variant }) => variant === verdict.variant) ?? cases[0]!;
  const words = sayVerdict({
    verdict,
    checks,
    spoken,
    metrics: options.experiment?.metrics ?? [],
    shares: new Set([...zeroOne, ...metrics.flatMap(({ name, kind }) => (kind === 'proportion' ? [name] : []))]),
  });
  const looks =
    procedures.criteria.kind === 'fixed'
      ? []
      : looksOf(summary, {
          primary: decision?.primary ?? [],
          model,
          alpha: alpha / candidates.length,
          zeroOne,
          procedure: procedures.criteria,
        });
  const values = cases.map(({ value }) =>
    model?.money === undefined ? value : { ...value, money: moneyEntry(value.net, { model: model.money, alpha }) },
  );
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
    ...(looks.length === 0 ? {} : { looks }),
    findings: [
      ...collectFindings({ summary, checks, cases, verdict, alpha, model, zeroOne }),
      ...driftFindings(metrics, summary.control),
      ...segmentFindings(bySegment, alpha),
    ],
    verdict: { ...verdict, ...words },
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

/** A metric's role follows from the weightiest list whose criteria name it; the value model stands behind `net_value`. */
function roleFinder(
  options: JudgementOptions,
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
