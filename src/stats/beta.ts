// The beta distribution, and Snedecor's F that is made from it.
import { type Distribution, fromLogTails, solveLogTail, type TailTarget } from './distribution.ts';
import { logBetaKernel } from './gamma-function.ts';
import { logBetaTails } from './incomplete-beta.ts';
import { requirePositive } from './precondition.ts';

/**
 * The beta distribution on [0, 1]; errors by region, a + b to 1e6, in docs/accuracy.md.
 * @throws RangeError unless a > 0 and b > 0
 * @see DiDonato & Morris 1992, ACM TOMS 18(3) (tails); Loader 2000 (density)
 */
export function beta(a: number, b: number): Distribution {
  requirePositive('a', a);
  requirePositive('b', b);
  return fromLogTails({
    ends: [0, 1],
    pdf: (x) => {
      if (x > 0 && x < 1) return Math.exp(logBetaKernel(a, b, x, 1 - x) - Math.log(x) - Math.log1p(-x));
      if (x !== 0 && x !== 1) return 0;
      const near = x === 0 ? a : b;
      return near > 1 ? 0 : near < 1 ? Infinity : x === 0 ? b : a;
    },
    tails: (x) => logBetaTails(a, b, x, 1 - x),
    solve: (target) => betaPoint(a, b, target).x,
  });
}

/** The F distribution, a beta distribution of the odds. @throws RangeError unless both degrees of freedom are > 0 */
export function fisherF(df1: number, df2: number): Distribution {
  requirePositive('df1', df1);
  requirePositive('df2', df2);
  const a = df1 / 2;
  const b = df2 / 2;
  return fromLogTails({
    ends: [0, Infinity],
    pdf: (f) => {
      if (!(f > 0) || f === Infinity) return 0;
      const sum = df1 * f + df2;
      return Math.exp(logBetaKernel(a, b, (df1 * f) / sum, df2 / sum)) / f;
    },
    tails: (f) => {
      if (!(f > 0)) return { below: -Infinity, above: 0 };
      if (f === Infinity) return { below: 0, above: -Infinity };
      const sum = df1 * f + df2;
      return logBetaTails(a, b, (df1 * f) / sum, df2 / sum);
    },
    solve: (target) => {
      const { x, y } = betaPoint(a, b, target);
      return (df2 * x) / (df1 * y);
    },
  });
}

/**
 * The point x (and y = 1 - x with its own digits) where one tail of beta(a, b) has this logarithm.
 * @param target the tail, and the odds x / y to begin at, default those of the mean
 */
export function betaPoint(
  a: number,
  b: number,
  target: TailTarget & { readonly startOdds?: number },
): { readonly x: number; readonly y: number } {
  const sign = target.side === 'below' ? 1 : -1;
  // The odds x / y range over all positive numbers, and both x and y come from them without loss.
  const at = (odds: number): { x: number; y: number } =>
    odds > 1 ? { x: 1 / (1 + 1 / odds), y: 1 / odds / (1 + 1 / odds) } : { x: odds / (1 + odds), y: 1 / (1 + odds) };
  const tail = {
    rising: target.side === 'below',
    value: (odds: number) => {
      const { x, y } = at(odds);
      return logBetaTails(a, b, x, y)[target.side];
    },
    slope: (odds: number, value: number) => {
      const { x, y } = at(odds);
      return sign * Math.exp(logBetaKernel(a, b, x, y) - value);
    },
  };
  return at(solveLogTail(tail, target.log, target.startOdds ?? a / b));
}
