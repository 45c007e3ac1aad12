import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  histogramError,
  histogramFromJson,
  histogramOf,
  histogramQuantile,
  histogramQuantileInterval,
  type LogHistogram,
  mergeHistograms,
} from './log-histogram.ts';
import { quantileOf } from './quantiles.ts';
import { createRandom } from './random.ts';

const alpha = 0.05;
// Whole range of doubles: positive, negative, zero, subnormal.
const value = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.double({ min: -1000, max: 1000, noNaN: true }),
  fc.constantFrom(0, -0, 1, 1.02, 1.02 ** 2, -1.02, 5e-324, Number.MAX_VALUE, -Number.MAX_VALUE),
);
const values = fc.array(value, { maxLength: 80 });
const share = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 0.5, 0.95, 0.99, 1));

describe('the histogram of log buckets', () => {
  it('gives every quantile within its stated relative error', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 80 }), share, (sample, q) => {
        const truth = quantileOf(
          sample.toSorted((a, b) => a - b),
          q,
          { type: 1 },
        );
        const got = histogramQuantile(histogramOf(sample), q);
        if (typeof got !== 'number') throw new Error(got.reason);
        // A subnormal number has no digits to be within 1 % in: one smallest step is allowed.
        expect(Math.abs(got - truth)).toBeLessThanOrEqual(histogramError * Math.abs(truth) + 5e-324);
      }),
      { numRuns: 1000 },
    );
  });

  it('merged pieces are the whole, in any order and grouping', () => {
    fc.assert(
      fc.property(values, values, values, (a, b, c) => {
        const [x, y, z] = [histogramOf(a), histogramOf(b), histogramOf(c)];
        const whole = histogramOf([...a, ...b, ...c]);
        expect(mergeHistograms(mergeHistograms(x, y), z)).toEqual(whole);
        expect(mergeHistograms(z, mergeHistograms(y, x))).toEqual(whole);
      }),
    );
  });

  it('is its own JSON form', () => {
    fc.assert(
      fc.property(values, (sample) => {
        const histogram = histogramOf(sample);
        expect(histogramFromJson(JSON.parse(JSON.stringify(histogram)))).toEqual(histogram);
      }),
    );
  });

  it('counts buckets as a database would, floor(ln x / ln 1.02)', () => {
    expect(histogramOf([0, 250, 251, -3, 1])).toEqual({
      n: 5,
      min: -3,
      max: 251,
      zeros: 1,
      positive: [
        [0, 1],
        [278, 1],
        [279, 1],
      ],
      negative: [[55, 1]],
    });
  });

  it('quantiles rise with their share', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 40 }), share, share, (sample, p, q) => {
        const histogram = histogramOf(sample);
        const [low, high] = [Math.min(p, q), Math.max(p, q)].map(
          (each) => histogramQuantile(histogram, each) as number,
        );
        expect(low!).toBeLessThanOrEqual(high!);
      }),
    );
  });

  it('the interval of the median of 100 values is the 40th to 61st, widened to their buckets', () => {
    // Ranks: qbinom(.025, 100, .5) = 40 in R, and the published table (David & Nagaraja 2003).
    const sample = Array.from({ length: 100 }, (_, i) => 10 * (i + 1));
    const interval = histogramQuantileInterval(histogramOf(sample), 0.5, { alpha });
    if (interval.kind !== 'bounded') throw new Error(interval.kind);
    expect(interval.lower).toBeLessThanOrEqual(400);
    expect(interval.lower).toBeGreaterThan(400 / 1.0201);
    expect(interval.upper).toBeGreaterThanOrEqual(610);
    expect(interval.upper).toBeLessThan(610 * 1.0201);
  });

  it('ends that the sample cannot bound are open', () => {
    const few = histogramOf([1, 2, 3]);
    expect(histogramQuantileInterval(few, 0.5, { alpha })).toEqual({ kind: 'unbounded' });
    expect(histogramQuantileInterval(histogramOf(Array.from({ length: 50 }, (_, i) => i)), 0.99, { alpha }).kind).toBe(
      'lower',
    );
    expect(histogramQuantileInterval(histogramOf(Array.from({ length: 50 }, (_, i) => i)), 0.01, { alpha }).kind).toBe(
      'upper',
    );
  });

  it('the interval covers the 95th percentile of log-normal latencies in 95 % of samples or more', () => {
    const random = createRandom('histogram interval');
    const truth = Math.exp(1.6448536269514722);
    const rounds = 1000;
    let covered = 0;
    for (let round = 0; round < rounds; round += 1) {
      const interval = histogramQuantileInterval(
        histogramOf(Array.from({ length: 200 }, () => Math.exp(random.normal()))),
        0.95,
        { alpha },
      );
      if (interval.kind !== 'bounded') throw new Error(interval.kind);
      if (interval.lower <= truth && truth <= interval.upper) covered += 1;
    }
    expect(covered / rounds).toBeGreaterThan(0.95 - 0.021);
  });

  it('without values it says so, and what is no histogram is refused', () => {
    const none = histogramOf([]);
    expect(histogramQuantile(none, 0.5)).toEqual({
      kind: 'insufficient',
      reason: 'the histogram has no values yet',
    });
    expect(histogramQuantileInterval(none, 0.5, { alpha }).kind).toBe('insufficient');
    expect(() => histogramOf([1, Number.NaN])).toThrow(new RangeError('values[1] is NaN, must be finite'));
    expect(() => histogramQuantile(none, 1.5)).toThrow('q is 1.5, must be in [0, 1]');
    expect(() => histogramQuantileInterval(none, 0, { alpha })).toThrow('q is 0, must be in (0, 1)');
    const good = histogramOf([1, 2, 2]);
    const broken = (change: Partial<Record<keyof LogHistogram, unknown>>) => () =>
      histogramFromJson({ ...good, ...change });
    expect(broken({ n: 4 })).toThrow('histogram.n is 4, must be 3, the sum of its counts');
    expect(broken({ zeros: -1 })).toThrow('histogram.zeros is -1, must be a whole number >= 0');
    expect(broken({ min: 9 })).toThrow('histogram.min is 9, must be <= 2');
    expect(broken({ positive: 7 })).toThrow('histogram.positive is 7, must be a list of buckets');
    expect(broken({ positive: [[0]] })).toThrow('histogram.positive[0] is 0, must be [index, count]');
    expect(broken({ positive: [[0.5, 3]] })).toThrow('histogram.positive[0][0] is 0.5, must be a whole number');
    expect(
      broken({
        positive: [
          [3, 1],
          [3, 2],
        ],
      }),
    ).toThrow('histogram.positive[1][0] is 3, must be > 3');
    expect(broken({ positive: [[0, 0]] })).toThrow('histogram.positive[0][1] is 0, must be > 0');
    expect(() => histogramFromJson(null)).toThrow('histogram is null, must be an object');
    expect(() => mergeHistograms(good, { ...good, n: 7 })).toThrow('histogram.n is 7');
  });
});
