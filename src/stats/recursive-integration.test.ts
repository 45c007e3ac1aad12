import { describe, expect, it } from 'vitest';
import { normal } from './normal.ts';
import reference from './recursive-integration.fixture.json' with { type: 'json' };
import { atStart, massAbove, massBelow, pathsInside, usualReach } from './recursive-integration.ts';

describe('recursive integration', () => {
  it('agrees with iterated integrals in 25 digits', () => {
    expect(reference.length).toBe(9);
    for (const { information, lower, upper, drift, above, below } of reference) {
      let paths = atStart;
      for (const [k, time] of information.entries()) {
        for (const [got, want] of [
          [massAbove(paths, { time, z: upper[k]!, drift }), above[k]!],
          [massBelow(paths, { time, z: lower[k]!, drift }), below[k]!],
        ] as const) {
          expect(Math.abs(got / want - 1), JSON.stringify({ information, k, got, want })).toBeLessThan(2e-12);
        }
        const look = { time, lower: lower[k]!, upper: upper[k]!, drift, reach: usualReach };
        const next = information[k + 1];
        if (next !== undefined) paths = pathsInside(paths, { ...look, next });
      }
    }
  });

  it('loses no path: those that leave and those that stay make 1 at every look', () => {
    for (const drift of [-3, 0, 5]) {
      let paths = atStart;
      let gone = 0;
      const times = [0.05, 0.06, 0.3, 0.31, 0.9, 1];
      for (const [k, time] of times.entries()) {
        const [lower, upper] = [-1.5 - (k % 2), 2 + 0.3 * k];
        gone += massAbove(paths, { time, z: upper, drift }) + massBelow(paths, { time, z: lower, drift });
        paths = pathsInside(paths, { time, lower, upper, next: times[k + 1] ?? 2, drift, reach: usualReach });
        const stay = paths.masses.reduce((sum, mass) => sum + mass, 0);
        expect(gone + stay).toBeCloseTo(1, 12);
      }
    }
  });

  it('forgets a look without boundaries: the tail after it is the normal one, far out too', () => {
    for (const reach of [usualReach, 38]) {
      let paths = atStart;
      for (const time of [0.2, 0.5, 0.8]) {
        paths = pathsInside(paths, { time, lower: -Infinity, upper: Infinity, next: time + 0.2, drift: 0, reach });
      }
      for (const z of reach > 12 ? [0, 3, 12, 20, 30] : [0, 3, 8]) {
        const got = massAbove(paths, { time: 1, z, drift: 0 });
        expect(Math.abs(got / normal.sf(z) - 1), `${z} ${got}`).toBeLessThan(1e-10);
      }
    }
  });
});
