import { describe, expect, it } from 'vitest';
import { fitLogisticRegression, predictProbability } from './logistic-regression.ts';

describe('fitLogisticRegression', () => {
  it('agrees with the published fit of the Challenger O-rings', () => {
    // Temperature (F) and whether an O-ring was damaged, 23 flights: Dalal, Fowlkes & Hoadley 1989. The coefficients
    // 15.0429 and -0.2322 are those of R's glm(binomial), printed in Faraway 2016 and in many courses.
    const temperature = [66, 70, 69, 68, 67, 72, 73, 70, 57, 63, 70, 78, 67, 53, 67, 75, 70, 81, 76, 79, 75, 76, 58];
    const damaged = [0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1];
    const [intercept, slope] = fitLogisticRegression(
      temperature.map((degrees) => [degrees]),
      damaged,
    );
    expect(intercept).toBeCloseTo(15.0429, 4);
    expect(slope).toBeCloseTo(-0.2322, 4);
  });

  it('reproduces the odds of a two-by-two table exactly', () => {
    const rows = [...Array(40).fill([0]), ...Array(50).fill([1])];
    const labels = rows.map((_, at) => (at < 10 || (at >= 40 && at < 70) ? 1 : 0));
    const model = fitLogisticRegression(rows, labels);
    expect(predictProbability(model, [0])).toBeCloseTo(10 / 40, 12);
    expect(predictProbability(model, [1])).toBeCloseTo(30 / 50, 12);
  });

  it('refuses features that determine one another, and labels that do not fit', () => {
    const rows = [
      [1, 2],
      [2, 4],
      [3, 6],
      [4, 8],
    ];
    expect(() => fitLogisticRegression(rows, [0, 1, 0, 1])).toThrow('must be linearly independent');
    expect(() => fitLogisticRegression(rows, [0, 1])).toThrow('labels has 2 entries, must have one per row (4)');
    expect(() => fitLogisticRegression([], [])).toThrow('rows is empty');
  });
});
