import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Interval } from '../../stats/index.ts';
import { renderIntervalPlot } from './interval-plot.ts';

const style = { width: 60, colour: false, unicode: true } as const;
const row = (lower: number, estimate: number, upper: number) => ({
  label: 'accuracy',
  estimate,
  interval: { kind: 'bounded', lower, upper } as Interval,
  text: '+1',
});

describe('renderIntervalPlot', () => {
  it('draws the picture', () => {
    expect(renderIntervalPlot([row(-1, 1, 3), { ...row(1, 2, 3), label: 'net' }], style)).toEqual([
      'accuracy                ├─────│─────●───────────┤    +1',
      'net                           │     ├─────●─────┤    +1',
    ]);
  });

  it('leaves the zero line free exactly when the interval leaves zero out', () => {
    const far = fc.double({ min: 1, max: 100, noNaN: true });
    // Nearer to zero than one column is drawn on the line.
    const nearShare = fc.double({ min: 0.21, max: 1, noNaN: true });
    const within = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        far,
        nearShare,
        within,
        fc.constantFrom(-1, 1),
        fc.constantFrom(-1, 1),
        (reach, share, at, side, other) => {
          const [lower, upper] = [side * reach, other * share * reach].toSorted((x, y) => x - y) as [number, number];
          const estimate = lower + at * (upper - lower);
          const [line] = renderIntervalPlot([row(lower, estimate, upper)], style);
          const zero = 10 + 20;
          const covers = lower < 0 && upper > 0;
          const cells = [line![zero - 1], line![zero + 1]].join('');
          expect(/[─├┤●]/.test(cells[0]!) && /[─├┤●]/.test(cells[1]!)).toBe(covers);
        },
      ),
    );
  });

  it('shows an open end as an arrow at the edge', () => {
    const open = { ...row(0, 2, 0), interval: { kind: 'lower', lower: 1 } as Interval };
    expect(renderIntervalPlot([open], style)[0]).toMatch(/│ +├─+●─+►/);
    expect(renderIntervalPlot([open], { ...style, unicode: false })[0]).toMatch(/: +\|-+o-+>/);
    const unknown = { ...open, interval: { kind: 'unbounded' } as Interval };
    expect(renderIntervalPlot([unknown], style)[0]).toMatch(/◄─+│─+●─*►/);
  });

  it('puts the numbers on a line of their own where there is no room beside the picture', () => {
    const lines = renderIntervalPlot([{ ...row(-1, 0, 1), text: 'x'.repeat(40) }], style);
    expect(lines).toHaveLength(2);
    expect(lines[1]!.trim()).toBe('x'.repeat(40));
  });

  it('draws a difference of nothing on the zero line', () => {
    expect(renderIntervalPlot([row(0, 0, 0)], style)[0]).toMatch(/^accuracy +● +\+1$/);
  });
});
