// The gamma and chi-squared distributions.
import { type Distribution, fromLogTails, solveLogTail, type TailTarget } from './distribution.ts';
import { logGamma, logGammaKernel } from './gamma-function.ts';
import { logGammaTails } from './incomplete-gamma.ts';
import { normal } from './normal.ts';
import { requirePositive } from './precondition.ts';

/**
 * The gamma distribution with this shape and scale 1; errors by region in docs/accuracy.md.
 * @throws RangeError unless shape > 0
 * @see DiDonato & Morris 1986, ACM TOMS 12(4) (tails); Loader 2000 (density)
 */
export function gamma(shape: number): Distribution {
  requirePositive('shape', shape);
  return fromLogTails({
    ends: [0, Infinity],
    pdf: (x) => {
      if (x > 0 && x < Infinity) return Math.exp(logGammaKernel(shape, x)) / x;
      return x === 0 && shape <= 1 ? (shape === 1 ? 1 : Infinity) : 0;
    },
    tails: (x) => logGammaTails(shape, x),
    solve: (target) => solve(shape, target),
  });
}

/** The chi-squared distribution, twice a gamma of shape df / 2. @throws RangeError unless df > 0 */
export function chiSquared(df: number): Distribution {
  requirePositive('df', df);
  const half = gamma(df / 2);
  return {
    pdf: (x) => half.pdf(x / 2) / 2,
    cdf: (x) => half.cdf(x / 2),
    sf: (x) => half.sf(x / 2),
    logSf: (x) => half.logSf(x / 2),
    quantile: (p) => 2 * half.quantile(p),
    isf: (q) => 2 * half.isf(q),
  };
}

function solve(shape: number, { side, log }: TailTarget): number {
  const sign = side === 'below' ? 1 : -1;
  const tail = {
    rising: side === 'below',
    value: (x: number) => logGammaTails(shape, x)[side],
    slope: (x: number, value: number) => sign * Math.exp(logGammaKernel(shape, x) - value),
  };
  return solveLogTail(tail, log, start(shape, { side, log }));
}

/** Wilson-Hilferty in the bulk, the leading power in the lower tail of small shapes. */
function start(shape: number, { side, log }: TailTarget): number {
  const z = normal.isf(Math.max(Math.exp(log), 1e-300));
  const root = 1 - 1 / (9 * shape) + (side === 'above' ? z : -z) / (3 * Math.sqrt(shape));
  if (root > 0.2) return shape * root ** 3;
  const power = Math.exp(((side === 'below' ? log : -Math.LN2) + logGamma(shape + 1)) / shape);
  return side === 'below' ? Math.max(power, 1e-307) : Math.max(-log, power);
}
