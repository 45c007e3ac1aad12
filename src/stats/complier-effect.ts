// What does the candidate do to those who really got it, when some assigned to it were answered by the control?
import { type Estimate, type Insufficient, type Interval, insufficient, type TestOptions } from './interval.ts';
import { type JointMoments, requireJointMoments } from './moments.ts';
import { normal } from './normal.ts';
import { requireAlpha } from './precondition.ts';

/** The effect on those whose treatment assignment changes, and what it is made of. */
export interface ComplierEffect extends Estimate {
  /** Two-sided, of no effect; equals that of the effect of assignment. */
  readonly pValue: number;
  /** Effect of assignment on the outcome (intention to treat), candidate - control. */
  readonly assignment: { readonly estimate: number; readonly standardError: number };
  /** Effect of assignment on receipt: the share whose receipt assignment changes. */
  readonly compliance: { readonly estimate: number; readonly standardError: number };
}

/**
 * Effect of receiving the candidate on those who receive it because they were assigned to it: the effect of assignment
 * on the outcome over that on receipt. Leaving out the units that fell back to the control instead would compare unlike
 * units; here everyone stays in.
 * Assumes that assignment is random, acts on the outcome only through receipt, and keeps nobody from receipt who would
 * have it in the control. The standard error is the delta method's (that of two-stage least squares); the interval is
 * Anderson and Rubin's, all effects under which assignment changes nothing else: right also when compliance is low, and
 * `unbounded` when compliance is not clear of 0.
 * Insufficient with fewer than two units on a side, when assignment changes nobody's receipt, or when nothing varies.
 * @param control columns [outcome, received the candidate (0 or 1)], one row per unit
 * @param candidate likewise
 * @throws RangeError when alpha is outside (0, 1) or moments cannot come from a sample.
 * @see Imbens & Angrist 1994, Econometrica 62; Imbens & Rubin 1997; Anderson & Rubin 1949, AMS 20
 */
export function complierEffect(
  control: JointMoments,
  candidate: JointMoments,
  options: TestOptions,
): ComplierEffect | Insufficient {
  const alpha = requireAlpha(options.alpha);
  requireJointMoments('control', control, 2);
  requireJointMoments('candidate', candidate, 2);
  if (control.n < 2 || candidate.n < 2) return insufficient('each variant needs at least two units');
  const outcome = candidate.mean[0]! - control.mean[0]!;
  const receipt = candidate.mean[1]! - control.mean[1]!;
  if (receipt === 0) return insufficient("assignment changed nobody's receipt, so nothing can be said of its effect");
  const sum = (i: number, j: number): number =>
    control.m2[i]![j]! / (control.n - 1) / control.n + candidate.m2[i]![j]! / (candidate.n - 1) / candidate.n;
  const parts = { outcome, receipt, vy: sum(0, 0), vyd: sum(0, 1), vd: sum(1, 1) };
  const estimate = outcome / receipt;
  const variance = parts.vy - 2 * estimate * parts.vyd + estimate ** 2 * parts.vd;
  if (!(parts.vy > 0 && variance > 0)) return insufficient('no outcome varies, so the noise cannot be estimated');
  const statistic = outcome / Math.sqrt(parts.vy);
  return {
    kind: 'estimated',
    method: "complier average effect with Anderson and Rubin's interval",
    estimate,
    standardError: Math.sqrt(variance) / Math.abs(receipt),
    interval: andersonRubin(parts, normal.isf(alpha / 2)),
    pValue: Math.min(1, 2 * normal.sf(Math.abs(statistic))),
    assignment: { estimate: outcome, standardError: Math.sqrt(parts.vy) },
    compliance: { estimate: receipt, standardError: Math.sqrt(parts.vd) },
  };
}

/** All b with (outcome - b receipt)^2 <= z^2 var(outcome - b receipt). */
function andersonRubin(
  parts: {
    readonly outcome: number;
    readonly receipt: number;
    readonly vy: number;
    readonly vyd: number;
    readonly vd: number;
  },
  z: number,
): Interval {
  const { outcome, receipt, vy, vyd, vd } = parts;
  const a = receipt ** 2 - z * z * vd;
  // With a <= 0 the set is the whole line or two half-lines.
  if (!(a > 0)) return { kind: 'unbounded' };
  const b = outcome * receipt - z * z * vyd;
  const root = Math.sqrt(Math.max(0, b * b - a * (outcome ** 2 - z * z * vy)));
  return { kind: 'bounded', lower: (b - root) / a, upper: (b + root) / a };
}
