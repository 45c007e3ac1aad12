import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocate, type BucketRange, reallocate, requireCover, type VariantWeight } from './allocation.ts';

const total = 2 ** 32;
// Made by vectors.fixture.py.
const vectors = JSON.parse(readFileSync(new URL('./vectors.fixture.json', import.meta.url), 'utf8')) as {
  readonly allocations: readonly { readonly weights: VariantWeight[]; readonly ranges: BucketRange[] }[];
};

const weighting = fc
  .uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 })
  .chain((names) =>
    fc.tuple(...names.map((variant) => fc.record({ variant: fc.constant(variant), weight: fc.nat(1_000_000) }))),
  )
  .filter((weights) => weights.some(({ weight }) => weight > 0));

const widthOf = (ranges: readonly BucketRange[], variant: string): number =>
  ranges.filter((range) => range.variant === variant).reduce((sum, { from, to }) => sum + to - from, 0);

/** Buckets that belong to `variant` in both allocations. */
function sharedWidth(before: readonly BucketRange[], after: readonly BucketRange[], variant: string): number {
  let shared = 0;
  for (const x of before) {
    for (const y of after) {
      if (x.variant !== variant || y.variant !== variant) continue;
      shared += Math.max(0, Math.min(x.to, y.to) - Math.max(x.from, y.from));
    }
  }
  return shared;
}

describe('allocate', () => {
  it('agrees with the vectors of the independent Python implementation', () => {
    expect(vectors.allocations.length).toBeGreaterThan(5);
    for (const { weights, ranges } of vectors.allocations) expect(allocate(weights)).toEqual(ranges);
  });

  it('covers [0, 2^32) whole, every variant within one bucket of its share', () => {
    fc.assert(
      fc.property(weighting, (weights) => {
        const ranges = allocate(weights);
        expect(() => requireCover(ranges)).not.toThrow();
        const sum = weights.reduce((subtotal, { weight }) => subtotal + weight, 0);
        for (const { variant, weight } of weights) {
          expect(Math.abs(widthOf(ranges, variant) - (total * weight) / sum)).toBeLessThan(1);
        }
      }),
    );
  });

  it('gives a weight of 0 nothing, not even an empty range', () => {
    expect(
      allocate([
        { variant: 'a', weight: 0 },
        { variant: 'b', weight: 3 },
      ]),
    ).toEqual([{ variant: 'b', from: 0, to: total }]);
  });

  it('refuses weights that are not integers >= 0, repeated names, and nothing to share out', () => {
    const one =
      (weight: number): (() => unknown) =>
      () =>
        allocate([{ variant: 'a', weight }]);
    expect(one(-3)).toThrow(new RangeError('weights[0].weight is -3, must be an integer >= 0'));
    expect(one(0.5)).toThrow('weights[0].weight is 0.5, must be an integer >= 0');
    expect(one(Number.NaN)).toThrow(RangeError);
    expect(one(0)).toThrow('the sum of weights is 0, must be > 0');
    expect(() => allocate([])).toThrow('the sum of weights is 0, must be > 0');
    const twice = { variant: 'a', weight: 1 };
    expect(() => allocate([twice, twice])).toThrow('weights[1].variant is "a", must appear once');
  });
});

describe('reallocate', () => {
  it('moves the fewest units: every variant keeps the smaller of its old and new width', () => {
    fc.assert(
      fc.property(fc.array(weighting, { minLength: 2, maxLength: 6 }), (history) => {
        let before = allocate(history[0]!);
        for (const weights of history.slice(1)) {
          const after = reallocate(before, weights);
          const wanted = allocate(weights);
          expect(() => requireCover(after)).not.toThrow();
          for (const variant of ['a', 'b', 'c', 'd', 'e']) {
            expect(widthOf(after, variant)).toBe(widthOf(wanted, variant));
            expect(sharedWidth(before, after, variant)).toBe(
              Math.min(widthOf(before, variant), widthOf(after, variant)),
            );
          }
          before = after;
        }
      }),
    );
  });

  it('changes nothing when the shares stay as they are', () => {
    fc.assert(
      fc.property(weighting, (weights) => {
        expect(reallocate(allocate(weights), weights)).toEqual(allocate(weights));
      }),
    );
  });

  it('has no two neighbouring ranges of one variant', () => {
    fc.assert(
      fc.property(weighting, weighting, (first, second) => {
        const after = reallocate(allocate(first), second);
        for (const [index, range] of after.slice(1).entries()) expect(range.variant).not.toBe(after[index]!.variant);
      }),
    );
  });

  it('refuses an allocation with a gap, an overlap or a missing end', () => {
    const weights = [{ variant: 'a', weight: 1 }];
    const broken =
      (ranges: readonly BucketRange[]): (() => unknown) =>
      () =>
        reallocate(ranges, weights);
    expect(broken([{ variant: 'a', from: 5, to: total }])).toThrow('ranges[0].from is 5, must be 0');
    expect(broken([{ variant: 'a', from: 0, to: 7 }])).toThrow('the last range ends at 7, must be 4294967296');
    expect(broken([{ variant: 'a', from: 0, to: 0 }])).toThrow('ranges[0].to is 0, must be an integer in');
    expect(broken([])).toThrow('the last range ends at 0');
  });
});
