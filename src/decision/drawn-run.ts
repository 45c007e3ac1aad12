// What would a run of the plan look like by chance? Batches of made-up traffic, and the summary after each.
import type { EvidenceHealth, ExperimentSummary, VariantSummary } from '../evidence/index.ts';
import type { Random } from '../stats/index.ts';
import {
  type Levels,
  metricSummary,
  noiseAt,
  type PlannedMetric,
  type PlannedWorld,
  variantSummary,
} from './planned-world.ts';

/** A run by chance: batches come in, and the summary so far can be read after each. */
export interface DrawnRun {
  /** Lets this many units in. */
  add(units: number): void;
  /** Everything so far. @param toMs time since the start, milliseconds */
  summary(toMs: number): ExperimentSummary;
}

/** True levels of the control and of every candidate. */
interface Truth {
  readonly control: Levels;
  readonly candidate: Levels;
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
export function drawRun(world: PlannedWorld, random: Random, levels: Truth): DrawnRun {
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
      splitUnits(world, random, count).forEach((own, variant) => {
        if (own > 0) addTo(variant, own);
      });
    },
    summary: (toMs) =>
      summaryOfRun(world, {
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
      }),
  };
}

/** Units by chance: the control's first, then each candidate's. */
export function splitUnits(world: PlannedWorld, random: Random, count: number): readonly number[] {
  const names = [world.control, ...world.candidates];
  let left = count;
  let rest = 1;
  return names.map((name, variant) => {
    const share = world.shares[name] ?? 0;
    const own = variant === names.length - 1 ? left : drawCount(random, left, Math.min(1, share / rest));
    left -= own;
    rest -= share;
    return own;
  });
}

/** The summary of a run under one allocation. */
export function summaryOfRun(
  world: PlannedWorld,
  { toMs, variants }: { readonly toMs: number; readonly variants: readonly VariantSummary[] },
): ExperimentSummary {
  return {
    format: 'assay-summary',
    version: 1,
    namespace: 'default',
    experiment: 'planned',
    control: world.control,
    unit: 'unit',
    fromMs: 0,
    toMs,
    variants,
    segments: [],
    epochs: [
      {
        epoch: 1,
        shares: world.shares,
        units: Object.fromEntries(variants.map(({ variant, units }) => [variant, units])),
      },
    ],
    health: cleanHealth,
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
export function drawCount(random: Random, n: number, chance: number): number {
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
