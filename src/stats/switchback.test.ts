import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearWithin } from './answer.fixture.ts';
import type { Insufficient } from './interval.ts';
import { createRandom } from './random.ts';
import { type SwitchbackPeriod, type SwitchbackResult, switchbackEffect } from './switchback.ts';

const random = createRandom('switchback');
const near = nearWithin(1e-12);
function sure(result: SwitchbackResult | Insufficient): SwitchbackResult {
  if (result.kind === 'insufficient') throw new Error(result.reason);
  return result;
}
function periodsOf(treated: string, values: readonly number[], size = 2): SwitchbackPeriod[] {
  return values.map((value, i) => ({ block: Math.floor(i / size), isTreated: treated[i] === '1', value }));
}
const worked = periodsOf('110011110011', [5, 7, 4, 3, 6, 8, 7, 9, 4, 4, 6, 7]);

describe('switchback experiments', () => {
  it('the worked case gives 76/11, by hand and by the formula', () => {
    const result = sure(switchbackEffect(worked, { carryover: 1, random }));
    near(result.effect, 6.90909090909091);
    near(result.effect, 76 / 11);
    expect(result.clearPeriods).toEqual({ treated: 5, control: 2 });
    // Counted outside this library: 26 of the 64 assignments reach |76|, 2 reach the largest, 184.
    near(result.pValue, 26 / 64);
    near(result.leastPValue, 1 / 32);
    expect(result.method).toBe('Horvitz-Thompson, all assignments counted');
  });

  it('without carryover and with blocks of one it is the difference of Horvitz-Thompson means', () => {
    const values = [3, 1, 4, 1, 5, 9];
    const result = sure(switchbackEffect(periodsOf('101101', values, 1), { carryover: 0, chance: 0.25, random }));
    near(result.effect, ((3 + 4 + 1 + 9) / 0.25 - (1 + 5) / 0.75) / 6);
  });

  it('is unbiased over the drawing of the blocks, with carryover', () => {
    // Outcome: 2 per treated period in the last two, so always - never is 4 (2 in the first period, which does not count).
    let mean = 0;
    for (let code = 0; code < 64; code += 1) {
      const treated = Array.from({ length: 12 }, (_, i) => (code >> Math.floor(i / 2)) & 1);
      const values = treated.map((w, i) => 10 + i + 2 * w + 2 * (treated[i - 1] ?? 0));
      const result = switchbackEffect(periodsOf(treated.join(''), values), { carryover: 1, random });
      // An assignment without a clear period of one kind is refused, yet has its share in the mean over all.
      mean += (result.kind === 'tested' ? result.effect : byHand(treated, values)) / 64;
    }
    near(mean, 4, 1e-9);
  });

  it('draws assignments beyond twelve blocks, the same for the same seed, close to the counted p-value', () => {
    const noise = createRandom('switchback values');
    const values = Array.from({ length: 39 }, () => noise.normal());
    const treated = Array.from({ length: 13 }, () => (noise.uniform() < 0.5 ? '111' : '000')).join('');
    const result = sure(switchbackEffect(periodsOf(treated, values, 3), { carryover: 2, random: createRandom(1) }));
    expect(switchbackEffect(periodsOf(treated, values, 3), { carryover: 2, random: createRandom(1) })).toEqual(result);
    expect(result.method).toBe('Horvitz-Thompson, 4999 assignments drawn');
    near(result.leastPValue, 1 / 5000);
    const other = sure(switchbackEffect(periodsOf(treated, values, 3), { carryover: 2, random: createRandom(2) }));
    expect(Math.abs(other.pValue - result.pValue)).toBeLessThan(4 * Math.sqrt(0.5 / 5000));
  });

  it('treating where it was not treated flips the sign and leaves the p-value', () => {
    const flags = fc.array(fc.boolean(), { minLength: 3, maxLength: 8 });
    fc.assert(
      fc.property(
        flags,
        fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 24, maxLength: 24 }),
        (blocks, drawn) => {
          const make = (flip: boolean): SwitchbackPeriod[] =>
            drawn
              .slice(0, 3 * blocks.length)
              .map((value, i) => ({ block: Math.floor(i / 3), isTreated: blocks[Math.floor(i / 3)]! !== flip, value }));
          const there = switchbackEffect(make(false), { carryover: 1, random });
          const back = switchbackEffect(make(true), { carryover: 1, random });
          expect(back.kind).toBe(there.kind);
          if (there.kind === 'insufficient' || back.kind === 'insufficient') return;
          expect(back.effect).toBeCloseTo(-there.effect, 10);
          expect(back.pValue).toBeCloseTo(there.pValue, 10);
          expect(there.pValue).toBeGreaterThanOrEqual(there.leastPValue * (1 - 1e-9));
        },
      ),
    );
  });

  it('alarms in at most alpha of the experiments without an effect', () => {
    const source = createRandom('switchback level');
    let alarms = 0;
    for (let round = 0; round < 300; round += 1) {
      const blocks = Array.from({ length: 8 }, () => source.uniform() < 0.5);
      const periods = Array.from({ length: 24 }, (_, i) => ({
        block: Math.floor(i / 3),
        isTreated: blocks[Math.floor(i / 3)]!,
        value: source.normal(),
      }));
      const result = switchbackEffect(periods, { carryover: 1, random });
      if (result.kind === 'tested' && result.pValue <= 0.05) alarms += 1;
    }
    expect(alarms / 300).toBeLessThan(0.05 + 3 * Math.sqrt(0.0475 / 300));
  });

  it('refuses broken input and says when the data cannot answer', () => {
    const options = { carryover: 1, random };
    expect(() => switchbackEffect(worked, { ...options, carryover: 0.5 })).toThrow(
      new RangeError('carryover is 0.5, must be a whole number >= 0'),
    );
    expect(() => switchbackEffect(worked, { ...options, chance: 1 })).toThrow('chance is 1, must be in (0, 1)');
    expect(() => switchbackEffect(worked, { ...options, draws: 0 })).toThrow('draws is 0');
    expect(() => switchbackEffect([{ block: 1, isTreated: true, value: 1 }], options)).toThrow(
      'periods[0].block is 1, must be 0 or the next',
    );
    expect(() => switchbackEffect(periodsOf('10', [1, 2]), options)).toThrow('as in the rest of its block');
    expect(switchbackEffect([], options)).toMatchObject({ reason: 'there are no blocks, two are needed' });
    expect(switchbackEffect(periodsOf('1111', [1, 2, 3, 4]), options)).toMatchObject({
      reason: 'no period stayed without treatment for the whole carryover of 1',
    });
    expect(switchbackEffect(worked, { ...options, carryover: 20 }).kind).toBe('insufficient');
  });
});

/** The estimate for twelve periods in blocks of two with a carryover of one. */
function byHand(treated: readonly number[], values: readonly number[]): number {
  let sum = 0;
  for (let t = 1; t < 12; t += 1)
    if (treated[t] === treated[t - 1]) sum += ((treated[t] ? 1 : -1) * values[t]! * (t % 2 === 1 ? 2 : 4)) / 11;
  return sum;
}
