// Given what is believed about two unknown quantities, how likely and by how much is one above the other?

import type { LogTails } from './distribution.ts';
import { bounded, type Interval } from './interval.ts';
import { integrate, logAreaUnderConcave } from './quadrature.ts';
import { findRoot } from './root.ts';

/** What is believed about candidate - control after the data. */
export interface PosteriorComparison {
  readonly kind: 'posterior';
  readonly method: string;
  /** Posterior mean of the control. */
  readonly control: number;
  /** Posterior mean of the candidate. */
  readonly candidate: number;
  /** Posterior mean of candidate - control. */
  readonly difference: number;
  /** Posterior standard deviation of candidate - control. */
  readonly standardDeviation: number;
  /** P(candidate > control), in [0, 1]; exact into far tails, as is `probabilityLower`. */
  readonly probabilityHigher: number;
  /** P(candidate < control), in [0, 1]. */
  readonly probabilityLower: number;
  /** E[max(control - candidate, 0)]: what choosing the candidate is expected to cost when higher is better. */
  readonly expectedShortfall: number;
  /** E[max(candidate - control, 0)]: what keeping the control is expected to cost when higher is better. */
  readonly expectedExcess: number;
  /** Equal-tailed credible interval of candidate - control. */
  readonly interval: Interval;
}

/**
 * Smallest shape of a beta or gamma belief that is worked with: below it more than 1e-16 of the belief lies nearer to the
 * end than the smallest number.
 */
export const leastShape = 0.05;

/** A quantity x with a continuous belief about it, written in a coordinate t that runs over the whole line. */
export interface Belief {
  readonly mean: number;
  readonly variance: number;
  /** x at t, rising. */
  at(t: number): number;
  /** ln of dx/dt at t, concave. */
  logStretch(t: number): number;
  /** ln of the density by t, concave. */
  logDensity(t: number): number;
  /** ln of P(X <= x(t)) and P(X > x(t)). */
  logTails(t: number): LogTails;
  /** The same at an x, also outside the range. */
  logTailsAt(x: number): LogTails;
  /** t of x, for x inside the range. */
  coordinate(x: number): number;
  /** Ends of the range of x. */
  readonly ends: readonly [number, number];
  /** A central t, and a typical width in t. */
  readonly centre: number;
  readonly scale: number;
}

/** Compares two independent beliefs written in the same coordinate; `alpha` is that of the credible interval. */
export function compareBeliefs(
  control: Belief,
  candidate: Belief,
  options: { readonly method: string; readonly alpha: number },
): PosteriorComparison {
  const standardDeviation = Math.sqrt(control.variance + candidate.variance);
  const breaks = [...landmarks(control), ...landmarks(candidate)];
  const scale = Math.min(control.scale, candidate.scale);
  // Log-concave densities have log-concave tails, and products of such are log-concave: one peak, found safely.
  const probability = (low: Belief, high: Belief): number =>
    Math.exp(
      Math.min(
        0,
        logAreaUnderConcave((t) => high.logDensity(t) + low.logTails(t).below, { start: high.centre, scale, breaks }),
      ),
    );
  // E[max(X - Y, 0)] is the integral of P(Y <= x < X).
  const shortfall = (low: Belief, high: Belief): number =>
    Math.exp(
      logAreaUnderConcave((t) => low.logTails(t).below + high.logTails(t).above + low.logStretch(t), {
        start: high.centre,
        scale,
        breaks,
      }),
    );
  return {
    kind: 'posterior',
    method: options.method,
    control: control.mean,
    candidate: candidate.mean,
    difference: candidate.mean - control.mean,
    standardDeviation,
    probabilityHigher: probability(control, candidate),
    probabilityLower: probability(candidate, control),
    expectedShortfall: shortfall(candidate, control),
    expectedExcess: shortfall(control, candidate),
    interval: bounded(
      differenceQuantile(control, candidate, { probability: options.alpha / 2, side: 'below' }),
      differenceQuantile(control, candidate, { probability: options.alpha / 2, side: 'above' }),
    ),
  };
}

function landmarks(belief: Belief): readonly number[] {
  return [-8, -3, 0, 3, 8].map((k) => belief.centre + k * belief.scale);
}

/** d with P(candidate - control beyond d on this side) = probability. */
function differenceQuantile(
  control: Belief,
  candidate: Belief,
  tail: { readonly probability: number; readonly side: 'below' | 'above' },
): number {
  const centre = candidate.mean - control.mean;
  const sign = tail.side === 'above' ? 1 : -1;
  const excess = (d: number): number =>
    Math.log(differenceTail(control, candidate, { d, side: tail.side })) - Math.log(tail.probability);
  let near = centre;
  const spread = Math.sqrt(control.variance + candidate.variance);
  let step = spread;
  const limit = sign > 0 ? candidate.ends[1] - control.ends[0] : candidate.ends[0] - control.ends[1];
  const within = (d: number): number => (sign > 0 ? Math.min(d, limit) : Math.max(d, limit));
  // The mean may itself lie beyond the quantile when alpha is near 1 or the belief very skewed.
  while (excess(near) < 0) near -= sign * step;
  let far = within(near + sign * step);
  while (far !== limit && excess(far) > 0) {
    near = far;
    step *= 2;
    far = within(far + sign * step);
  }
  return findRoot(excess, [near, far], { precision: 1e-12 * spread });
}

/** P(candidate - control > d), or < d. */
function differenceTail(
  control: Belief,
  candidate: Belief,
  question: { readonly d: number; readonly side: 'below' | 'above' },
): number {
  const { d, side } = question;
  const span = rangeOf(control);
  const breaks = [...span, ...landmarks(control)];
  for (const t of [...landmarks(candidate), -Infinity, Infinity]) {
    // Where control + d meets the candidate's landmarks and the ends of its range.
    const x = (t === -Infinity ? candidate.ends[0] : t === Infinity ? candidate.ends[1] : candidate.at(t)) - d;
    if (x > control.ends[0] && x < control.ends[1]) breaks.push(control.coordinate(x));
  }
  const inside = breaks.filter((t) => t >= span[0] && t <= span[1]);
  const tail = (t: number): number => Math.exp(control.logDensity(t) + candidate.logTailsAt(control.at(t) + d)[side]);
  return Math.min(1, integrate(tail, inside));
}

/** Where all of a belief but some e^-45 lies. */
function rangeOf(belief: Belief): readonly [number, number] {
  const out = (side: 'below' | 'above'): number => {
    const sign = side === 'below' ? -1 : 1;
    let step = belief.scale;
    while (belief.logTails(belief.centre + sign * step)[side] > -45) step *= 1.5;
    return belief.centre + sign * step;
  };
  return [out('below'), out('above')];
}
