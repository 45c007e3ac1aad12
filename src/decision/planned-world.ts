// What would the numbers look like if the plan came true? Levels and noise of every metric, and the summaries to be expected.
import type { MetricSummary, VariantSummary } from '../evidence/index.ts';
import type { Experiment, Metric } from '../experiment/index.ts';
import { normal } from '../stats/index.ts';
import { zeroOneMetrics } from './constant-rate.ts';
import { numberText } from './number-text.ts';

/** What is supposed of one metric. */
export interface PlannedMetric {
  readonly name: string;
  /** `rate`: one 0 or 1 per unit; `root`: of a mean square; `quantile`: of what one unit brings. */
  readonly form: 'rate' | 'mean' | 'root' | 'quantile';
  /** Level of the control. */
  readonly control: number;
  /** Planned level of the candidate - that of the control. */
  readonly difference: number;
  /** Variance of the estimate times the units behind it; of a rate it follows from the level. */
  readonly noise: number;
  /** Of a quantile, in (0, 1). */
  readonly q?: number;
  /** Where the level comes from. */
  readonly origin: 'given' | 'pilot' | 'assumed';
  /** The noise was given or measured, not assumed. */
  readonly isNoiseKnown: boolean;
}

/** A metric by name -> its true level. */
export type Levels = Readonly<Record<string, number>>;

/** The experiment as it is supposed to run. */
export interface PlannedWorld {
  readonly control: string;
  readonly candidates: readonly string[];
  /** Of the units that take part, by variant; sums to 1. */
  readonly shares: Readonly<Record<string, number>>;
  readonly metrics: readonly PlannedMetric[];
  /** New units a day at full coverage. */
  readonly unitsPerDay: number;
  readonly requestsPerUnit: number;
  /** Absent where nothing shows it: metrics then count as independent of one another. */
  readonly correlation?: Correlation;
  /** What nobody said and was therefore assumed, in sentences. */
  readonly assumed: readonly string[];
}

/** What a pilot or a past experiment has shown of one metric. */
export interface MeasuredLevel {
  readonly level: number;
  readonly form: PlannedMetric['form'];
  /** As in `PlannedMetric`; absent where the pilot could not tell. */
  readonly noise?: number;
}

/** What is known beforehand; each overrides what stands in the file's plan, and what is given by number what was measured. */
export interface Expectations {
  /** Level of the control, by metric. */
  readonly control?: Levels;
  /** Candidate - control, by metric. */
  readonly difference?: Levels;
  /** Standard deviation from unit to unit, by metric. */
  readonly sd?: Levels;
  readonly unitsPerDay?: number;
  readonly pilot?: { readonly [metric: string]: MeasuredLevel };
  readonly correlation?: Correlation;
}

/** How the estimates of two metrics of one variant move together, -1..1, by their names; what is absent is 0. */
export type Correlation = { readonly [metric: string]: { readonly [other: string]: number } };

/** The parts of a specification a planned run rests on. */
export type PlannedExperiment = Pick<
  Experiment,
  'decision' | 'value' | 'plan' | 'metrics' | 'control' | 'variants' | 'name' | 'namespace'
> &
  Partial<Pick<Experiment, 'ramp' | 'coverage'>>;

const assumedUnitsPerDay = 10_000;
/** z of the interval a quantile's summary carries. */
export const quantileZ = 1.959963984540054;

/** The world of an experiment's plan; what is not known is assumed and said. */
export function plannedWorld(experiment: PlannedExperiment, expectations: Expectations = {}): PlannedWorld {
  const { plan, control } = experiment;
  const assumed: string[] = [];
  const taking = experiment.variants.filter(({ weight, name }) => weight > 0 || name === control);
  const weights = taking.reduce((sum, { weight }) => sum + weight, 0);
  const requestsPerUnit = plan.requestsPerUnit ?? 1;
  const planned = plan.requestsPerDay === undefined ? undefined : plan.requestsPerDay / requestsPerUnit;
  const unitsPerDay = expectations.unitsPerDay ?? planned ?? assumedUnitsPerDay;
  if (expectations.unitsPerDay === undefined && planned === undefined) {
    assumed.push(`traffic of ${assumedUnitsPerDay.toLocaleString('en-US')} units a day`);
  }
  const rates = zeroOneMetrics(experiment.metrics);
  const measured = expectations.pilot ?? {};
  return {
    control,
    candidates: taking.flatMap(({ name }) => (name === control ? [] : [name])),
    shares: Object.fromEntries(taking.map(({ name, weight }) => [name, weight / weights])),
    metrics: experiment.metrics.map((metric) =>
      plannedMetric(metric, {
        isRate: rates.has(metric.name) || ['proportion', 'retention', 'hit_rate'].includes(metric.definition.kind),
        expected: {
          ...(measured[metric.name] === undefined
            ? experiment.plan.expected?.[metric.name]
            : pick('difference', experiment.plan.expected?.[metric.name]?.difference)),
          ...pick('control', expectations.control?.[metric.name]),
          ...pick('difference', expectations.difference?.[metric.name]),
          ...pick('sd', expectations.sd?.[metric.name]),
        },
        pilot: measured[metric.name],
        assumed,
      }),
    ),
    unitsPerDay,
    requestsPerUnit,
    ...pick('correlation', expectations.correlation),
    assumed,
  };
}

function pick<K extends string, V>(key: K, value: V | undefined): { readonly [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [key in K]?: V });
}

function plannedMetric(
  { name, definition }: Metric,
  known: {
    readonly isRate: boolean;
    readonly expected: { readonly control?: number; readonly difference?: number; readonly sd?: number };
    readonly pilot: MeasuredLevel | undefined;
    readonly assumed: string[];
  },
): PlannedMetric {
  const { expected, pilot, assumed } = known;
  const form =
    // A rate that never moved in the pilot showed no noise; that of a rate follows from its level.
    (known.isRate && pilot?.form === 'mean' && pilot.noise === undefined ? 'rate' : pilot?.form) ??
    (definition.kind === 'quantile'
      ? 'quantile'
      : definition.kind === 'rmse'
        ? 'root'
        : known.isRate
          ? 'rate'
          : 'mean');
  const isTime = 'expression' in definition && /_ms\b/.test(definition.expression);
  const isHarm = 'expression' in definition && /^(caller_)?failed$|^fallback$/.test(definition.expression.trim());
  const usual = form === 'rate' ? (isHarm ? 0.01 : 0.5) : isTime ? (form === 'quantile' ? 100 : 50) : 1;
  const control = expected.control ?? pilot?.level ?? usual;
  const origin = expected.control !== undefined ? 'given' : pilot !== undefined ? 'pilot' : 'assumed';
  if (origin === 'assumed') assumed.push(`${name} of ${usual} under the control`);
  const q = definition.kind === 'quantile' ? definition.q : undefined;
  // Half the level is what times and amounts often vary by; the square of a near-normal error varies by twice its mean.
  const usualNoise =
    form === 'rate'
      ? 0
      : form === 'root'
        ? control ** 2 / 2
        : form === 'quantile'
          ? quantileNoiseOf(q ?? 0.5, Math.abs(control) / 2 || 1)
          : (control / 2) ** 2 || 1;
  const given =
    expected.sd === undefined
      ? undefined
      : form === 'quantile'
        ? quantileNoiseOf(q ?? 0.5, expected.sd)
        : expected.sd ** 2;
  const noise = given ?? pilot?.noise ?? usualNoise;
  const isNoiseKnown = form === 'rate' || given !== undefined || pilot?.noise !== undefined;
  if (!isNoiseKnown) assumed.push(`a standard deviation of half its level for ${name}`);
  const level = control + (expected.difference ?? 0);
  const possible = known.isRate || form === 'rate' ? Math.min(1, Math.max(0, level)) : level;
  if (possible !== level)
    assumed.push(`${name} of ${possible} under the candidate, as no rate is ${numberText(level)}`);
  return {
    name,
    form,
    control,
    difference: possible === level ? (expected.difference ?? 0) : possible - control,
    noise,
    ...(q === undefined ? {} : { q }),
    origin,
    isNoiseKnown,
  };
}

/** Noise of a sample quantile of near-normal values: q (1 - q) / density^2. @see Stuart & Ord 1994, section 10.10 */
function quantileNoiseOf(q: number, sd: number): number {
  const density = normal.pdf(normal.quantile(q)) / sd;
  return (q * (1 - q)) / density ** 2;
}

/** True levels of the control, and of candidates for which the plan comes true. */
export function plannedLevels(world: PlannedWorld): { readonly control: Levels; readonly candidate: Levels } {
  return {
    control: Object.fromEntries(world.metrics.map(({ name, control }) => [name, control])),
    candidate: Object.fromEntries(
      world.metrics.map(({ name, control, difference }) => [name, control + difference] as const),
    ),
  };
}

/** The summary of a variant with this many units whose every number is the expected one. */
export function expectedVariant(world: PlannedWorld, name: string, at: { n: number; levels: Levels }): VariantSummary {
  const metrics = world.metrics.map((metric) => {
    const level = at.levels[metric.name] ?? metric.control;
    return [metric.name, metricSummary(metric, { n: at.n, estimate: level, noise: noiseAt(metric, level) })] as const;
  });
  return {
    ...variantSummary(name, { units: at.n, requestsPerUnit: world.requestsPerUnit, metrics }),
    joint: expectedJoint(world, at),
  };
}

/** Moments with the world's correlation between metrics whose estimates are means; null where it knows none. */
function expectedJoint(
  world: PlannedWorld,
  at: { readonly n: number; readonly levels: Levels },
): VariantSummary['joint'] {
  const { correlation } = world;
  if (correlation === undefined) return null;
  const metrics = world.metrics.filter(
    ({ name, form }) => correlation[name] !== undefined && (form === 'rate' || form === 'mean'),
  );
  const levels = metrics.map(({ name, control }) => at.levels[name] ?? control);
  const deviations = metrics.map((metric, i) => Math.sqrt(noiseAt(metric, levels[i]!) * (at.n - 1)));
  const together = (i: number, j: number): number =>
    deviations[i]! * deviations[j]! * (i === j ? 1 : (correlation[metrics[i]!.name]?.[metrics[j]!.name] ?? 0));
  // Columns are numerator and denominator in turn; every unit has one row.
  const columns = metrics.flatMap(({ name }) => [`${name}:numerator`, `${name}:denominator`]);
  const isNumerator = (column: number): boolean => column % 2 === 0;
  return {
    columns,
    moments: {
      n: at.n,
      mean: columns.map((_, column) => (isNumerator(column) ? levels[column / 2]! : 1)),
      m2: columns.map((_, row) =>
        columns.map((__, column) => (isNumerator(row) && isNumerator(column) ? together(row / 2, column / 2) : 0)),
      ),
    },
  };
}

/** Variance of the estimate times units, at this level. */
export function noiseAt({ form, noise }: PlannedMetric, level: number): number {
  return form === 'rate' ? level * (1 - level) : noise;
}

/** The summary of a metric with this estimate, of which `noise` is the variance times `n`. */
export function metricSummary(
  { form, q = 0.5 }: PlannedMetric,
  { n, estimate, noise }: { readonly n: number; readonly estimate: number; readonly noise: number },
): MetricSummary {
  switch (form) {
    case 'rate':
      return { kind: 'proportion', n, successes: estimate * n };
    case 'mean':
      return { kind: 'mean', n, mean: estimate, m2: noise * (n - 1) };
    case 'root': {
      // The estimate is the root; its noise by the delta method is that of the square over 4 estimate^2.
      const square = estimate ** 2;
      const m2 = 4 * square * noise * (n - 1);
      return {
        kind: 'root',
        n,
        rows: n,
        moments: {
          n,
          mean: [square, 1],
          m2: [
            [m2, 0],
            [0, 0],
          ],
        },
      };
    }
    case 'quantile': {
      const half = quantileZ * Math.sqrt(noise / n);
      const indicator = {
        n,
        mean: [q, 1],
        m2: [
          [q * (1 - q) * (n - 1), 0],
          [0, 0],
        ],
      };
      return { kind: 'quantile', n, rows: n, q, estimate, lower: estimate - half, upper: estimate + half, indicator };
    }
  }
}

/** A variant of a run in which every request was answered by the variant it was meant for. */
export function variantSummary(
  variant: string,
  {
    units,
    requestsPerUnit,
    metrics,
  }: {
    readonly units: number;
    readonly requestsPerUnit: number;
    readonly metrics: readonly (readonly [string, MetricSummary])[];
  },
): VariantSummary {
  const unmeasured = { kind: 'insufficient', reason: 'a planned run has no request times' } as const;
  return {
    variant,
    units,
    requests: Math.round(units * requestsPerUnit),
    failed: 0,
    callerFailed: 0,
    fallback: 0,
    attemptMs: unmeasured,
    callerMs: unmeasured,
    metrics: Object.fromEntries(metrics),
    waiting: {},
    joint: null,
  };
}
