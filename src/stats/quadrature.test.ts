import { describe, expect, it } from 'vitest';
import { normal } from './normal.ts';
import { integrate, logAreaUnderConcave } from './quadrature.ts';

describe('quadrature', () => {
  it('is exact for polynomials, which checks every node and weight', () => {
    for (const degree of [0, 2, 8, 18, 30]) {
      expect(integrate((x) => x ** degree, [-1, 1])).toBeCloseTo(2 / (degree + 1), 14);
    }
    expect(integrate((x) => Math.exp(x), [3, 0])).toBeCloseTo(Math.expm1(3), 12);
  });

  it('finds a spike when a break points at it, and a root at an end', () => {
    const spike = (x: number): number => normal.pdf((x - 0.3) / 1e-6) / 1e-6;
    expect(integrate(spike, [-5, 0.3 - 1e-5, 0.3, 0.3 + 1e-5, 40])).toBeCloseTo(1, 9);
    expect(integrate(Math.sqrt, [0, 1])).toBeCloseTo(2 / 3, 12);
  });

  it('keeps the logarithm of an area that no number can hold', () => {
    const landscape = { start: 0, scale: 1, breaks: [] };
    const log = logAreaUnderConcave((x) => -5000 - (x - 700) ** 2 / 8, landscape);
    expect(log).toBeCloseTo(-5000 + Math.log(2 * Math.sqrt(2 * Math.PI)), 10);
  });
});
