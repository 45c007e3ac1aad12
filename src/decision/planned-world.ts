// What would the numbers look like if the plan came true? Levels and noise of every metric, as summaries expected or drawn by chance.
import type { EvidenceHealth, ExperimentSummary, MetricSummary, VariantSummary } from '../evidence/index.ts';
import type { Experiment, Metric } from '../experiment/index.ts';
import { normal, type Random } from '../stats/index.ts';
import { zeroOneMetrics } from './constant-rate.ts';

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

/** What is known beforehand; each overrides what stands in the file's plan. */
export interface Expectations {
  /** Level of the control, by metric. */
  readonly control?: Levels;
  /** Candidate - control, by metric. */
  readonly difference?: Levels;
  /** Standard deviation from unit to unit, by metric. */
  readonly sd?: Levels;
  readonly unitsPerDay?: number;
  readonly pilot?: { readonly [metric: string]: MeasuredLevel };
}

/** The parts of a specification a planned run rests on. */
export type PlannedExperiment = Pick<
  Experiment,
  'decision' | 'value' | 'plan' | 'metrics' | 'control' | 'variants' | 'name' | 'namespace'
> &
  Partial<Pick<Experiment, 'ramp' | 'coverage'>>;

const assumedUnitsPerDay = 10_000;
/** z of the interval a quantile's summary carries. */
const quantileZ = 1.959963984540054;

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
  return {
    control,
    candidates: taking.flatMap(({ name }) => (name === control ? [] : [name])),
    shares: Object.fromEntries(taking.map(({ name, weight }) => [name, weight / weights])),
    metrics: experiment.metrics.map((metric) =>
      plannedMetric(metric, {
        isRate: rates.has(metric.name) || ['proportion', 'retention', 'hit_rate'].includes(metric.definition.kind),
        expected: {
          ...experiment.plan.expected?.[metric.name],
          ...pick('control', expectations.control?.[metric.name]),
          ...pick('difference', expectations.difference?.[metric.name]),
          ...pick('sd', expectations.sd?.[metric.name]),
        },
        pilot: expectations.pilot?.[metric.name],
        assumed,
      }),
    ),
    unitsPerDay,
    requestsPerUnit,
    assumed,
  };
}

function pick<K extends string>(key: K, value: number | undefined): { readonly [key in K]?: number } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [key in K]?: number });
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
    pilot?.form ??
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
  return {
    name,
    form,
    control,
    difference: expected.difference ?? 0,
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
  return variantSummary(name, { units: at.n, requestsPerUnit: world.requestsPerUnit, metrics });
}

/** Variance of the estimate times units, at this level. */
function noiseAt({ form, noise }: PlannedMetric, level: number): number {
  return form === 'rate' ? level * (1 - level) : noise;
}

function metricSummary(
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

function variantSummary(
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

/** A run by chance: batches come in, and the summary so far can be read after each. */
export interface DrawnRun {
  /** Lets this many units in. */
  add(units: number): void;
  /** Everything so far. @param toMs time since the start, milliseconds */
  summary(toMs: number): ExperimentSummary;
}

/** A metric's running sums in one variant. */
interface Sums {
  n: number;
  /** Of a rate: successes; else sum of estimates weighed by units. */
  sum: number;
  m2: number;
}

/**
 * Starts a run in which variants have these true levels. Rates are drawn as counts; all else as batch sums, near normal as
 * sums of many units are.
 */
export function drawRun(
  world: PlannedWorld,
  random: Random,
  levels: { readonly control: Levels; readonly candidate: Levels },
): DrawnRun {
  const names = [world.control, ...world.candidates];
  const units = names.map(() => 0);
  const sums = names.map(() => world.metrics.map((): Sums => ({ n: 0, sum: 0, m2: 0 })));
  const truth = (variant: number, { name, control }: PlannedMetric): number =>
    (variant === 0 ? levels.control : levels.candidate)[name] ?? control;
  const addTo = (variant: number, count: number): void => {
    units[variant]! += count;
    world.metrics.forEach((metric, i) => {
      const own = sums[variant]![i]!;
      const level = truth(variant, metric);
      const noise = noiseAt(metric, level);
      if (metric.form === 'rate') {
        own.sum += drawCount(random, count, level);
        own.n += count;
        return;
      }
      const mean = level + Math.sqrt(noise / count) * random.normal();
      const within = noise * Math.max(0, count - 1 + Math.sqrt(2 * (count - 1)) * random.normal());
      const before = own.n === 0 ? mean : own.sum / own.n;
      own.m2 += within + ((before - mean) ** 2 * own.n * count) / (own.n + count);
      own.n += count;
      own.sum += mean * count;
    });
  };
  return {
    add: (count) => {
      let left = count;
      let rest = 1;
      names.forEach((name, variant) => {
        const share = world.shares[name] ?? 0;
        const own = variant === names.length - 1 ? left : drawCount(random, left, Math.min(1, share / rest));
        left -= own;
        rest -= share;
        if (own > 0) addTo(variant, own);
      });
    },
    summary: (toMs) => ({
      format: 'assay-summary',
      version: 1,
      namespace: 'default',
      experiment: 'planned',
      control: world.control,
      unit: 'unit',
      fromMs: 0,
      toMs,
      variants: names.map((name, variant) =>
        variantSummary(name, {
          units: units[variant]!,
          requestsPerUnit: world.requestsPerUnit,
          metrics: world.metrics.map((metric, i) => {
            const { n, sum, m2 } = sums[variant]![i]!;
            if (n < 2) return [metric.name, { kind: 'insufficient', reason: 'no units yet' } as const];
            return [metric.name, metricSummary(metric, { n, estimate: sum / n, noise: m2 / (n - 1) })];
          }),
        }),
      ),
      segments: [],
      epochs: [
        { epoch: 1, shares: world.shares, units: Object.fromEntries(names.map((name, i) => [name, units[i]!])) },
      ],
      health: cleanHealth,
    }),
  };
}

/** A log in which everything went well: what is simulated is the rule, not the plumbing. */
const cleanHealth: EvidenceHealth = {
  predictions: 0,
  byReason: {},
  unitsInSeveralVariants: 0,
  outcomes: { received: 0, duplicates: 0, joined: 0, orphans: 0, late: 0 },
  uncleanShutdowns: 0,
};

/** Up to this many expected events are drawn one by one. */
const fewEvents = 30;

/**
 * A binomial count: exact, by the gaps between events, where few are expected; else a rounded normal with the skewness
 * put right.
 * @see Devroye 1986, chapter X.4 (waiting times); Cornish & Fisher 1938
 */
function drawCount(random: Random, n: number, chance: number): number {
  if (!(chance > 0) || n === 0) return 0;
  if (chance >= 1) return n;
  if (chance > 0.5) return n - drawCount(random, n, 1 - chance);
  const mean = n * chance;
  if (mean < fewEvents) {
    const perGap = Math.log1p(-chance);
    let count = 0;
    let place = 0;
    for (;;) {
      place += Math.floor(Math.log(1 - random.uniform()) / perGap) + 1;
      if (place > n) return count;
      count += 1;
    }
  }
  const z = random.normal();
  const sd = Math.sqrt(mean * (1 - chance));
  const drawn = mean + sd * z + ((1 - 2 * chance) / 6) * (z * z - 1);
  return Math.min(n, Math.max(0, Math.round(drawn)));
}
