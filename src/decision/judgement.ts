// What does the declared rule say of the numbers? The part of a report that decides: criteria, value, checks, verdict.
import type { ExperimentSummary, VariantSummary } from '../evidence/index.ts';
import type { Experiment } from '../experiment/index.ts';
import { levelAllocations } from './allocation-strata.ts';
import type { AnnotatedTime } from './balance-checks.ts';
import { runChecks } from './checks.ts';
import { zeroOneMetrics } from './constant-rate.ts';
import { type AssessedCriterion, assessBetter, assessCriterion } from './criteria.ts';
import { netValueLimit } from './criterion-form.ts';
import { checkCode } from './findings.ts';
import { type Procedures, proceduresOf } from './procedure.ts';
import type { MetricEntry, Report } from './report.ts';
import { valueEntry } from './value.ts';
import { type BareVerdict, judge, type VerdictCase } from './verdict.ts';
import { watchNetValue } from './watched-interval.ts';

/** The part of a specification a report rests on; a whole `Experiment` is one. */
export type ReportedExperiment = Pick<Experiment, 'decision' | 'value' | 'plan'> & Partial<Pick<Experiment, 'metrics'>>;

/** What a judgement needs beside the numbers. All optional: a table of numbers alone gives a report too. */
export interface JudgementOptions {
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
  /** What people have written down about its time; a gap that falls into one of these is explained. */
  readonly annotations?: readonly AnnotatedTime[];
  /** Say how many units it will take; false saves the search for them. Default true. */
  readonly isForecasting?: boolean;
}

/** The verdict and all it was read off. */
export interface Judgement {
  /** Every variant's numbers at the same mix of allocations. */
  readonly summary: ExperimentSummary;
  readonly control: VariantSummary;
  readonly candidates: readonly VariantSummary[];
  readonly alpha: number;
  readonly names: readonly string[];
  /** The metric that decides where no criterion says so. */
  readonly primaryMetric: string | undefined;
  /** Names of the metrics whose rows are 0 or 1 whatever the evidence holds. */
  readonly zeroOne: ReadonlySet<string>;
  readonly procedures: Procedures;
  readonly cases: readonly VerdictCase[];
  readonly checks: Report['checks'];
  readonly verdict: BareVerdict;
}

/**
 * Judges one experiment. Pure: the same summary and options give the same verdict for ever.
 * @throws RangeError when alpha is outside (0, 1) or the control is not among the summary's variants.
 */
export function judgeExperiment(pooled: ExperimentSummary, options: JudgementOptions = {}): Judgement {
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
  const names = [...new Set(summary.variants.flatMap((variant) => Object.keys(variant.metrics)))];
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
    ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
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
  return { summary, control, candidates, alpha, names, primaryMetric, zeroOne, procedures, cases, checks, verdict };
}

interface CaseOptions {
  /** Shared out over the candidates, so that shipping any wrong one stays as rare as with one candidate. */
  readonly alpha: number;
  readonly netAlpha: number;
  readonly primaryMetric: string | undefined;
  readonly zeroOne: ReadonlySet<string>;
  readonly procedures: Procedures;
  readonly options: JudgementOptions;
}

function candidateCase(
  sides: { readonly control: VariantSummary; readonly candidate: VariantSummary },
  { alpha, netAlpha, primaryMetric, zeroOne, procedures, options }: CaseOptions,
): VerdictCase {
  const model = options.experiment?.value;
  const decision = options.experiment?.decision;
  const isForecasting = options.isForecasting ?? true;
  const written = (['primary', 'secondary', 'guardrail'] as const).flatMap((role) =>
    (decision?.[role === 'guardrail' ? 'guardrails' : role] ?? []).map((text) =>
      // A guardrail protects: it keeps its full alpha however many candidates there are.
      assessCriterion(
        role === 'guardrail'
          ? { text, role, alpha: netAlpha, model, zeroOne, procedure: procedures.guardrails, isForecasting }
          : { text, role, alpha, model, zeroOne, procedure: procedures.criteria, isForecasting },
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
        isForecasting,
        lowerIsBetter: isLowerBetter(primaryMetric, options),
      }),
    );
  }
  return { variant: sides.candidate.variant, criteria: [...implied, ...written], value };
}

/** The criterion that decides where none is declared: the first metric is better than the control's. */
export function impliedCriterion(experiment: Pick<Experiment, 'metrics' | 'decision' | 'plan'>): string | undefined {
  const name = experiment.metrics[0]?.name;
  if (name === undefined) return undefined;
  return `${name} ${isLowerBetter(name, { experiment }) ? '<' : '>'} control.${name}`;
}

/** Built-in fields that count harm or time: less is better. */
const harmFields: readonly string[] = ['failed', 'caller_failed', 'attempt_ms', 'caller_ms', 'fallback'];
/** Kinds that measure how far off a model is. */
const errorKinds: readonly string[] = ['rmse', 'mae', 'pinball', 'calibration'];

function isLowerBetter(metric: string, options: JudgementOptions): boolean {
  if (options.lowerIsBetter?.includes(metric)) return true;
  const definition = options.experiment?.metrics?.find(({ name }) => name === metric)?.definition;
  if (definition === undefined) return harmFields.includes(metric);
  if (errorKinds.includes(definition.kind)) return true;
  return 'expression' in definition && harmFields.includes(definition.expression.trim());
}

function elapsed(summary: ExperimentSummary, options: JudgementOptions): number | undefined {
  const from = options.startedAtMs ?? summary.fromMs ?? undefined;
  const to = options.nowMs ?? summary.toMs ?? undefined;
  return from === undefined || to === undefined ? undefined : Math.max(0, to - from);
}

/** As planned; else as it has been, once an hour shows it. */
function unitsPerDay(
  summary: ExperimentSummary,
  { experiment, elapsedMs }: Pick<JudgementOptions, 'experiment'> & { readonly elapsedMs: number | undefined },
): number | undefined {
  const planned = experiment?.plan.requestsPerDay;
  const units = summary.variants.reduce((sum, variant) => sum + variant.units, 0);
  const requests = summary.variants.reduce((sum, variant) => sum + variant.requests, 0);
  if (planned !== undefined && requests > 0) return (planned * units) / requests;
  const isKnown = elapsedMs !== undefined && elapsedMs >= 3_600_000 && summary.health !== null;
  return isKnown ? (units / elapsedMs) * 86_400_000 : undefined;
}
