import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from './random.ts';
import { bilinear, dot, eigenOf, solveSymmetric } from './symmetric-matrix.ts';

/** A matrix of sums of squares and products of so many random columns, their scales far apart. */
function productsOf(seed: number, size: number): { readonly matrix: number[][]; readonly scales: number[] } {
  const random = createRandom(seed);
  const scales = Array.from({ length: size }, () => 10 ** (6 * random.uniform() - 3));
  const rows = Array.from({ length: size + 5 }, () => scales.map((scale) => scale * random.normal()));
  return {
    matrix: scales.map((_, i) => scales.map((__, j) => rows.reduce((sum, r) => sum + r[i]! * r[j]!, 0))),
    scales,
  };
}

const size = fc.integer({ min: 1, max: 6 });

describe('symmetric matrices', () => {
  it('solutions solve, whatever the scales', () => {
    fc.assert(
      fc.property(fc.integer(), size, (seed, width) => {
        const { matrix, scales } = productsOf(seed, width);
        const right = scales.map((scale, i) => scale * (i + 1));
        const { solutions, dropped } = solveSymmetric(matrix, [right]);
        expect(dropped).toEqual([]);
        matrix.forEach((row, i) => {
          const size = row.reduce((sum, value, j) => sum + Math.abs(value * solutions[0]![j]!), 0);
          expect(Math.abs(dot(row, solutions[0]!) - right[i]!)).toBeLessThan(1e-9 * size);
        });
      }),
    );
  });

  it('columns that do not vary or repeat others are dropped and named', () => {
    const matrix = [
      [4, 0, 8, 2],
      [0, 0, 0, 0],
      [8, 0, 16, 4],
      [2, 0, 4, 5],
    ];
    const { solutions, dropped } = solveSymmetric(matrix, [[4, 0, 8, 10]]);
    expect(dropped).toEqual([1, 2]);
    expect(solutions[0]![0]).toBeCloseTo(0, 12);
    expect(solutions[0]![3]).toBeCloseTo(2, 12);
    expect(() => solveSymmetric(matrix, [[1]])).toThrow(
      new RangeError('rights[0].length is 1, must be 4 as in matrix'),
    );
  });

  it('eigenvectors are orthonormal and rebuild the matrix', () => {
    fc.assert(
      fc.property(fc.integer(), size, (seed, width) => {
        const { matrix } = productsOf(seed, width);
        const { values, vectors } = eigenOf(matrix);
        const norm = Math.max(...values);
        vectors.forEach((v, k) => {
          vectors.forEach((w, m) => {
            expect(Math.abs(dot(v, w) - (k === m ? 1 : 0))).toBeLessThan(1e-13);
            expect(Math.abs(bilinear(v, matrix, w) - (k === m ? values[k]! : 0))).toBeLessThan(1e-13 * norm);
          });
        });
      }),
    );
  });
});
