import { describe, expect, it } from 'vitest';
import { chiSquared, createRandom, momentsOf, sampleRatio } from './index.ts';

const draw = <T>(count: number, f: () => T): T[] => Array.from({ length: count }, f);

describe('createRandom', () => {
  it('tells the same story for the same seed, whether given as number or text', () => {
    const a = createRandom(42);
    const b = createRandom('42');
    expect(draw(20, a.uniform)).toEqual(draw(20, b.uniform));
    expect(draw(5, createRandom(43).uniform)).not.toEqual(draw(5, createRandom(42).uniform));
  });

  it('keeps its sequence for ever (first draws of seed 1)', () => {
    const random = createRandom(1);
    expect(draw(3, () => random.integer(1_000_000))).toMatchInlineSnapshot(`
      [
        528263,
        981579,
        157166,
      ]
    `);
    expect(random.stream('users').integer(1_000_000)).toMatchInlineSnapshot(`671238`);
  });

  it('a stream does not depend on what was drawn before, and streams do not follow one another', () => {
    const first = createRandom(7);
    const second = createRandom(7);
    draw(13, second.normal);
    expect(draw(5, first.stream('a').uniform)).toEqual(draw(5, second.stream('a').uniform));
    const n = 20_000;
    const a = draw(n, createRandom(7).stream('user-1').uniform);
    const b = draw(n, createRandom(7).stream('user-2').uniform);
    const correlation = a.reduce((sum, value, i) => sum + (value - 0.5) * (b[i]! - 0.5), 0) * (12 / n);
    expect(Math.abs(correlation)).toBeLessThan(4 / Math.sqrt(n));
  });

  it('is uniform and normal by its moments and cells', () => {
    const random = createRandom('quality');
    const n = 200_000;
    const cells = new Array<number>(50).fill(0);
    for (let i = 0; i < n; i += 1) cells[Math.floor(random.uniform() * 50)]! += 1;
    const uniform = sampleRatio(cells, new Array<number>(50).fill(1));
    expect(uniform.kind === 'tested' && uniform.pValue).toBeGreaterThan(1e-4);
    const normals = draw(n, random.normal);
    const { mean, m2 } = momentsOf(normals);
    expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(n));
    expect(chiSquared(n - 1).sf(m2)).toBeGreaterThan(1e-4);
    expect(chiSquared(n - 1).cdf(m2)).toBeGreaterThan(1e-4);
    const beyond = normals.filter((value) => Math.abs(value) > 1.959963984540054).length / n;
    expect(Math.abs(beyond - 0.05)).toBeLessThan(0.002);
  });

  it('whole numbers stay in range and favour none', () => {
    const random = createRandom('whole');
    const cells = [0, 0, 0];
    for (let i = 0; i < 30_000; i += 1) cells[random.integer(3)]! += 1;
    const result = sampleRatio(cells, [1, 1, 1]);
    expect(result.kind === 'tested' && result.pValue).toBeGreaterThan(1e-4);
    expect(random.integer(1)).toBe(0);
    expect(() => random.integer(0)).toThrow(new RangeError('below is 0, must be in 1..2^32'));
    expect(() => createRandom(Number.NaN)).toThrow('seed is NaN, must be finite');
  });
});
