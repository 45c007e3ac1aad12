// Student's t distribution, from one degree of freedom to a hundred million.
import { betaPoint } from './beta.ts';
import { type Distribution, type LogTails, withChecks } from './distribution.ts';
import { logBetaKernel } from './gamma-function.ts';
import { logBetaTails } from './incomplete-beta.ts';
import { normal } from './normal.ts';
import { refuse, requirePositive } from './precondition.ts';

/** t with P(T > t) = q, two digits or more where t is not far beyond sqrt(df). @see Abramowitz & Stegun 26.7.5 */
function roughIsf(df: number, q: number): number {
  const z = normal.isf(q);
  const square = z * z;
  const first = (square + 1) / 4;
  const second = ((5 * square + 16) * square + 3) / 96;
  const third = (((3 * square + 19) * square + 17) * square - 15) / 384;
  return z * (1 + (first + (second + third / df) / df) / df);
}

/** What all tails of one t distribution share. */
interface Law {
  readonly df: number;
  /** df / 2. */
  readonly a: number;
  /** ln B(df / 2, 1 / 2). */
  readonly logBeta: number;
}

function lawOf(df: number): Law {
  const a = requirePositive('df', df) / 2;
  return { df, a, logBeta: -(a + 0.5) * Math.LN2 - logBetaKernel(a, 0.5, 0.5, 0.5) };
}

/** Tails of |T|. @see Abramowitz & Stegun 26.7.1 */
function folded({ df, a, logBeta }: Law, t: number): LogTails {
  const square = t * t;
  if (square === Infinity) {
    // I_x(a, 1/2) is x^a / (a B(a, 1/2)) there, and x = df / t^2 is too small to be written.
    return { below: 0, above: a * (Math.log(df) - 2 * Math.log(Math.abs(t))) - Math.log(a) - logBeta };
  }
  const sum = df + square;
  const tails = logBetaTails(a, 0.5, df / sum, square / sum);
  return { below: tails.above, above: tails.below };
}

function upper(law: Law, t: number): number {
  if (t < 0) return 1 - upper(law, -t);
  const { below, above } = folded(law, t);
  // Near the middle half of the complement keeps more digits than half of the tail.
  return above > -0.5 ? 0.5 - Math.exp(below) / 2 : Math.exp(above) / 2;
}

function inverse(law: Law, q: number): number {
  if (q === 0) return Infinity;
  if (q === 1) return -Infinity;
  if (q === 0.5) return 0;
  return q > 0.5 ? -positive(law, { q: 1 - q, inside: 2 * q - 1 }) : positive(law, { q, inside: 1 - 2 * q });
}

/** t > 0 with P(T > t) = q, where inside = 1 - 2q is given with its own digits. */
function positive({ df, a, logBeta }: Law, { q, inside }: { readonly q: number; readonly inside: number }): number {
  const logX = (Math.log(2 * q) + Math.log(a) + logBeta) / a;
  if (logX < -600) return Math.exp((Math.log(df) - logX) / 2);
  const point =
    inside < 0.5
      ? betaPoint(a, 0.5, { side: 'above', log: Math.log(inside) })
      : betaPoint(a, 0.5, { side: 'below', log: Math.log(2 * q), startOdds: df / roughIsf(df, q) ** 2 });
  return Math.sqrt(df) * Math.sqrt(point.y / point.x);
}

/** Student's t distribution; df need not be whole. @throws RangeError unless df > 0 */
export function studentT(df: number): Distribution {
  const law = lawOf(df);
  const { a } = law;
  const logPeak = logBetaKernel(a, 0.5, df / (df + 1), 1 / (df + 1)) + (a + 0.5) * Math.log1p(1 / df);
  return withChecks({
    pdf: (t) => Math.exp(logPeak - (a + 0.5) * Math.log1p((t * t) / df)),
    cdf: (t) => upper(law, -t),
    sf: (t) => upper(law, t),
    logSf: (t) => (t > 0 ? Math.log(0.5) + folded(law, t).above : Math.log(upper(law, t))),
    quantile: (p) => -inverse(law, p),
    isf: (q) => inverse(law, q),
  });
}

/** The t distribution's two upper tails a test takes, without the rest of the distribution. @throws RangeError unless df > 0 */
export function studentTails(df: number): Pick<Distribution, 'sf' | 'isf'> {
  const law = lawOf(df);
  return { sf: (t) => upper(law, Number.isNaN(t) ? refuse('x', t, 'a number') : t), isf: (q) => inverse(law, q) };
}
