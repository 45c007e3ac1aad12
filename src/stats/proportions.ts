// How well is one proportion known, and how well the difference of two?
import { beta } from './beta.ts';
import {
  bounded,
  type Estimate,
  type Insufficient,
  type Interval,
  insufficient,
  type TestOptions,
} from './interval.ts';
import { normal } from './normal.ts';
import { refuse, requireAlpha } from './precondition.ts';
import { lastNotAbove } from './root.ts';

/** Units and how many of them succeeded; both may be fractional when rebuilt from published rates. */
export interface Proportion {
  /** 0..n */
  readonly successes: number;
  /** >= 0 */
  readonly n: number;
}

/** Which difference interval: `mee` agrees with the pooled z-test; `miettinen-nurminen` is n/(n-1) wider in variance. */
export interface ScoreIntervalOptions extends TestOptions {
  /** Default `mee`. */
  readonly variance?: 'mee' | 'miettinen-nurminen';
}

/**
 * Score interval of candidate - control: every difference that a z-test with constrained variance does not reject.
 * Assumes independent units; from some five expected events a side it keeps its level closely.
 * @throws RangeError when alpha is outside (0, 1), a side is empty, or successes are not within 0..n.
 * @see Mee 1984; Miettinen & Nurminen 1985, Statistics in Medicine 4, appendix
 */
export function scoreInterval(control: Proportion, candidate: Proportion, options: ScoreIntervalOptions): Interval {
  const z = normal.isf(requireAlpha(options.alpha) / 2);
  requireFilled('control', control);
  requireFilled('candidate', candidate);
  const total = control.n + candidate.n;
  const factor = options.variance === 'miettinen-nurminen' ? total / (total - 1) : 1;
  const observed = candidate.successes / candidate.n - control.successes / control.n;
  const excess = (delta: number): number => {
    const p = constrainedRate(control, candidate, delta);
    const q = Math.min(1, Math.max(0, p + delta));
    const variance = factor * ((p * (1 - p)) / control.n + (q * (1 - q)) / candidate.n);
    return (observed - delta) ** 2 - z * z * variance;
  };
  return bounded(crossing(excess, observed, -1), crossing(excess, observed, 1));
}

/** Where `excess` turns positive between `from` (inside) and `to` (the end of the range). */
function crossing(excess: (delta: number) => number, from: number, to: number): number {
  return excess(to) <= 0 ? to : lastNotAbove(excess, { inside: from, outside: to });
}

/** Maximum-likelihood rate of the control when candidate - control is held at `delta`. */
export function constrainedRate(control: Proportion, candidate: Proportion, delta: number): number {
  const total = control.n + candidate.n;
  const hits = control.successes + candidate.successes;
  // The rate is a root of total x^3 + l2 x^2 + l1 x + l0.
  const l2 = (candidate.n + 2 * control.n) * delta - total - hits;
  const l1 = (control.n * delta - total - 2 * control.successes) * delta + hits;
  const l0 = control.successes * delta * (1 - delta);
  const shift = l2 / (3 * total);
  const q = shift ** 3 - (l1 * l2) / (6 * total * total) + l0 / (2 * total);
  const spread = Math.sqrt(Math.max(0, shift * shift - l1 / (3 * total)));
  if (spread === 0) return clampRate(-shift, delta);
  const p = q >= 0 ? spread : -spread;
  const angle = (Math.PI + Math.acos(Math.max(-1, Math.min(1, q / p ** 3)))) / 3;
  return clampRate(2 * p * Math.cos(angle) - shift, delta);
}

function clampRate(rate: number, delta: number): number {
  return Math.min(Math.min(1, 1 - delta), Math.max(Math.max(0, -delta), rate));
}

/**
 * A proportion with Wilson's interval, which holds its coverage near 0 and 1 where the textbook one collapses.
 * Assumes independent units; coverage is right on average over rates, not at every one. Insufficient without units.
 * @throws RangeError when alpha is outside (0, 1) or successes are not within 0..n.
 * @see Wilson 1927, JASA 22; Newcombe 1998a, method 3
 */
export function estimateProportion(sample: Proportion, options: TestOptions): Estimate | Insufficient {
  const alpha = requireAlpha(options.alpha);
  requireProportion('sample', sample);
  if (sample.n === 0) return insufficient('the sample has no units yet');
  const rate = sample.successes / sample.n;
  return {
    kind: 'estimated',
    method: "proportion with Wilson's interval",
    estimate: rate,
    standardError: Math.sqrt((rate * (1 - rate)) / sample.n),
    interval: bounded(...wilson(sample, alpha)),
  };
}

/**
 * Newcombe's hybrid interval of candidate - control, made of two Wilson intervals. Assumes independent units; covers
 * what it says on average over rates, not at every one, and belongs to no test, so p-values can disagree with it.
 * @throws RangeError when alpha is outside (0, 1), a side is empty, or successes are not within 0..n.
 * @see Newcombe 1998b, Statistics in Medicine 17, method 10
 */
export function newcombeInterval(control: Proportion, candidate: Proportion, options: TestOptions): Interval {
  const alpha = requireAlpha(options.alpha);
  requireFilled('control', control);
  requireFilled('candidate', candidate);
  const p = control.successes / control.n;
  const q = candidate.successes / candidate.n;
  const [pLower, pUpper] = wilson(control, alpha);
  const [qLower, qUpper] = wilson(candidate, alpha);
  const difference = q - p;
  return bounded(difference - Math.hypot(q - qLower, pUpper - p), difference + Math.hypot(qUpper - q, p - pLower));
}

function wilson(sample: Proportion, alpha: number): [number, number] {
  const z = normal.isf(alpha / 2);
  const { successes, n } = sample;
  const failures = n - successes;
  const root = z * Math.sqrt(z * z + (4 * successes * failures) / n);
  const scale = 2 * (n + z * z);
  // The exact ends, where the formula would leave a rounding error.
  const lower = successes === 0 ? 0 : (2 * successes + z * z - root) / scale;
  const upper = failures === 0 ? 1 : (2 * successes + z * z + root) / scale;
  return [Math.max(0, lower), Math.min(1, upper)];
}

/** Returns a proportion. @throws RangeError unless 0 <= successes <= n, both finite. */
export function requireProportion(name: string, sample: Proportion): Proportion {
  if (!(Number.isFinite(sample.n) && sample.n >= 0)) refuse(`${name}.n`, sample.n, 'finite and >= 0');
  if (!(sample.successes >= 0 && sample.successes <= sample.n)) {
    refuse(`${name}.successes`, sample.successes, `in 0..${sample.n}`);
  }
  return sample;
}

function requireFilled(name: string, sample: Proportion): void {
  requireProportion(name, sample);
  if (sample.n === 0) refuse(`${name}.n`, sample.n, '> 0');
}

/**
 * Clopper-Pearson interval of a proportion of independent units: never covers less than it says, often more.
 * @throws RangeError when alpha is outside (0, 1), the sample is empty, or successes are not within 0..n.
 * @see Clopper & Pearson 1934, Biometrika 26
 */
export function clopperPearsonInterval(sample: Proportion, options: TestOptions): Interval {
  const alpha = requireAlpha(options.alpha);
  requireFilled('sample', sample);
  const { successes, n } = sample;
  const failures = n - successes;
  return bounded(
    successes === 0 ? 0 : beta(successes, failures + 1).quantile(alpha / 2),
    failures === 0 ? 1 : beta(successes + 1, failures).isf(alpha / 2),
  );
}
