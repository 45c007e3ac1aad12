import { describe, expect, it } from 'vitest';
import { chanceText, intervalText } from './number-text.ts';

describe('numbers in a sentence', () => {
  it.each([
    [11.3, 16, '11.3 to 16.0'],
    [-0.0335, 0.051, '-0.0335 to 0.0510'],
    [-4.7449, 12.5449, '-4.74 to 12.54'],
    [0, 0.0082869, '0 to 0.00829'],
    [0.9918, 1, '0.992 to 1.000'],
    [1234, 56_789, '1,234 to 56,789'],
    [999.5, 1234.56, '1,000 to 1,235'],
    [-20, 3, '-20 to 3'],
    [-0.00001, 0.07, '-1.00e-5 to 0.07'],
  ])('both ends of an interval show the same decimals: %d and %d', (lower, upper, text) => {
    expect(intervalText({ kind: 'bounded', lower, upper })).toBe(text);
  });

  it('an open interval is told in words', () => {
    expect(intervalText({ kind: 'lower', lower: 0.2 })).toBe('above 0.2');
    expect(intervalText({ kind: 'upper', upper: 16 })).toBe('below 16');
    expect(intervalText({ kind: 'unbounded' })).toBe('unbounded');
  });

  it.each([
    [1, '> 0.999'],
    [0.99951, '> 0.999'],
    [0.9989, '0.999'],
    [0.996, '0.996'],
    [0.67, '0.67'],
    [0.0721, '0.072'],
    [0.0012, '0.0012'],
    [0, '< 0.001'],
  ])('a probability of %d never claims certainty', (probability, text) => {
    expect(chanceText(probability)).toBe(text);
  });
});
