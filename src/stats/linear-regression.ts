// How does a response depend on several columns at once, with errors that hold when rows vary unevenly or belong together?
import { bounded, type Insufficient, type Interval, insufficient, type TestOptions } from './interval.ts';
import {
  type Correction,
  type LinearModel,
  type Orthogonal,
  orthogonalise,
  type RobustErrors,
  robustErrors,
} from './least-squares.ts';
import { refuse, requireAlpha } from './precondition.ts';
import { studentT } from './student-t.ts';

/** What is assumed of the errors of rows. */
export type ErrorModel =
  /** Independent, of one variance: the textbook formula, n - p degrees of freedom. */
  | { readonly kind: 'equal' }
  /** Independent, each of its own variance: HC2 with Bell and McCaffrey's degrees of freedom. */
  | { readonly kind: 'uneven' }
  /** Dependent within a cluster; `CR2` (default) has its own degrees of freedom, `CR0` clusters - 1 and is too small below some 50. */
  | { readonly kind: 'clustered'; readonly clusters: readonly (number | string)[]; readonly correction?: Correction };

/** One coefficient of a fit. */
export interface Coefficient {
  readonly estimate: number;
  readonly standardError: number;
  readonly statistic: number;
  readonly df: number;
  /** Two-sided, of the coefficient being 0; below alpha exactly when `interval` leaves 0 out. */
  readonly pValue: number;
  readonly interval: Interval;
}

/** A fitted linear model. */
export interface Regression {
  readonly kind: 'fitted';
  readonly method: string;
  readonly n: number;
  /** One per column. */
  readonly coefficients: readonly Coefficient[];
  /** Covariance matrix of the estimates. */
  readonly covariance: readonly (readonly number[])[];
}

/** Level, and what is assumed of the errors. */
export interface RegressionOptions extends TestOptions {
  /** Default `uneven`. */
  readonly errors?: ErrorModel;
}

/**
 * Ordinary least squares with the standard errors asked for. Cost: rows x columns^2; clustered errors take no more.
 * Valid with many rows (clusters) or near-normal errors; HC2 and CR2 hold their level down to some 10 clusters a side.
 * Insufficient with no more rows than columns, a column that is a combination of the ones before, fewer than two
 * clusters, a coefficient that one row or cluster decides alone, or a fit without any error.
 * @throws RangeError when alpha is outside (0, 1), lengths differ, there are no rows, or a number is not finite.
 * @see MacKinnon & White 1985, Journal of Econometrics 29 (HC2); Liang & Zeger 1986, Biometrika 73 (CR0); Bell &
 * McCaffrey 2002, Survey Methodology 28(2) (CR2 and degrees of freedom)
 */
export function linearRegression(model: LinearModel, options: RegressionOptions): Regression | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const errors = options.errors ?? { kind: 'uneven' };
  const fit = orthogonalise(model);
  const n = model.rows.length;
  if ('dependent' in fit) {
    if (n <= model.rows[0]!.length) return insufficient(`there are ${n} rows, too few for the columns`);
    return insufficient(`column ${fit.dependent + 1} is 0 or a combination of the ones before it`);
  }
  const spare = n - fit.coefficients.length;
  if (spare === 0) return insufficient(`there are ${n} rows, too few for the columns`);
  const size = model.response.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (fit.residuals.every((residual) => Math.abs(residual) <= 1e-12 * size)) {
    return insufficient('the columns explain every response, so no noise is left');
  }
  const robust = errorsOf(fit, errors, n);
  if ('reason' in robust) return robust;
  const coefficients: Coefficient[] = [];
  for (const [i, estimate] of fit.coefficients.entries()) {
    const standardError = Math.sqrt(Math.max(0, robust.covariance[i]![i]!));
    const df = robust.df[i]!;
    if (!(standardError > 0 && df > 0)) {
      return insufficient(
        `one row or cluster alone decides the coefficient of column ${i + 1}, so its noise cannot be estimated`,
      );
    }
    const t = studentT(df);
    const margin = t.isf(alpha / 2) * standardError;
    const statistic = estimate / standardError;
    coefficients.push({
      estimate,
      standardError,
      statistic,
      df,
      pValue: Math.min(1, 2 * t.sf(Math.abs(statistic))),
      interval: bounded(estimate - margin, estimate + margin),
    });
  }
  return { kind: 'fitted', method: methodOf(errors), n, coefficients, covariance: robust.covariance };
}

function errorsOf(fit: Orthogonal, errors: ErrorModel, n: number): RobustErrors | Insufficient {
  switch (errors.kind) {
    case 'equal': {
      const spare = n - fit.coefficients.length;
      const variance = fit.residuals.reduce((sum, residual) => sum + residual * residual, 0) / spare;
      return {
        covariance: fit.inverse.map((left) =>
          fit.inverse.map((right) => variance * left.reduce((sum, value, k) => sum + value * right[k]!, 0)),
        ),
        df: fit.coefficients.map(() => spare),
      };
    }
    case 'uneven':
      return robustErrors(
        fit,
        fit.residuals.map((_, i) => i),
        'CR2',
      );
    case 'clustered': {
      const { clusters } = errors;
      if (clusters.length !== n) refuse('clusters.length', clusters.length, `${n} as in rows`);
      const count = new Set(clusters).size;
      if (count < 2) return insufficient('all rows belong to one cluster, so its noise cannot be estimated');
      return robustErrors(fit, clusters, errors.correction ?? 'CR2');
    }
  }
}

function methodOf(errors: ErrorModel): string {
  switch (errors.kind) {
    case 'equal':
      return 'least squares';
    case 'uneven':
      return 'least squares, HC2';
    case 'clustered':
      return `least squares, clustered errors (${errors.correction ?? 'CR2'})`;
  }
}
