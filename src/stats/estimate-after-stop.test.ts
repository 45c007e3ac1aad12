import { describe, expect, it } from 'vitest';
import reference from './estimate-after-stop.fixture.json' with { type: 'json' };
import {
  createRandom,
  crossingsUnder,
  designLooks,
  estimateAfterStop,
  estimateMean,
  type LooksDesign,
  type LooksOptions,
  momentsOf,
  normal,
} from './index.ts';

const information = [0.4, 0.7, 1];
const pocockLike = { kind: 'spending', spending: { kind: 'pocock-like' } } as const;
const obrienFleming = { kind: 'obrien-fleming-like' } as const;

function stopped(measured: { estimate: number; standardError: number }, look: number, design: LooksDesign) {
  const result = estimateAfterStop(measured, { look, design });
  if (result.kind !== 'stopped' || result.interval.kind !== 'bounded') throw new Error('an answer expected');
  return { ...result, lower: result.interval.lower, upper: result.interval.upper };
}

describe('estimateAfterStop', () => {
  it('agrees with the final analyses of rpact to its own digits', () => {
    expect(reference.stops.length).toBeGreaterThan(20);
    for (const row of reference.stops) {
      const { look, sides, estimate, z } = row;
      const design = designLooks({ ...(row as unknown as LooksOptions), alpha: 0.025 * sides, information });
      const got = stopped({ estimate, standardError: estimate / z }, look, design);
      // At the first look of two sides rpact forgets the other one.
      const p = sides === 2 && look === 0 ? 2 * row.p : row.p;
      // rpact leaves the lower bound of a two-sided test out of its paths, which shows where the effect is small.
      if (sides === 2 && z < 0) continue;
      for (const [value, want] of [
        [got.pValue, p],
        [got.lower, row.lower],
        [got.upper, row.upper],
        [got.estimate, row.median],
      ] as const) {
        expect(Math.abs(value - want), JSON.stringify(row)).toBeLessThan(2e-6);
      }
    }
  });

  it('keeps the lower bound of a two-sided test: p = .7791023 by mvtnorm, where rpact has .7793159', () => {
    const design = designLooks({ alpha: 0.05, sides: 2, information, boundary: pocockLike });
    expect(stopped({ estimate: -0.281776724, standardError: 1 }, 2, design).pValue).toBeCloseTo(0.7791023, 6);
  });

  it('is the fixed test with one look, and at a first look', () => {
    const design = designLooks({ alpha: 0.05, sides: 2, information: [1], boundary: { kind: 'pocock' } });
    const got = stopped({ estimate: 3, standardError: 2 }, 0, design);
    expect(got.estimate).toBeCloseTo(3, 9);
    expect(got.pValue).toBeCloseTo(2 * normal.sf(1.5), 13);
    expect(got.lower).toBeCloseTo(3 - 2 * 1.959963984540054, 8);
    expect(got.upper).toBeCloseTo(3 + 2 * 1.959963984540054, 8);
  });

  it('mirrors, pulls the plain difference of an early stop towards 0, and leaves 0 out exactly when it rejects', () => {
    const design = designLooks({ alpha: 0.05, sides: 2, information, boundary: pocockLike });
    for (const [look, z] of [
      [1, 2.6],
      [2, 2.4],
      [2, 2.28],
      [2, 1.1],
    ] as const) {
      const [up, down] = [z, -z].map((estimate) => stopped({ estimate, standardError: 1 }, look, design));
      expect(down!.estimate).toBeCloseTo(-up!.estimate, 8);
      expect(down!.upper).toBeCloseTo(-up!.lower, 8);
      expect(down!.pValue).toBeCloseTo(up!.pValue, 12);
      expect(Math.abs(up!.estimate)).toBeLessThanOrEqual(z + 1e-9);
      expect(up!.lower > 0).toBe(z >= design.critical[look]!);
      expect(up!.pValue < 0.05).toBe(z >= design.critical[look]!);
    }
  });

  it('is as often too high as too low over tests that stop early, where the plain difference is too large on average', () => {
    const random = createRandom('after a stop');
    const rounds = 1500;
    const design = designLooks({ alpha: 0.1, sides: 2, information, boundary: pocockLike });
    const effect = 1.8;
    let [high, covered] = [0, 0];
    const plain: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      let walk = 0;
      let before = 0;
      for (const [look, time] of information.entries()) {
        walk += effect * (time - before) + Math.sqrt(time - before) * random.normal();
        before = time;
        const measured = { estimate: walk / time, standardError: 1 / Math.sqrt(time) };
        const result = estimateAfterStop(measured, { look, design });
        if (result.kind === 'insufficient') continue;
        if (result.interval.kind !== 'bounded') throw new Error(result.interval.kind);
        if (result.estimate > effect) high += 1;
        plain.push(result.difference - effect);
        if (result.interval.lower <= effect && effect <= result.interval.upper) covered += 1;
        break;
      }
    }
    expect(Math.abs(high / rounds - 0.5)).toBeLessThan(3 * Math.sqrt(0.25 / rounds));
    expect(Math.abs(covered / rounds - 0.9)).toBeLessThan(3 * Math.sqrt(0.09 / rounds));
    const bias = estimateMean(momentsOf(plain), { alpha: 0.003 });
    expect(bias.kind === 'estimated' && bias.interval.kind === 'bounded' && bias.interval.lower).toBeGreaterThan(0);
  });

  it('says when a test has not stopped, or has no order of results', () => {
    const design = designLooks({ alpha: 0.05, sides: 2, information, boundary: pocockLike });
    expect(estimateAfterStop({ estimate: 1, standardError: 1 }, { look: 0, design })).toEqual({
      kind: 'insufficient',
      reason: 'the test has not stopped at this look; while it runs the repeated interval holds',
    });
    expect(estimateAfterStop({ estimate: 1, standardError: 0 }, { look: 0, design }).kind).toBe('insufficient');
    const wedge = designLooks({ ...design, power: 0.8, futility: { spending: obrienFleming, binding: false } });
    expect(estimateAfterStop({ estimate: 9, standardError: 1 }, { look: 0, design: wedge })).toMatchObject({
      reason: expect.stringContaining('no order'),
    });
    expect(() => estimateAfterStop({ estimate: 1, standardError: 1 }, { look: 3, design })).toThrow(
      new RangeError('look is 3, must be a whole number in 0..2'),
    );
    expect(() => estimateAfterStop({ estimate: Number.NaN, standardError: 1 }, { look: 0, design })).toThrow(
      new RangeError('measured.estimate is NaN, must be finite'),
    );
  });

  it('takes futility bounds that need not be kept into the upper end only', () => {
    const plain = designLooks({ alpha: 0.025, sides: 1, information, boundary: pocockLike });
    const advised = designLooks({ ...plain, power: 0.8, futility: { spending: obrienFleming, binding: false } });
    const measured = { estimate: 1.2, standardError: 1 };
    const [left, right] = [stopped(measured, 2, plain), stopped(measured, 2, advised)];
    expect(right.pValue).toBeCloseTo(left.pValue, 13);
    expect(right.lower).toBeCloseTo(left.lower, 9);
    expect(right.upper).toBeGreaterThan(left.upper);
  });
});

describe('futility bounds of two sides', () => {
  it('are crossed as often as mvtnorm says', () => {
    for (const row of reference.wedges) {
      const got = crossingsUnder(
        {
          alpha: 0.05,
          sides: 2,
          information: row.information,
          boundary: { kind: 'pocock' },
          critical: row.critical,
          futilityBounds: row.inner,
        },
        row.drift,
      );
      for (const [values, want] of [
        [got.upper, row.up],
        [got.lower, row.down],
        [got.inner!, row.within],
      ] as const) {
        for (const [k, value] of values.entries())
          expect(Math.abs(value - want[k]!), `${row.drift} look ${k}`).toBeLessThan(1e-8);
      }
    }
  });

  it('spend 1 - power under the effect, and binding ones leave alpha whole', () => {
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    for (const binding of [false, true]) {
      const design = designLooks({
        alpha: 0.05,
        sides: 2,
        information: [0.3, 0.6, 1],
        boundary: { kind: 'spending', spending: obrienFleming },
        power: 0.85,
        futility: { spending: { kind: 'pocock-like' }, binding },
      });
      const planned = crossingsUnder(design, design.plan!.drift);
      expect(sum(planned.inner!)).toBeCloseTo(0.15, 9);
      expect(sum(planned.inner!) + sum(planned.upper) + sum(planned.lower)).toBeCloseTo(1, 10);
      const none = crossingsUnder(design, 0);
      const alarms = sum(none.upper) + sum(none.lower);
      if (binding) expect(alarms).toBeCloseTo(0.05, 9);
      else expect(alarms).toBeLessThan(0.05);
      expect(design.plan!.expected.noEffect).toBeLessThan(0.9);
      expect(design.futilityBounds!.at(-1)).toBe(design.critical.at(-1));
    }
  });
});
