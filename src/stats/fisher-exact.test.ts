import { describe, expect, it } from 'vitest';
import { fisherExact } from './index.ts';
import fixture from './intervals.fixture.json' with { type: 'json' };
import reference from './reference.fixture.json' with { type: 'json' };

const numbers = reference as unknown as Record<string, (number | string)[]>;

describe('fisherExact', () => {
  it('agrees with R 4.2 fisher.test and dhyper', () => {
    const keys = Object.keys(numbers).filter((key) => key.startsWith('fisher '));
    expect(keys.length).toBe(8);
    for (const key of keys) {
      const [x1, n1, x0, n0] = key.split(' ').slice(1).map(Number) as [number, number, number, number];
      const result = fisherExact({ successes: x0, n: n0 }, { successes: x1, n: n1 });
      if (result.kind !== 'tested') throw new Error(result.reason);
      const pValue = numbers[key]![0] as number;
      const midP = numbers[key.replace('fisher', 'mid-p')]![0] as number;
      expect(Math.abs(result.pValue / pValue - 1), key).toBeLessThan(1e-9);
      expect(Math.abs(result.midP / midP - 1), key).toBeLessThan(1e-9);
    }
  });

  it('odds ratios and their intervals agree with scipy to its own tolerance (intervals.fixture.py)', () => {
    for (const row of fixture.odds) {
      const result = fisherExact(
        { successes: row.control[0]!, n: row.control[1]! },
        { successes: row.candidate[0]!, n: row.candidate[1]! },
      );
      if (result.kind !== 'tested') throw new Error(result.reason);
      const { interval } = result;
      if (row.ratio === null || row.ratio === 0) expect(result.oddsRatio).toMatchObject({ kind: 'insufficient' });
      else expect(Math.abs((result.oddsRatio as number) / row.ratio - 1)).toBeLessThan(1e-6);
      if (interval.kind !== 'bounded' && interval.kind !== 'lower') throw new Error(interval.kind);
      expect(Math.abs(interval.lower - row.lower)).toBeLessThanOrEqual(1e-6 * row.lower);
      expect(interval.kind).toBe(row.upper === null ? 'lower' : 'bounded');
      if (interval.kind === 'bounded') expect(Math.abs(interval.upper / row.upper! - 1)).toBeLessThan(1e-6);
    }
  });

  it('0 of 1000 against 8 of 1000 gives p = .0077035, not 1', () => {
    const result = fisherExact({ successes: 0, n: 1000 }, { successes: 8, n: 1000 });
    expect(result.kind === 'tested' && Math.abs(result.pValue / 0.0077034808510839 - 1)).toBeLessThan(1e-10);
  });

  it('swapping the arms keeps p and inverts the odds ratio', () => {
    const a = { successes: 7, n: 90 };
    const b = { successes: 16, n: 120 };
    const there = fisherExact(a, b);
    const back = fisherExact(b, a);
    if (there.kind !== 'tested' || back.kind !== 'tested') throw new Error('tested expected');
    expect(back.pValue).toBeCloseTo(there.pValue, 12);
    expect((back.oddsRatio as number) * (there.oddsRatio as number)).toBeCloseTo(1, 12);
  });

  it('says when there is nothing to compare, and refuses what is not a count', () => {
    expect(fisherExact({ successes: 0, n: 0 }, { successes: 0, n: 5 })).toEqual({
      kind: 'insufficient',
      reason: 'control has no units yet',
    });
    expect(fisherExact({ successes: 0, n: 9 }, { successes: 0, n: 5 }).kind).toBe('insufficient');
    expect(() => fisherExact({ successes: 0.5, n: 9 }, { successes: 0, n: 5 })).toThrow(
      new RangeError('control.successes is 0.5, must be a whole number >= 0'),
    );
  });
});
