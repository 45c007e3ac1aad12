// What shape does a statistical answer have? Intervals, estimates, tests, and the answer "not enough to say".

/** A confidence interval; an end that the data do not bound is absent. */
export type Interval =
  | { readonly kind: 'bounded'; readonly lower: number; readonly upper: number }
  | { readonly kind: 'lower'; readonly lower: number }
  | { readonly kind: 'upper'; readonly upper: number }
  | { readonly kind: 'unbounded' };

/** The data cannot answer; `reason` is a sentence for a person. */
export interface Insufficient {
  readonly kind: 'insufficient';
  readonly reason: string;
}

/** One number with its uncertainty. */
export interface Estimate {
  readonly kind: 'estimated';
  /** How the interval was made, in words. */
  readonly method: string;
  readonly estimate: number;
  readonly standardError: number;
  readonly interval: Interval;
}

/** A two-sided comparison of two samples; `pValue < alpha` exactly when `interval` leaves 0 out. */
export interface TestResult {
  readonly kind: 'tested';
  /** The test in words, for example `Welch t-test`. */
  readonly method: string;
  /** Why not the usual test, as a sentence; present where the data did not allow that. */
  readonly because?: string;
  readonly control: number;
  readonly candidate: number;
  /** candidate - control */
  readonly difference: number;
  /** Standard error the statistic was made with. */
  readonly standardError: number;
  readonly statistic: number;
  /** Degrees of freedom; absent where the reference distribution is the normal. */
  readonly df?: number;
  readonly pValue: number;
  /** Interval of `difference`. */
  readonly interval: Interval;
}

/** Options every test and estimate takes. */
export interface TestOptions {
  /** Two-sided level of test and interval, in (0, 1); 0.05 gives a 95 % interval. */
  readonly alpha: number;
}

/** The answer "not enough to say". */
export function insufficient(reason: string): Insufficient {
  return { kind: 'insufficient', reason };
}

/** An interval with both ends. */
export function bounded(lower: number, upper: number): Interval {
  return { kind: 'bounded', lower, upper };
}
