// What is the difference of two variants when each has its own dependence on covariates, and errors may be clustered?
import { type Insufficient, insufficient, type TestOptions, type TestResult } from './interval.ts';
import { linearRegression } from './linear-regression.ts';
import { refuse, requireAlpha } from './precondition.ts';

/** The units of one variant. */
export interface CovariateRows {
  /** Rows [metric, covariate, covariate, ...]. */
  readonly rows: readonly (readonly number[])[];
  /** Which cluster each row belongs to; without, rows are independent. Keys of both variants are one set. */
  readonly clusters?: readonly (number | string)[];
}

/**
 * Lin's regression: metric on variant, centred covariates and their products, HC2 errors (CR2 where clusters are given).
 * Its difference is never less precise than the raw one with many units, whatever the true dependence. Assumes
 * covariates the variant cannot change; skewed values on a very uneven split make its interval too short.
 * Insufficient with an empty side, no more rows than columns, or a covariate that does not vary in a variant.
 * `compareAdjustedMeans` with slopes `per-variant` gives the same difference from mergeable summaries.
 * @throws RangeError when alpha is outside (0, 1), rows differ in length, one side alone has clusters, or a number is
 * not finite.
 * @see Lin 2013, Annals of Applied Statistics 7(1); HC2 as advised by Samii & Aronow 2012
 */
export function compareInteracted(
  control: CovariateRows,
  candidate: CovariateRows,
  options: TestOptions,
): TestResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const both = [control, candidate] as const;
  for (const [i, side] of both.entries()) {
    if (side.rows.length === 0) return insufficient(`${i === 0 ? 'control' : 'candidate'} has no units yet`);
  }
  const width = control.rows[0]!.length;
  if (width === 0) refuse('control.rows[0].length', 0, '>= 1');
  const rows = both.flatMap((side) => side.rows);
  for (const row of rows) if (row.length !== width) refuse('row length', row.length, `${width} as in the first row`);
  const centre = rows[0]!.map(
    (first, j) => first + rows.reduce((sum, row) => sum + (row[j]! - first), 0) / rows.length,
  );
  const design = both.flatMap((side, treated) =>
    side.rows.map((row) => {
      const shifted = row.slice(1).map((value, j) => value - centre[j + 1]!);
      return [1, treated, ...shifted, ...shifted.map((value) => value * treated)];
    }),
  );
  const clusters = clustersOf(control, candidate);
  const fit = linearRegression(
    { response: rows.map((row) => row[0]!), rows: design },
    { alpha, errors: clusters ? { kind: 'clustered', clusters } : { kind: 'uneven' } },
  );
  if (fit.kind === 'insufficient') return fit;
  const [level, effect] = [fit.coefficients[0]!, fit.coefficients[1]!];
  return {
    kind: 'tested',
    method: `Lin's interacted regression, ${clusters ? 'CR2' : 'HC2'}`,
    control: level.estimate,
    candidate: level.estimate + effect.estimate,
    difference: effect.estimate,
    standardError: effect.standardError,
    statistic: effect.statistic,
    df: effect.df,
    pValue: effect.pValue,
    interval: effect.interval,
  };
}

function clustersOf(control: CovariateRows, candidate: CovariateRows): readonly (number | string)[] | undefined {
  if (!control.clusters && !candidate.clusters) return undefined;
  for (const [name, side] of [
    ['control', control],
    ['candidate', candidate],
  ] as const) {
    const count = side.clusters?.length ?? 0;
    if (count !== side.rows.length) refuse(`${name}.clusters.length`, count, `${side.rows.length} as in rows`);
  }
  return [...control.clusters!, ...candidate.clusters!];
}
