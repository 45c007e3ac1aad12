// Which differences of two rates do a few events leave possible? The interval that belongs to Fisher's exact test.
import { beta } from './beta.ts';
import type { LogTails } from './distribution.ts';
import { logBetaKernel } from './gamma-function.ts';
import { logBetaTails } from './incomplete-beta.ts';
import { bounded, type Interval } from './interval.ts';
import type { Proportion } from './proportions.ts';
import { legendreRule } from './recursive-integration.ts';
import { findRoot } from './root.ts';

/** `mid-p` counts what was seen by half, in the interval as in its test; `exact` counts it whole. */
type RareEventTest = 'exact' | 'mid-p';

/**
 * Melded interval of candidate - control: the differences that stay between both one-sided limits when each rate is
 * spread as its own exact limits spread it. 0 is inside exactly when twice the smaller tail of Fisher's test (its mid-p
 * tail for `mid-p`) is at least alpha.
 * @param control whole counts, 0 <= successes <= n, n > 0
 * @param candidate likewise
 * @param options level, which test it belongs to, and an interval to begin the search at
 * @see Fay, Proschan & Brittain 2015, Biometrics 71 (melding; agreement with Fisher's test); Lancaster 1961 (mid-p)
 */
export function meldedInterval(
  control: Proportion,
  candidate: Proportion,
  options: { readonly alpha: number; readonly test: RareEventTest; readonly near: Interval },
): Interval {
  const half = options.alpha / 2;
  // What lies further out than this does not show in twelve digits of a tail of alpha / 2.
  const cut = Math.min(1e-14, half * 1e-13);
  const low = differenceOf(highest(control), lowest(candidate), cut);
  const high = differenceOf(lowest(control), highest(candidate), cut);
  const isMid = options.test === 'mid-p';
  const below = (d: number): number => (isMid ? (low(d).below + high(d).below) / 2 : low(d).below);
  const above = (d: number): number => (isMid ? (low(d).above + high(d).above) / 2 : high(d).above);
  const [left, right] = options.near.kind === 'bounded' ? [options.near.lower, options.near.upper] : [-1, 1];
  const step = Math.max((right - left) / 8, 1e-12);
  return bounded(endOf(below, { half, from: left, step, end: -1 }), endOf(above, { half, from: right, step, end: 1 }));
}

/** A beta belief about a rate; a = 0 is the point 0, b = 0 the point 1. */
interface Rate {
  readonly a: number;
  readonly b: number;
}

function lowest({ successes, n }: Proportion): Rate {
  return successes === 0 ? { a: 0, b: 1 } : { a: successes, b: n - successes + 1 };
}

function highest({ successes, n }: Proportion): Rate {
  return successes === n ? { a: 1, b: 0 } : { a: successes + 1, b: n - successes };
}

interface Tails {
  readonly below: number;
  readonly above: number;
}

/** P(candidate - control <= d) and P(candidate - control > d) for independent rates. */
function differenceOf(control: Rate, candidate: Rate, cut: number): (d: number) => Tails {
  const isPoint = (rate: Rate): boolean => rate.a === 0 || rate.b === 0;
  if (isPoint(candidate) && isPoint(control)) {
    const at = (candidate.a === 0 ? 0 : 1) - (control.a === 0 ? 0 : 1);
    // The point itself lies on both sides: it belongs to the interval.
    return (d) => ({ below: at <= d ? 1 : 0, above: at >= d ? 1 : 0 });
  }
  // The narrower one is integrated over: on its scale the other's tail is smooth.
  if (isPoint(candidate)) {
    const at = candidate.a === 0 ? 0 : 1;
    return (d) => swapped(tailsAt(control, at - d));
  }
  if (isPoint(control)) {
    const at = control.a === 0 ? 0 : 1;
    return (d) => tailsAt(candidate, at + d);
  }
  if (spread(candidate) < spread(control)) {
    const over = meanOver(candidate, cut);
    return (d) => swapped(over((x) => tailsAt(control, x - d), [d, 1 + d]));
  }
  const over = meanOver(control, cut);
  return (d) => over((x) => tailsAt(candidate, x + d), [-d, 1 - d]);
}

function spread({ a, b }: Rate): number {
  return ((a / (a + b)) * (b / (a + b))) / (a + b + 1);
}

function swapped({ below, above }: Tails): Tails {
  return { below: above, above: below };
}

function tailsAt({ a, b }: Rate, x: number): Tails {
  const tails: LogTails = logBetaTails(a, b, x, 1 - x);
  return { below: Math.exp(tails.below), above: Math.exp(tails.above) };
}

const [ruleNodes, ruleWeights] = legendreRule(24);

/** Mean of both tails over all but `cut` of a rate's belief on each side; `breaks` are points where the tails have a kink. */
function meanOver({ a, b }: Rate, cut: number): (tails: (x: number) => Tails, breaks: readonly number[]) => Tails {
  const law = beta(a, b);
  const ends = [law.quantile(cut), law.quantile(0.5), law.isf(cut)] as const;
  return (tails, breaks) => {
    const inside = breaks.filter((x) => x > ends[0] && x < ends[2]);
    const points = [...ends, ...inside].sort((x, y) => x - y);
    let below = 0;
    let above = 0;
    for (let panel = 1; panel < points.length; panel += 1) {
      const middle = (points[panel - 1]! + points[panel]!) / 2;
      const half = points[panel]! - middle;
      for (const [i, node] of ruleNodes.entries()) {
        const x = middle + half * node;
        const mass = half * ruleWeights[i]! * Math.exp(logBetaKernel(a, b, x, 1 - x) - Math.log(x) - Math.log1p(-x));
        const both = tails(x);
        below += mass * both.below;
        above += mass * both.above;
      }
    }
    return { below, above };
  };
}

/** Where a tail, which shrinks towards the end, is `half`; the end where it stays above. */
function endOf(
  tail: (d: number) => number,
  start: { readonly half: number; readonly from: number; readonly step: number; readonly end: -1 | 1 },
): number {
  const { half, end } = start;
  const seen = new Map<number, number>();
  // Logarithms of tails bend little, so that few steps are needed; each is dear, and ends of brackets come up twice.
  const excess = (d: number): number => {
    const known = seen.get(d);
    if (known !== undefined) return known;
    const value = Math.log(Math.max(tail(d), 1e-300)) - Math.log(half);
    seen.set(d, value);
    return value;
  };
  const within = (d: number): number => Math.max(-1, Math.min(1, d));
  let [near, far, step] = [within(start.from), within(start.from), start.step];
  while (excess(near) < 0) {
    [far, near] = [near, within(near - end * step)];
    step *= 2;
    if (near === -end) return near;
  }
  if (far === near) {
    far = within(near + end * step);
    while (excess(far) > 0) {
      if (far === end) return end;
      step *= 2;
      [near, far] = [far, within(far + end * step)];
    }
  }
  return findRoot(excess, [near, far], { precision: 1e-11 * start.step });
}
