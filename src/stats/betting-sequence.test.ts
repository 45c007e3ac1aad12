import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBettingSequence, createBettingTest, type WatchedMean } from './betting-sequence.ts';
import type { Interval } from './interval.ts';
import { createRandom, type Random } from './random.ts';
import reference from './watched.fixture.json' with { type: 'json' };

type Bounded = Extract<Interval, { readonly kind: 'bounded' }>;

function ends(result: { readonly kind: string; readonly interval?: Interval }): Bounded {
  if (result.interval?.kind !== 'bounded') throw new Error(JSON.stringify(result));
  return result.interval;
}

describe('createBettingSequence', () => {
  it('agrees at every time with products over all grid points, made from scratch in numpy', () => {
    expect(reference.sequences.length).toBe(3);
    for (const { values, alpha, resolution, low, high } of reference.sequences) {
      const sequence = createBettingSequence({ alpha, resolution });
      for (const [i, value] of values.entries()) {
        sequence.add(value);
        const { lower, upper } = ends(sequence.read());
        expect([Math.round(lower * resolution), Math.round(upper * resolution)]).toEqual([low[i], high[i]]);
      }
    }
  });

  it('holds the mean at all of 1,000 looks in at least 95 % of runs: rare, skewed and two-valued', () => {
    const laws: [string, number, (random: Random) => number][] = [
      ['rare', 0.02, (random) => (random.uniform() < 0.02 ? 1 : 0)],
      ['skewed', 0.2, (random) => random.uniform() ** 4],
      ['two-valued', 0.5, (random) => random.integer(2)],
    ];
    const rounds = 200;
    for (const [name, mean, law] of laws) {
      const random = createRandom(`betting ${name}`);
      let missed = 0;
      for (let round = 0; round < rounds; round += 1) {
        const sequence = createBettingSequence({ alpha: 0.05, resolution: 50 });
        // The interval never widens, so the last one missing the mean is any one missing it.
        for (let i = 0; i < 1000; i += 1) sequence.add(law(random));
        const { lower, upper } = ends(sequence.read());
        if (mean < lower || mean > upper) missed += 1 / rounds;
      }
      expect(missed, name).toBeLessThanOrEqual(0.05 + 3 * Math.sqrt((0.05 * 0.95) / rounds));
    }
  });

  it('turned round or moved to other bounds says the same', () => {
    const values = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(values, (xs) => {
        const plain = createBettingSequence({ alpha: 0.1, resolution: 64 });
        const turned = createBettingSequence({ alpha: 0.1, resolution: 64 });
        const moved = createBettingSequence({ alpha: 0.1, resolution: 64, lower: -2, upper: 6 });
        for (const x of xs) {
          plain.add(x);
          turned.add(1 - x);
          moved.add(-2 + 8 * x);
        }
        const [a, b, c] = [plain, turned, moved].map((sequence) => ends(sequence.read()));
        // Rounding may decide a grid point either way.
        expect(Math.abs(a!.lower - (1 - b!.upper))).toBeLessThan(1.01 / 64);
        expect(Math.abs(a!.upper - (1 - b!.lower))).toBeLessThan(1.01 / 64);
        expect(Math.abs((c!.lower + 2) / 8 - a!.lower)).toBeLessThan(1.01 / 64);
      }),
    );
  });

  it('narrows, is never empty, and is far shorter than Hoeffding’s when values hardly vary', () => {
    const random = createRandom('narrow');
    const sequence = createBettingSequence({ alpha: 0.05 });
    let before: Bounded = { kind: 'bounded', lower: 0, upper: 1 };
    for (let i = 0; i < 2000; i += 1) {
      // A drift that the sequence does not allow for must not make an empty interval either.
      sequence.add(i < 1500 ? 0.2 + 0.02 * random.uniform() : 0.9);
      const now = ends(sequence.read());
      expect(now.lower).toBeGreaterThanOrEqual(before.lower);
      expect(now.upper).toBeLessThanOrEqual(before.upper);
      expect(now.upper).toBeGreaterThan(now.lower);
      before = now;
      if (i === 1499) expect(now.upper - now.lower).toBeLessThan(0.02);
    }
  });

  it('says when there are no values and refuses bad input', () => {
    expect(createBettingSequence({ alpha: 0.05 }).read()).toEqual({ kind: 'insufficient', reason: 'no values yet' });
    const sequence = createBettingSequence({ alpha: 0.05, lower: 0, upper: 10 });
    expect(() => sequence.add(10.5)).toThrow(new RangeError('value is 10.5, must be in [0, 10]'));
    expect(() => sequence.add(Number.NaN)).toThrow('value is NaN, must be in [0, 10]');
    expect(() => createBettingSequence({ alpha: 2 })).toThrow('alpha is 2, must be in (0, 1)');
    expect(() => createBettingSequence({ alpha: 0.05, upper: 0 })).toThrow('upper is 0, must be > 0, the lower bound');
    expect(() => createBettingSequence({ alpha: 0.05, resolution: 1 })).toThrow('resolution is 1, must be >= 2');
    sequence.add(4);
    const first: WatchedMean | { readonly kind: 'insufficient' } = sequence.read();
    expect(first).toMatchObject({ n: 1, mean: 4 });
  });
});

describe('createBettingTest', () => {
  it('has expected capital of exactly 1 on the limit: every path of 12 coin tosses', () => {
    for (const chance of [0.1, 0.5, 0.7]) {
      let capital = 0;
      for (let path = 0; path < 4096; path += 1) {
        const test = createBettingTest({ alpha: 0.05, limit: chance, direction: 'above' });
        let weight = 1;
        for (let i = 0; i < 12; i += 1) {
          const toss = (path >> i) & 1;
          weight *= toss === 1 ? chance : 1 - chance;
          test.add(toss);
        }
        const result = test.read();
        capital += result.kind === 'watched' ? weight * Math.exp(result.logE) : 0;
      }
      expect(capital).toBeCloseTo(1, 12);
    }
  });

  it('alarms in at most 5 % of runs at the limit, and in nearly all beyond it', () => {
    const random = createRandom('betting test');
    const rounds = 300;
    const alarms = { at: 0, beyond: 0 };
    for (const [place, scale] of [
      ['at', 1],
      ['beyond', 1.5],
    ] as const) {
      for (let round = 0; round < rounds; round += 1) {
        // Seconds of delay, capped at 30, mean 2 x scale.
        const test = createBettingTest({ alpha: 0.05, upper: 30, limit: 2, direction: 'above' });
        for (let i = 0; i < 1500; i += 1) test.add(Math.min(30, -2 * scale * Math.log1p(-random.uniform())));
        const result = test.read();
        if (result.kind === 'watched' && result.rejected) alarms[place] += 1 / rounds;
      }
    }
    expect(alarms.at).toBeLessThanOrEqual(0.05 + 3 * Math.sqrt((0.05 * 0.95) / rounds));
    expect(alarms.beyond).toBeGreaterThan(0.95);
  });

  it('never takes a rejection back, and mirrored says the same of the mirrored limit', () => {
    const above = createBettingTest({ alpha: 0.05, limit: 0.25, direction: 'above' });
    const below = createBettingTest({ alpha: 0.05, limit: 0.75, direction: 'below' });
    let smallest = 1;
    for (let i = 0; i < 60; i += 1) {
      const x = i < 30 ? 0.75 : 0;
      above.add(x);
      below.add(1 - x);
      const [one, other] = [above.read(), below.read()];
      if (one.kind !== 'watched' || other.kind !== 'watched') throw new Error();
      expect(one.logE).toBeCloseTo(other.logE, 12);
      expect(one.pValue).toBeLessThanOrEqual(smallest);
      expect(one.rejected).toBe(one.pValue <= 0.05);
      smallest = one.pValue;
    }
    expect(smallest).toBeLessThan(0.001);
  });

  it('says when there are no values and refuses bad input', () => {
    const options = { alpha: 0.05, limit: 0.5, direction: 'above' } as const;
    expect(createBettingTest(options).read().kind).toBe('insufficient');
    expect(() => createBettingTest({ ...options, limit: 1 })).toThrow('limit is 1, must be in (0, 1)');
    expect(() => createBettingTest({ ...options, direction: 'up' as 'above' })).toThrow(
      'direction is up, must be above or below',
    );
  });
});
