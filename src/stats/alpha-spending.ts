// How much of the error may have been spent by the time this share of the information is in?
import { normal } from './normal.ts';
import { refuse, requireFinite, requirePositive } from './precondition.ts';

/** A rule by which an error probability is spent over the course of a test. */
export type Spending =
  /** Little early, most at the end, near O'Brien and Fleming's boundary. @see Lan & DeMets 1983, alpha1* */
  | { readonly kind: 'obrien-fleming-like' }
  /** Evenly, near Pocock's boundary. @see Lan & DeMets 1983, alpha2* */
  | { readonly kind: 'pocock-like' }
  /** error x share^rho, rho > 0. @see Kim & DeMets 1987, Biometrika 74 */
  | { readonly kind: 'power'; readonly rho: number }
  /** Earlier with larger gamma; 0 is in proportion, -4 near O'Brien-Fleming, 1 near Pocock. @see Hwang, Shih & De Cani 1990 */
  | { readonly kind: 'hwang-shih-decani'; readonly gamma: number };

/**
 * Error spent up to a share of the information; 0 at 0, all of it at 1, rising between. Valid for looks whose times do
 * not depend on the effect seen.
 * @param error whole error of one side, in (0, 1)
 * @param share in [0, 1]
 * @throws RangeError when error or share is out of range, rho is not > 0, or gamma is not finite.
 * @see Lan & DeMets 1983, Biometrika 70; Kim & DeMets 1987, Biometrika 74; Hwang, Shih & De Cani 1990
 */
export function spentBy(error: number, share: number, spending: Spending): number {
  if (!(error > 0 && error < 1)) refuse('error', error, 'in (0, 1)');
  if (!(share >= 0 && share <= 1)) refuse('share', share, 'in [0, 1]');
  if (share === 0) return 0;
  switch (spending.kind) {
    case 'obrien-fleming-like':
      return 2 * normal.sf(normal.isf(error / 2) / Math.sqrt(share));
    case 'pocock-like':
      return error * Math.log1p((Math.E - 1) * share);
    case 'power':
      return error * share ** requirePositive('spending.rho', spending.rho);
    case 'hwang-shih-decani': {
      const gamma = requireFinite('spending.gamma', spending.gamma);
      // Near 0 both differences vanish, and their ratio is the share.
      return Math.abs(gamma) < 1e-300 ? error * share : (error * Math.expm1(-gamma * share)) / Math.expm1(-gamma);
    }
    default:
      return refuse('spending.kind', (spending as { kind: unknown }).kind, 'a spending rule');
  }
}
