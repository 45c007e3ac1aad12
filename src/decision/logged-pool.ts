// How would logged units look if other levels were true? A pool of what one unit may bring, and the moments of units drawn from it.
import type { LoggedMetric, LoggedUnits, MetricSummary, VariantSummary } from '../evidence/index.ts';
import type { JointMoments } from '../stats/index.ts';
import { type Levels, quantileZ } from './planned-world.ts';

/** What one unit may bring, with the chance of each; several entries where a logged 0 may stand for a 1. */
export interface Pool {
  /** Place of the logged unit, by entry. */
  readonly units: Int32Array;
  /** By entry; sum to 1. */
  readonly chances: Float64Array;
  /** `width` numbers an entry. */
  readonly values: Float64Array;
  readonly layout: Layout;
  /** What is added to the values of a quantile, by metric. */
  readonly shifts: ReadonlyMap<string, number>;
}

/** Column of each number; column 0 is 1 throughout and stands in for whatever is. */
interface Layout {
  readonly width: number;
  readonly metrics: readonly MetricColumns[];
}

interface MetricColumns {
  readonly metric: LoggedMetric;
  readonly numerator: number;
  readonly denominator: number;
  readonly present: number;
  readonly covariate: number | undefined;
}

/** Value of a metric over all logged units; undefined where none has one. */
export function levelOf(metric: LoggedMetric): number | undefined {
  const { ranked, kind } = metric;
  if (ranked !== undefined) return ranked.values[rankAt(ranked.q, ranked.values.length) - 1];
  const denominator = sum(metric.denominators);
  if (denominator === 0) return undefined;
  const ratio = sum(metric.numerators) / denominator;
  return kind === 'root' ? Math.sqrt(ratio) : ratio;
}

/** Why this metric cannot stand at this level; undefined where it can. */
export function whyUnreachable(metric: LoggedMetric, level: number): string | undefined {
  const now = levelOf(metric);
  if (now === undefined) return `no logged unit has a value of ${metric.name}`;
  if (metric.isZeroOne && !(level >= 0 && level <= 1)) return `${metric.name} cannot stand at ${level}`;
  const isBlank = now === 0 && level !== 0;
  return metric.kind === 'root' && isBlank ? `every logged ${metric.name} is 0` : undefined;
}

/**
 * The logged units with each metric moved to its level, all else as it was. Amounts and times: the shift is added to every
 * value. Rates: a share of units, chosen by chance, has all its 0 turned to 1, or its 1 to 0. Roots: errors grow in
 * proportion.
 */
export function poolAt(metrics: readonly LoggedMetric[], { size, levels }: { size: number; levels: Levels }): Pool {
  const layout = layoutOf(metrics);
  const turned: { readonly columns: MetricColumns; readonly up: boolean; readonly share: number }[] = [];
  const shifts = new Map<string, number>();
  let entries = {
    units: Int32Array.from({ length: size }, (_, i) => i),
    chances: new Float64Array(size).fill(1 / size),
  };
  let values = new Float64Array(size * layout.width);
  for (let unit = 0; unit < size; unit += 1) values[unit * layout.width] = 1;
  for (const columns of layout.metrics) {
    const { metric } = columns;
    const now = levelOf(metric) ?? 0;
    const level = levels[metric.name] ?? now;
    const shift = metric.isZeroOne || metric.kind === 'root' ? 0 : level - now;
    const scale = metric.kind === 'root' && now > 0 ? (level / now) ** 2 : 1;
    if (metric.kind === 'quantile') shifts.set(metric.name, shift);
    for (let unit = 0; unit < size; unit += 1) {
      const at = unit * layout.width;
      const denominator = metric.denominators[unit] ?? 0;
      if (columns.numerator > 0)
        values[at + columns.numerator] = scale * (metric.numerators[unit] ?? 0) + shift * denominator;
      if (columns.denominator > 0) values[at + columns.denominator] = denominator;
      if (columns.present > 0) values[at + columns.present] = metric.present[unit] ?? 0;
      if (columns.covariate !== undefined) values[at + columns.covariate] = metric.covariates?.[unit] ?? 0;
    }
    const up = level > now;
    const share = up ? (level - now) / (1 - now) : (now - level) / now;
    if (metric.isZeroOne && level !== now) turned.push({ columns, up, share });
  }
  for (const { columns, up, share } of turned) {
    const more = turnUnits({ ...entries, values, width: layout.width }, { columns, up, share });
    entries = more;
    values = more.values;
  }
  return { ...entries, values, layout, shifts };
}

function layoutOf(metrics: readonly LoggedMetric[]): Layout {
  let width = 1;
  const own = (): number => {
    width += 1;
    return width - 1;
  };
  const columns = metrics.map((metric): MetricColumns => {
    const isOne = (values: Uint8Array | Float64Array): boolean => values.every((value) => value === 1);
    const isQuantile = metric.kind === 'quantile';
    return {
      metric,
      numerator: isQuantile ? 0 : own(),
      denominator: isQuantile || isOne(metric.denominators) ? 0 : own(),
      present: isQuantile || isOne(metric.present) ? 0 : own(),
      covariate: metric.covariates === undefined ? undefined : own(),
    };
  });
  return { width, metrics: columns };
}

interface Entries {
  readonly units: Int32Array<ArrayBuffer>;
  readonly chances: Float64Array<ArrayBuffer>;
  readonly values: Float64Array<ArrayBuffer>;
  readonly width: number;
}

/** Every entry that is not wholly 1 (0) becomes two: with this share of its chance it is, else it is as before. */
function turnUnits(
  { units, chances, values, width }: Entries,
  { columns, up, share }: { readonly columns: MetricColumns; readonly up: boolean; readonly share: number },
): Entries {
  const ends = Float64Array.from(units, (_, entry) => (up ? (values[entry * width + columns.denominator] ?? 0) : 0));
  const turns = [...units.keys()].filter((entry) => values[entry * width + columns.numerator] !== ends[entry]);
  // A unit without a value has nothing that could turn: its denominator and numerator are both 0.
  const grown = {
    units: new Int32Array(units.length + turns.length),
    chances: new Float64Array(units.length + turns.length),
    values: new Float64Array((units.length + turns.length) * width),
    width,
  };
  grown.units.set(units);
  grown.chances.set(chances);
  grown.values.set(values);
  turns.forEach((entry, i) => {
    const other = units.length + i;
    grown.units[other] = units[entry]!;
    grown.chances[other] = chances[entry]! * share;
    grown.chances[entry] = chances[entry]! * (1 - share);
    grown.values.copyWithin(other * width, entry * width, (entry + 1) * width);
    grown.values[other * width + columns.numerator] = ends[entry]!;
  });
  return grown;
}

/** Units drawn from a pool, as far as they have been counted. */
export interface PoolCounts {
  /** Counts `times` units of an entry. */
  add(entry: number, times: number): void;
  units(): number;
  /** What all of them add up to, by metric. */
  metrics(): VariantSummary['metrics'];
  joint(): VariantSummary['joint'];
}

/** Counts units of a pool and nothing so far. */
export function countPool({ units, values, layout, shifts }: Pool, size: number): PoolCounts {
  const { width } = layout;
  // Sums of products of columns i >= j, at i * width + j; column 0 holds counts and sums.
  const products = new Float64Array(width * width);
  const hasRanks = layout.metrics.some(({ metric }) => metric.ranked !== undefined);
  const times = new Float64Array(hasRanks ? size : 0);
  const sumOf = (i: number, j: number): number => products[Math.max(i, j) * width + Math.min(i, j)] ?? 0;
  const momentsOver = (columns: readonly number[], n: number): JointMoments => ({
    n,
    mean: columns.map((column) => sumOf(column, 0) / n),
    m2: columns.map((row) =>
      columns.map((column) => {
        const deviations = sumOf(row, column) - (sumOf(row, 0) * sumOf(column, 0)) / n;
        // Rounding may leave a tiny negative where nothing varies.
        return row === column ? Math.max(0, deviations) : deviations;
      }),
    ),
  });
  return {
    add(entry, count) {
      const at = entry * width;
      for (let i = 0; i < width; i += 1) {
        const weighed = count * values[at + i]!;
        if (weighed === 0) continue;
        for (let j = 0; j <= i; j += 1) products[i * width + j]! += weighed * values[at + j]!;
      }
      if (hasRanks) times[units[entry]!]! += count;
    },
    units: () => sumOf(0, 0),
    metrics: () =>
      Object.fromEntries(
        layout.metrics.map((columns) => [
          columns.metric.name,
          columns.metric.ranked === undefined
            ? metricOf(columns, { sumOf, momentsOver })
            : quantileOf(columns.metric, {
                ...columns.metric.ranked,
                times,
                shift: shifts.get(columns.metric.name) ?? 0,
              }),
        ]),
      ),
    joint() {
      const linear = layout.metrics.filter(({ metric: { kind } }) => kind !== 'root' && kind !== 'quantile');
      const names = linear.flatMap(({ metric: { name } }) => [`${name}:numerator`, `${name}:denominator`]);
      const columns = linear.flatMap(({ numerator, denominator }) => [numerator, denominator]);
      return linear.length === 0 ? null : { columns: names, moments: momentsOver(columns, sumOf(0, 0)) };
    },
  };
}

function metricOf(
  { metric: { name, kind }, numerator, denominator, present, covariate }: MetricColumns,
  {
    sumOf,
    momentsOver,
  }: {
    sumOf(i: number, j: number): number;
    momentsOver(columns: readonly number[], n: number): JointMoments;
  },
): MetricSummary {
  const n = sumOf(present, 0);
  if (n < 2) return { kind: 'insufficient', reason: `no unit has a value of ${name} yet` };
  if (kind === 'ratio' || kind === 'root') {
    const rows = sumOf(denominator, 0);
    const moments = momentsOver([numerator, denominator], n);
    if (kind === 'root') return { kind, n, rows, moments };
    return {
      ...{ kind, n, rows, moments },
      ...(covariate === undefined ? {} : { adjusted: momentsOver([numerator, denominator, covariate, present], n) }),
    };
  }
  if (kind === 'proportion' && covariate === undefined) return { kind, n, successes: sumOf(numerator, 0) };
  const { mean, m2 } = momentsOver([numerator], n);
  return {
    ...{ kind: 'mean', n, mean: mean[0] ?? 0, m2: m2[0]?.[0] ?? 0 },
    ...(covariate === undefined ? {} : { adjusted: momentsOver([numerator, covariate], n) }),
  };
}

/** As `MetricSummary` has it: order statistics of the rows, and what the cluster-robust interval needs. */
function quantileOf(
  { name, denominators }: LoggedMetric,
  {
    q,
    values,
    units,
    times,
    shift,
  }: NonNullable<LoggedMetric['ranked']> & { readonly times: Float64Array; readonly shift: number },
): MetricSummary {
  let rows = 0;
  let n = 0;
  times.forEach((count, unit) => {
    rows += count * (denominators[unit] ?? 0);
    if ((denominators[unit] ?? 0) > 0) n += count;
  });
  if (n < 2) return { kind: 'insufficient', reason: `no unit has a value of ${name} yet` };
  const reach = quantileZ * Math.sqrt((q * (1 - q)) / rows);
  const ranks = [q - reach, q, q + reach].map((share) => rankAt(share, rows));
  const found: number[] = [];
  let upTo = 0;
  for (let place = 0; place < values.length && found.length < ranks.length; place += 1) {
    upTo += times[units[place]!]!;
    while (found.length < ranks.length && upTo >= ranks[found.length]!) found.push(values[place]!);
  }
  const [lower = 0, estimate = 0, upper = 0] = found;
  const below = new Float64Array(times.length);
  for (let place = 0; place < values.length && values[place]! <= estimate; place += 1) below[units[place]!]! += 1;
  const sums = { b: 0, bb: 0, br: 0, rr: 0 };
  times.forEach((count, unit) => {
    const r = denominators[unit] ?? 0;
    const b = below[unit] ?? 0;
    sums.b += count * b;
    sums.bb += count * b * b;
    sums.br += count * b * r;
    sums.rr += count * r * r;
  });
  const cross = sums.br - (sums.b * rows) / n;
  return {
    ...{ kind: 'quantile', n, rows, q },
    ...{ estimate: estimate + shift, lower: lower + shift, upper: upper + shift },
    indicator: {
      n,
      mean: [sums.b / n, rows / n],
      m2: [
        [sums.bb - sums.b ** 2 / n, cross],
        [cross, sums.rr - rows ** 2 / n],
      ],
    },
  };
}

/** A share of a count that is a whole number but for rounding is that number. */
const rankNoise = 1e-9;

function rankAt(share: number, count: number): number {
  return Math.max(1, Math.min(count, Math.ceil(share * count - rankNoise)));
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The metrics of the log that are named. */
export function metricsNamed({ metrics }: LoggedUnits, names: ReadonlySet<string>): readonly LoggedMetric[] {
  return metrics.filter(({ name }) => names.has(name));
}
