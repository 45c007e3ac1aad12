import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearWithin, sure } from './answer.fixture.ts';
import { complierEffect } from './complier-effect.ts';
import { type JointMoments, jointMomentsOf, mergeJointMoments, momentsOf } from './moments.ts';
import { predictionPoweredMean } from './prediction-powered.ts';
import { createRandom } from './random.ts';

const alpha = 0.05;
const near = nearWithin(1e-11);

/** Moments of (outcome, receipt) when so many units have each pair. */
function cells(counts: readonly (readonly [number, number, number])[]): JointMoments {
  return counts
    .map(
      ([outcome, receipt, n]): JointMoments => ({
        n,
        mean: [outcome, receipt],
        m2: [
          [0, 0],
          [0, 0],
        ],
      }),
    )
    .reduce(mergeJointMoments);
}

describe('effect on those who received the candidate', () => {
  // Sommer & Zeger 1991, vitamin A in Sumatra: survival by assignment and receipt.
  const control = cells([
    [1, 0, 11_514],
    [0, 0, 74],
  ]);
  const candidate = cells([
    [1, 1, 9663],
    [0, 1, 12],
    [1, 0, 2385],
    [0, 0, 34],
  ]);

  it('gives the published vitamin A effect', () => {
    const got = sure(complierEffect(control, candidate, { alpha }));
    near(got.assignment.estimate, 0.0025823775203776);
    near(got.compliance.estimate, 0.799983462874153);
    near(got.estimate, 0.0032280386285733);
    // The errors given divide by n, ours by n - 1: they differ by 1 part in 23,000.
    near(got.assignment.standardError, 0.000927826911081, 1e-4);
    near(got.standardError, 0.0011591629284326, 1e-4);
    expect(got.estimate).toBeCloseTo(0.0032, 4);
    expect(got.standardError).toBeCloseTo(0.0012, 4);
  });

  it('p-value and interval agree, and swapping the variants keeps the effect (both turn round)', () => {
    const random = createRandom('compliance');
    fc.assert(
      fc.property(
        fc.double({ min: 0.05, max: 1, noNaN: true }),
        fc.double({ min: -2, max: 2, noNaN: true }),
        (share, effect) => {
          const rows = (isCandidate: boolean) =>
            Array.from({ length: 60 }, () => {
              const receipt = isCandidate && random.uniform() < share ? 1 : 0;
              return [random.normal() + effect * receipt, receipt];
            });
          const [one, two] = [jointMomentsOf(rows(false)), jointMomentsOf(rows(true))];
          const got = complierEffect(one, two, { alpha });
          if (got.kind === 'insufficient') return;
          const { interval } = got;
          if (interval.kind === 'bounded') expect(interval.lower > 0 || interval.upper < 0).toBe(got.pValue < alpha);
          const back = sure(complierEffect(two, one, { alpha }));
          expect(back.estimate).toBeCloseTo(got.estimate, 10);
          expect(back.pValue).toBeCloseTo(got.pValue, 12);
        },
      ),
      { numRuns: 60, seed: 15 },
    );
  });

  it('covers the true effect where those who fall back differ from the others', () => {
    const random = createRandom('fallback');
    let covered = 0;
    let naive = 0;
    for (let round = 0; round < 400; round += 1) {
      const rows = (isCandidate: boolean) =>
        Array.from({ length: 150 }, () => {
          const hard = random.uniform() < 0.3;
          const receipt = isCandidate && !hard ? 1 : 0;
          return [random.normal() - (hard ? 1.5 : 0) + 0.4 * receipt, receipt];
        });
      const [one, two] = [rows(false), rows(true)];
      const got = sure(complierEffect(jointMomentsOf(one), jointMomentsOf(two), { alpha }));
      if (got.interval.kind !== 'bounded' || (got.interval.lower < 0.4 && got.interval.upper > 0.4)) covered += 1;
      const received = two.filter((row) => row[1] === 1).map((row) => row[0]!);
      naive += momentsOf(received).mean - momentsOf(one.map((row) => row[0]!)).mean;
    }
    expect(covered / 400).toBeGreaterThan(0.92);
    // Leaving out the units that fell back more than doubles the effect.
    expect(naive / 400).toBeGreaterThan(0.8);
  });

  it('is insufficient when nobody complied, unbounded when compliance is not clear of 0', () => {
    expect(complierEffect(control, control, { alpha })).toMatchObject({ kind: 'insufficient' });
    const few = cells([
      [1, 0, 20],
      [0, 0, 20],
      [1, 1, 1],
    ]);
    expect(sure(complierEffect(control, few, { alpha })).interval.kind).toBe('unbounded');
    expect(() => complierEffect(control, candidate, { alpha: 0 })).toThrow(
      new RangeError('alpha is 0, must be in (0, 1)'),
    );
  });
});

describe('prediction-powered mean', () => {
  const y = [1, 0, 1, 1, 0, 1, 0, 1];
  const f = [0.9, 0.2, 0.7, 0.8, 0.4, 0.6, 0.1, 0.9];
  const rest = momentsOf([0.8, 0.3, 0.5, 0.9, 0.7, 0.2, 0.6, 0.4, 0.95, 0.05, 0.5, 0.65]);
  const labelled = jointMomentsOf(y.map((truth, i) => [truth, f[i]!]));

  it('gives the published estimate and errors', () => {
    const got = sure(predictionPoweredMean(labelled, rest, { alpha }));
    near(got.estimate, 0.595833333333333);
    near(got.standardError, 0.123731842721746);
    near(got.classical.estimate, 0.625);
    near(got.classical.standardError, 0.18298126367765);
  });

  it('weight 0 is the classical mean, and no weight does better than the best one', () => {
    const none = sure(predictionPoweredMean(labelled, rest, { alpha, weight: 0 }));
    near(none.standardError, none.classical.standardError);
    const best = sure(predictionPoweredMean(labelled, rest, { alpha, weight: 'best' }));
    for (let weight = -1; weight <= 2; weight += 0.1) {
      const other = sure(predictionPoweredMean(labelled, rest, { alpha, weight }));
      expect(best.standardError).toBeLessThanOrEqual(other.standardError);
    }
  });

  it('covers the truth with cheap labels that are far off, where the mean of cheap labels does not', () => {
    const random = createRandom('judge');
    let covered = 0;
    for (let round = 0; round < 500; round += 1) {
      const row = (): [number, number] => {
        const truth = random.uniform() < 0.4 ? 1 : 0;
        return [truth, random.uniform() < (truth === 1 ? 0.95 : 0.4) ? 1 : 0];
      };
      const few = jointMomentsOf(Array.from({ length: 80 }, row));
      const many = momentsOf(Array.from({ length: 800 }, () => row()[1]));
      const got = sure(predictionPoweredMean(few, many, { alpha, weight: 'best' }));
      if (got.interval.kind === 'bounded' && got.interval.lower < 0.4 && got.interval.upper > 0.4) covered += 1;
    }
    expect(covered / 500).toBeGreaterThan(0.92);
  });

  it('is insufficient with one labelled row or labels that never vary', () => {
    expect(predictionPoweredMean(jointMomentsOf([[1, 1]]), rest, { alpha })).toMatchObject({ kind: 'insufficient' });
    const flat = jointMomentsOf([
      [1, 1],
      [1, 1],
    ]);
    const same = momentsOf([1, 1]);
    expect(predictionPoweredMean(flat, same, { alpha })).toMatchObject({ kind: 'insufficient' });
    expect(predictionPoweredMean(flat, same, { alpha, weight: 'best' })).toMatchObject({ kind: 'insufficient' });
  });
});
