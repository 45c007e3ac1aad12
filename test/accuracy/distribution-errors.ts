// How far are the distributions from high-precision arithmetic, function by function and region by region?
import {
  beta,
  binomial,
  chiSquared,
  type Distribution,
  fisherF,
  gamma,
  normal,
  poisson,
  studentT,
} from '../../src/stats/index.ts';

/** A function of a distribution at one argument, and its value as a decimal string. */
export interface Reference {
  readonly distribution: string;
  readonly parameters: readonly number[];
  readonly fn: keyof Distribution;
  readonly argument: number;
  readonly value: string;
  /** The (tail) probability the point belongs to, which names its region; deep ones come as their logarithm. */
  readonly logProbability: number;
}

/** Errors of one function of one distribution in one region. */
export interface ErrorRow {
  readonly distribution: string;
  readonly fn: string;
  readonly region: string;
  readonly points: number;
  /** Relative errors; of the logarithm itself for `logSf`. */
  readonly median: number;
  readonly largest: number;
  /** Where the largest is, for whoever wants to improve it. */
  readonly worst: string;
}

/** Regions by the probability of the point: the middle, and three depths of tail. */
export const regions: readonly { readonly name: string; readonly least: number }[] = [
  { name: 'middle (to 1e-12)', least: Math.log(1e-12) },
  { name: 'far (to 1e-100)', least: Math.log(1e-100) },
  { name: 'very far (to 1e-300)', least: Math.log(1e-300) },
  { name: 'below every double', least: Number.NEGATIVE_INFINITY },
];

const makers: Readonly<Record<string, (p: readonly number[]) => Distribution>> = {
  normal: () => normal,
  studentT: (p) => studentT(p[0]!),
  chiSquared: (p) => chiSquared(p[0]!),
  gamma: (p) => gamma(p[0]!),
  beta: (p) => beta(p[0]!, p[1]!),
  fisherF: (p) => fisherF(p[0]!, p[1]!),
  binomial: (p) => binomial(p[0]!, p[1]!),
  poisson: (p) => poisson(p[0]!),
};
const functions: readonly (keyof Distribution)[] = ['pdf', 'cdf', 'sf', 'logSf', 'quantile', 'isf'];

/** Errors in the order of distributions, functions and regions; rows without points are left out. */
export function errorRows(references: readonly Reference[]): readonly ErrorRow[] {
  return Object.keys(makers).flatMap((distribution) =>
    functions.flatMap((fn) =>
      regions.flatMap((region, i) => {
        const highest = regions[i - 1]?.least ?? Number.POSITIVE_INFINITY;
        const here = references.filter(
          (each) =>
            each.distribution === distribution &&
            each.fn === fn &&
            each.logProbability >= region.least &&
            each.logProbability < highest,
        );
        return here.length === 0 ? [] : [errorRow(here, region.name)];
      }),
    ),
  );
}

function errorRow(references: readonly Reference[], region: string): ErrorRow {
  const errors = references
    .map((reference) => ({ reference, error: errorOf(reference) }))
    .sort((a, b) => a.error - b.error);
  const worst = errors.at(-1)!;
  return {
    distribution: worst.reference.distribution,
    fn: worst.reference.fn,
    region,
    points: errors.length,
    median: errors[Math.floor((errors.length - 1) / 2)]!.error,
    largest: worst.error,
    worst: `${worst.reference.fn}(${worst.reference.argument}) at (${worst.reference.parameters.join(', ')})`,
  };
}

function errorOf({ distribution, parameters, fn, argument, value }: Reference): number {
  const got = makers[distribution]!(parameters)[fn](argument);
  const want = Number(value);
  return want === 0 ? Math.abs(got) : Math.abs(got - want) / Math.abs(want);
}

/** [distribution, parameters, x, cdf, sf] */
export type TailRow = readonly [string, readonly number[], number, string, string];
/** [distribution, parameters, q, isf] */
export type InverseRow = readonly [string, readonly number[], number, string];
/** [distribution, parameters, function, argument, value] */
export type FunctionRow = readonly [string, readonly number[], string, number, string];

/** References from the three kinds of rows the fixtures hold. */
export function referencesOf(rows: {
  readonly tails: readonly TailRow[];
  readonly inverse: readonly InverseRow[];
  readonly functions: readonly FunctionRow[];
}): readonly Reference[] {
  const density = new Map(rows.tails.map((row) => [key(row[0], row[1], row[2]), row]));
  return [
    ...rows.tails.flatMap((row) => tailReferences(row)),
    ...rows.inverse.map(
      ([distribution, parameters, argument, value]): Reference => ({
        distribution,
        parameters,
        fn: 'isf',
        argument,
        value,
        logProbability: Math.log(argument),
      }),
    ),
    ...rows.functions.map(([distribution, parameters, fn, argument, value]): Reference => {
      const tail = density.get(key(distribution, parameters, argument));
      const smaller = tail === undefined ? 1 : Math.min(Number(tail[3]), Number(tail[4]));
      const logs = { pdf: Math.log(smaller), logSf: Number(value) };
      return {
        distribution,
        parameters,
        fn: fn as keyof Distribution,
        argument,
        value,
        logProbability: fn === 'pdf' || fn === 'logSf' ? logs[fn] : Math.log(argument),
      };
    }),
  ];
}

const key = (distribution: string, parameters: readonly number[], x: number): string =>
  `${distribution} ${parameters.join()} ${x}`;

function tailReferences([distribution, parameters, argument, cdf, sf]: TailRow): readonly Reference[] {
  const point = { distribution, parameters, argument };
  // ln(1 - P) keeps its digits where the survival value is nearly 1 and its string has no more than 22.
  const logSf = Number(sf) > 0.5 ? Math.log1p(-Number(cdf)) : Math.log(Number(sf));
  return [
    { ...point, fn: 'cdf', value: cdf, logProbability: Math.log(Number(cdf)) },
    { ...point, fn: 'sf', value: sf, logProbability: Math.log(Number(sf)) },
    { ...point, fn: 'logSf', value: String(logSf), logProbability: Math.log(Number(sf)) },
  ];
}
