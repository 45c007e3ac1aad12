// Where is the mean of values within known bounds, said after every value and with no approximation at all?
import { bounded, type Insufficient, type Interval, insufficient, type TestOptions } from './interval.ts';
import { refuse, requireAlpha, requireCount, requireFinite } from './precondition.ts';

/** What the values can be. */
export interface BettingOptions extends TestOptions {
  /** Smallest and largest possible value; default 0 and 1. Values beyond them are refused, so cap them first. */
  readonly lower?: number;
  readonly upper?: number;
}

/** The mean so far with an interval that holds at every look. */
export interface WatchedMean {
  readonly kind: 'watched';
  readonly method: string;
  readonly n: number;
  readonly mean: number;
  /** Never widens; holds the true mean at all times at once with probability 1 - alpha. */
  readonly interval: Interval;
}

/** A sequence that takes values one by one, in the order they came. */
export interface BettingSequence {
  /** @throws RangeError when the value is not within the bounds. */
  add(value: number): void;
  /** Insufficient before the first value. */
  read(): WatchedMean | Insufficient;
}

/**
 * Hedged betting sequence of a bounded mean: at each possible mean a bettor holds capital, half of it on more and half on
 * less; means against which 1 / alpha has been won are ruled out. Exact for any distribution within the bounds whose
 * mean, given the past, stays the same. Possible means are a grid, and an end is reported as the last grid point ruled
 * out, so the interval is at most one step wider than it need be. A value costs time in proportion to the grid points
 * still possible, at first some 20 microseconds at 1000.
 * @param options `resolution`: grid steps between the bounds, default 1000
 * @throws RangeError when alpha is outside (0, 1), the bounds are not finite or not rising, or resolution < 2.
 * @see Waudby-Smith & Ramdas 2024, JRSS B 86(1), theorem 3 (hedged capital), predictable plug-in bets, c = 1/2
 */
export function createBettingSequence(options: BettingOptions & { readonly resolution?: number }): BettingSequence {
  const alpha = requireAlpha(options.alpha);
  const { scaled, lower, width } = scaleOf(options);
  const resolution = requireCount('resolution', options.resolution ?? 1000);
  if (resolution < 2) refuse('resolution', resolution, '>= 2');
  const needed = Math.log(2 / alpha);
  const forMore = new Float64Array(resolution + 1);
  const forLess = new Float64Array(resolution + 1);
  const seen = createPrediction();
  // Grid points up to `low` and from `high` on have been ruled out.
  let [low, high] = [-1, resolution + 1];
  let isConsistent = true;
  return {
    add: (value) => {
      const x = scaled(value);
      const bet = Math.sqrt((2 * needed) / (seen.variance() * (seen.n() + 1) * Math.log(seen.n() + 2)));
      seen.add(x);
      // Once every mean has been ruled out (chance alpha at most) the last interval stands.
      if (!isConsistent) return;
      for (let i = low + 1; i < high; i += 1) {
        const mean = i / resolution;
        forMore[i]! += Math.log1p(Math.min(bet, 0.5 / mean) * (x - mean));
        forLess[i]! += Math.log1p(-Math.min(bet, 0.5 / (1 - mean)) * (x - mean));
      }
      let [nextLow, nextHigh] = [low, high];
      while (nextLow + 1 < high && forMore[nextLow + 1]! >= needed) nextLow += 1;
      while (nextHigh - 1 > low && forLess[nextHigh - 1]! >= needed) nextHigh -= 1;
      if (nextHigh <= nextLow + 1) isConsistent = false;
      else [low, high] = [nextLow, nextHigh];
    },
    read: () => {
      if (seen.n() === 0) return insufficient('no values yet');
      return {
        kind: 'watched',
        method: 'hedged betting sequence',
        n: seen.n(),
        mean: lower + width * seen.mean(),
        interval: bounded(
          lower + (width * Math.max(0, low)) / resolution,
          lower + (width * Math.min(resolution, high)) / resolution,
        ),
      };
    },
  };
}

/** A limit on a bounded mean. */
export interface BettingTestOptions extends BettingOptions {
  /** The mean that must not be passed, strictly between the bounds. */
  readonly limit: number;
  readonly direction: 'above' | 'below';
}

/** Evidence on a limit, exact at every look. */
export interface BettingTestResult {
  readonly kind: 'watched';
  readonly method: string;
  readonly n: number;
  readonly mean: number;
  /** ln of the capital won by now. */
  readonly logE: number;
  /** Smallest e^-logE so far, at most 1. */
  readonly pValue: number;
  /** Whether pValue has been <= alpha at any look. */
  readonly rejected: boolean;
}

/** A test that takes values one by one, in the order they came. */
export interface BettingTest {
  /** @throws RangeError when the value is not within the bounds. */
  add(value: number): void;
  /** Insufficient before the first value. */
  read(): BettingTestResult | Insufficient;
}

/**
 * One-sided test that a bounded mean is above (or below) a limit, in constant time and memory a value: capital bet by
 * what the past suggests. Exact for any distribution within the bounds; also where the mean moves, as long as it never
 * passes the limit.
 * @throws RangeError when alpha is outside (0, 1), the bounds are not rising, or the limit is not between them.
 * @see Waudby-Smith & Ramdas 2024, JRSS B 86(1), section 4 and appendix B.3 (approximate GRAPA bets), truncated at 1/2
 */
export function createBettingTest(options: BettingTestOptions): BettingTest {
  const alpha = requireAlpha(options.alpha);
  const { scaled, lower, width } = scaleOf(options);
  const { limit, direction } = options;
  if (!(limit > lower && limit < lower + width)) refuse('limit', limit, `in (${lower}, ${lower + width})`);
  if (direction !== 'above' && direction !== 'below') refuse('direction', direction, 'above or below');
  const isAbove = direction === 'above';
  const mean = isAbove ? (limit - lower) / width : (lower + width - limit) / width;
  const seen = createPrediction();
  let logE = 0;
  let best = 0;
  return {
    add: (value) => {
      const x = isAbove ? scaled(value) : 1 - scaled(value);
      const lead = seen.prediction() - mean;
      const bet = Math.min(0.5 / mean, Math.max(0, lead / (seen.variance() + lead * lead)));
      logE += Math.log1p(bet * (x - mean));
      best = Math.max(best, logE);
      seen.add(x);
    },
    read: () => {
      if (seen.n() === 0) return insufficient('no values yet');
      const pValue = Math.exp(-best);
      return {
        kind: 'watched',
        method: 'betting test',
        n: seen.n(),
        mean: lower + width * (isAbove ? seen.mean() : 1 - seen.mean()),
        logE,
        pValue,
        rejected: pValue <= alpha,
      };
    },
  };
}

interface Scale {
  readonly lower: number;
  readonly width: number;
  /** A value as a share of the way from the lower to the upper bound. */
  scaled(value: number): number;
}

function scaleOf(options: BettingOptions): Scale {
  const lower = requireFinite('lower', options.lower ?? 0);
  const upper = requireFinite('upper', options.upper ?? 1);
  if (!(upper > lower)) refuse('upper', upper, `> ${lower}, the lower bound`);
  const width = upper - lower;
  return {
    lower,
    width,
    scaled: (value) => {
      if (!(value >= lower && value <= upper)) refuse('value', value, `in [${lower}, ${upper}]`);
      return Math.min(1, Math.max(0, (value - lower) / width));
    },
  };
}

/** What the values so far make one expect of the next, never without spread: one value of 1/2 is put before them. */
function createPrediction(): {
  add(x: number): void;
  n(): number;
  mean(): number;
  prediction(): number;
  variance(): number;
} {
  let n = 0;
  let sum = 0;
  let squares = 0.25;
  const prediction = (): number => (0.5 + sum) / (n + 1);
  return {
    add: (x) => {
      n += 1;
      sum += x;
      squares += (x - prediction()) ** 2;
    },
    n: () => n,
    mean: () => sum / n,
    prediction,
    variance: () => squares / (n + 1),
  };
}
