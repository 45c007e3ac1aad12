import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  boundsText,
  countText,
  differenceText,
  levelText,
  pValueText,
  relativeText,
  shareText,
} from './figure-text.ts';

const bounded = (lower: number, upper: number) => ({ kind: 'bounded', lower, upper }) as const;
/** Narrow spaces are for the eye; the expectations below are easier to read without them. */
const plain = (text: string): string => text.replaceAll('\u202f', ' ');

describe('a figure', () => {
  it('shows two digits of its uncertainty, the same for estimate and ends', () => {
    const points = bounded(0.00107, 0.07093);
    expect(plain(differenceText(0.036, { unit: 'share', interval: points }))).toBe('+3.6 pp');
    expect(boundsText(points, { unit: 'share' })).toBe('+0.1 … +7.1');
    const money = bounded(627_000, 690_000);
    expect(plain(differenceText(658_825, { unit: '$', interval: money }))).toBe('+659,000 $');
    expect(boundsText(money, { unit: '$' })).toBe('+627,000 … +690,000');
    expect(plain(differenceText(-0.0042, { unit: 'share', interval: bounded(-0.0125, 0.0042) }))).toBe('−0.42 pp');
  });

  it('shows three significant digits without an interval, and long times in seconds', () => {
    expect(plain(levelText(0.785, { unit: 'share' }))).toBe('78.5 %');
    expect(plain(levelText(0.84, { unit: 'ms' }))).toBe('0.840 ms');
    expect(plain(levelText(1240, { unit: 'ms' }))).toBe('1.24 s');
    expect(levelText(0, { unit: 'number' })).toBe('0');
    expect(levelText(1e-9, { unit: 'number' })).toBe('1.0 × 10⁻⁹');
    expect(levelText(1e9, { unit: 'number' })).toBe('1,000,000,000');
  });

  it('never prints an end that excludes 0 as 0', () => {
    expect(plain(boundsText(bounded(0.0004, 3.6), { unit: 'number' }))).toBe('> 0 … +3.6');
    expect(plain(boundsText(bounded(-3.6, -0.0004), { unit: 'number' }))).toBe('−3.6 … < 0');
    const end = fc.double({ min: -1e6, max: 1e6, noNaN: true }).filter((value) => Math.abs(value) > 1e-9);
    fc.assert(
      fc.property(end, end, (a, b) => {
        const interval = bounded(Math.min(a, b), Math.max(a, b));
        fc.pre(interval.upper > interval.lower);
        const [low = '', high = ''] = boundsText(interval, { unit: 'number' }).split(' … ');
        for (const [text, value] of [
          [low, interval.lower],
          [high, interval.upper],
        ] as const) {
          expect(/^[+>]/.test(text)).toBe(value > 0);
          expect(/^[−<]/.test(text)).toBe(value < 0);
        }
      }),
    );
  });

  it('names open ends, counts, shares and p-values', () => {
    expect(boundsText({ kind: 'lower', lower: 0.2 }, { unit: 'number' })).toBe('above +0.200');
    expect(boundsText({ kind: 'unbounded' }, { unit: 'number' })).toBe('unbounded');
    expect([countText(1851), plain(countText(1_240_000))]).toEqual(['1,851', '1.24 M']);
    expect([shareText(0.7404), shareText(0.0042), shareText(0)].map(plain)).toEqual(['74.0 %', '0.42 %', '0.0 %']);
    expect([0.043, 0.51, 1.043e-5, 0].map(pValueText)).toEqual([
      'p = 0.043',
      'p = 0.51',
      'p = 1.0 × 10⁻⁵',
      'p < 10⁻³⁰⁰',
    ]);
    expect(plain(relativeText(0.0459))).toBe('+4.6 % rel.');
  });
});
