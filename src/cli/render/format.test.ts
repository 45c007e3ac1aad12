import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatDifference,
  formatDifferenceWithInterval,
  formatProbability,
  formatPValue,
  formatQuantity,
  wrapText,
} from './format.ts';

describe('numbers', () => {
  it.each([
    [0.7404, 'share', '74.0 %'],
    [0.0004, 'share', '0.040 %'],
    [1, 'share', '100 %'],
    [0, 'share', '0 %'],
    [51.234, 'ms', '51.2 ms'],
    [0.8412, 'ms', '0.841 ms'],
    [1234.5, 'ms', '1,235 ms'],
    [3.9, 'number', '3.90'],
    [-0.0000001, 'number', '-0.00000010'],
    [106_000, 'number', '106,000'],
  ] as const)('show %d (%s) as %s', (value, unit, text) => {
    expect(formatQuantity(value, unit)).toBe(text);
  });

  it('carry a sign where they are differences, and none where they are nothing', () => {
    expect(formatDifference(0.036, 'share')).toBe('+3.6 pts');
    expect(formatDifference(-1.9, 'ms')).toBe('-1.9 ms');
    expect(formatDifference(0, 'number')).toBe('0');
  });

  it('share their decimals with their interval, whose open ends are dots', () => {
    expect(formatDifferenceWithInterval(3.9, { kind: 'bounded', lower: -4.74, upper: 12.54 }, 'number')).toBe(
      '+3.9 [-4.7, +12.5]',
    );
    expect(formatDifferenceWithInterval(0.01, { kind: 'upper', upper: 0.02 }, 'share')).toBe('+1.0 pts [.., +2.0]');
    expect(formatDifferenceWithInterval(0, { kind: 'unbounded' }, 'ms')).toBe('0 ms [.., ..]');
  });

  it('keep small p-values and near-certainties apart from 0 and 1', () => {
    expect(formatPValue(0.0509)).toBe('p = 0.051');
    expect(formatPValue(0.0000104)).toBe('p = 1.0e-5');
    expect(formatPValue(0.375)).toBe('p = 0.38');
    expect(formatPValue(0)).toBe('p < 1e-300');
    expect(formatProbability(0.67)).toBe('0.67');
    expect(formatProbability(0.99999)).toBe('> 0.999');
    expect(formatProbability(0)).toBe('< 0.001');
  });
});

describe('wrapText', () => {
  it('keeps every character of every word, in lines no longer than asked', () => {
    const words = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '-', '.'), minLength: 1, maxLength: 30 }));
    fc.assert(
      fc.property(words, fc.integer({ min: 12, max: 60 }), (parts, width) => {
        const lines = wrapText(parts.join(' '), { width, indent: 2 });
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
        expect(lines.join('').replaceAll(' ', '')).toBe(parts.join(''));
      }),
    );
  });
});
