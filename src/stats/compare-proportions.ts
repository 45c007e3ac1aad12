// Do two proportions differ? A test that suits how rare the events are, with the interval that belongs to it.
import { fisherTails } from './fisher-exact.ts';
import { type Insufficient, insufficient, type TestOptions, type TestResult } from './interval.ts';
import { meldedInterval } from './melded-interval.ts';
import { normal } from './normal.ts';
import { refuse, requireAlpha } from './precondition.ts';
import { type Proportion, requireProportion, scoreInterval } from './proportions.ts';

/** Level, and which test. */
export interface ProportionTestOptions extends TestOptions {
  /**
   * `automatic` (default): Fisher's mid-p where a cell holds or expects fewer than five units, pooled z elsewhere. The
   * others are for a test fixed beforehand, or for comparing tests; `exact` never rejects more often than alpha says.
   */
  readonly test?: 'automatic' | 'pooled-z' | 'mid-p' | 'exact';
}

/** A test of two proportions. */
export interface ProportionTestResult extends TestResult {
  /** p of Fisher's exact test, two-sided as R has it; present, with `because`, where the test was one of his. */
  readonly exactPValue?: number;
}

/** Units in a cell, seen and expected, from which on the normal approximation is used. */
const leastUnits = 5;

/**
 * Test of two proportions with the interval that belongs to it: 0 is in the interval exactly when p >= alpha.
 * Pooled z-test (the square root of Pearson's chi-squared, no continuity correction) with Mee's score interval where every
 * cell (successes and failures of each side) holds five units and expects five with equal rates; else Fisher's test as
 * mid-p (twice the smaller tail) with the melded interval. `because` says why. Cells seen count too: with the
 * expected alone the interval, changing its kind just where the sides differ most, would cover 93.7 % instead of 95 %. Exact tests count whole units: fractions are rounded for them. `statistic` and
 * `standardError` are always those of the pooled z-test.
 * Insufficient without units, or when every unit or no unit succeeded on both sides.
 * @throws RangeError when alpha is outside (0, 1), successes are not within 0..n, or the test is none of these.
 * @see Mee 1984, Biometrics 40 (score interval); Cochran 1954, Biometrics 10 (five expected); Fay, Proschan & Brittain
 * 2015, Biometrics 71 (melded interval); Lydersen, Fagerland & Laake 2009, Statistics in Medicine 28 (mid-p for rare events)
 */
export function compareProportions(
  control: Proportion,
  candidate: Proportion,
  options: ProportionTestOptions,
): ProportionTestResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  requireProportion('control', control);
  requireProportion('candidate', candidate);
  const tested = testProportions(control, candidate, options.test ?? 'automatic');
  if (tested.kind === 'insufficient') return tested;
  const { test, kind, ...said } = tested;
  const score = scoreInterval(control, candidate, { alpha });
  const [before, after] = [control.successes / control.n, candidate.successes / candidate.n];
  return {
    kind,
    method: methods[test],
    control: before,
    candidate: after,
    difference: after - before,
    ...said,
    interval:
      test === 'pooled-z' ? score : meldedInterval(wholeOf(control), wholeOf(candidate), { alpha, test, near: score }),
  };
}

/** What a test says of two checked proportions, without its interval, which takes far longer. */
export function testProportions(
  control: Proportion,
  candidate: Proportion,
  asked: Exclude<ProportionTestOptions['test'], undefined>,
): Tested | Insufficient {
  if (control.n === 0) return insufficient('control has no units yet');
  if (candidate.n === 0) return insufficient('candidate has no units yet');
  const total = control.n + candidate.n;
  const hits = control.successes + candidate.successes;
  if (hits === 0) return insufficient('nothing happened in either variant, so the rates cannot be told apart');
  if (hits === total) return insufficient('it happened every time in both variants, so the rates cannot be told apart');
  const pooled = hits / total;
  const standardError = Math.sqrt(pooled * (1 - pooled) * (1 / control.n + 1 / candidate.n));
  const statistic = (candidate.successes / candidate.n - control.successes / control.n) / standardError;
  const choice = choose(asked, {
    seen: Math.min(
      control.successes,
      control.n - control.successes,
      candidate.successes,
      candidate.n - candidate.successes,
    ),
    expected: Math.min(control.n, candidate.n) * Math.min(pooled, 1 - pooled),
  });
  const { test } = choice;
  const said = { kind: 'tested', ...choice, standardError, statistic } as const;
  if (test === 'pooled-z') return { ...said, pValue: Math.min(1, 2 * normal.sf(Math.abs(statistic))) };
  const [left, right] = [wholeOf(control), wholeOf(candidate)];
  const whole = left.successes + right.successes;
  if (Math.min(left.n, right.n) === 0 || whole === 0 || whole === left.n + right.n) {
    return insufficient('rounded to whole units, as an exact test takes them, the rates cannot be told apart');
  }
  const tails = fisherTails(left, right);
  const seen = test === 'mid-p' ? tails.seen / 2 : 0;
  return {
    ...said,
    exactPValue: Math.min(1, tails.rarer + tails.likeSeen),
    pValue: Math.min(1, 2 * (Math.min(tails.below, tails.above) - seen)),
  };
}

interface Tested {
  readonly kind: 'tested';
  readonly test: Test;
  readonly because?: string;
  readonly standardError: number;
  readonly statistic: number;
  readonly pValue: number;
  readonly exactPValue?: number;
}

type Test = Exclude<ProportionTestOptions['test'], undefined | 'automatic'>;

const methods: Readonly<Record<Test, string>> = {
  'pooled-z': 'pooled z-test with score interval',
  'mid-p': "Fisher's mid-p test with melded interval",
  exact: "Fisher's exact test (twice the smaller tail) with melded interval",
};

function choose(
  asked: Exclude<ProportionTestOptions['test'], undefined>,
  smallest: { readonly seen: number; readonly expected: number },
): { readonly test: Test; readonly because?: string } {
  if (asked !== 'automatic') {
    if (!Object.hasOwn(methods, asked)) refuse('test', asked, 'automatic, pooled-z, mid-p or exact');
    return asked === 'pooled-z' ? { test: asked } : { test: asked, because: 'this test was asked for' };
  }
  if (Math.min(smallest.seen, smallest.expected) >= leastUnits) return { test: 'pooled-z' };
  const counts = `the smallest cell holds ${written(smallest.seen)} units, and ${written(smallest.expected)} are the fewest expected with equal rates`;
  return { test: 'mid-p', because: `${counts}: too few for the normal approximation, which takes ${leastUnits}` };
}

function written(units: number): string {
  return `${units < 100 ? Number(units.toPrecision(3)) : Math.round(units)}`;
}

// Exact tests count; a rate that was published with some digits stands for the nearest count.
function wholeOf({ successes, n }: Proportion): Proportion {
  return { successes: Math.round(successes), n: Math.round(n) };
}
