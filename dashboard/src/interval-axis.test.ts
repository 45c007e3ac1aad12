import { describe, expect, it } from 'vitest';
import { axisOf, placeOn } from './interval-axis.ts';

const bounded = (lower: number, upper: number) => ({ interval: { kind: 'bounded', lower, upper } as const });

describe('the axis of intervals', () => {
  it('holds 0, the limits and every interval', () => {
    const axis = axisOf([bounded(1, 3), bounded(2, 5)], [8]);
    expect(axis.from).toBeLessThan(0);
    expect(axis.to).toBeGreaterThan(8);
    expect(axis.ticks).toContain(0);
    expect(placeOn(axis, axis.from)).toBe(0);
  });

  it('is not squeezed by one interval that is much wider', () => {
    const axis = axisOf([bounded(-1, 1), bounded(-1, 1), bounded(-100, 100)]);
    expect(axis.to).toBeLessThan(10);
    expect(placeOn(axis, 100)).toBe(100);
  });

  it('stands when there is nothing to show', () => {
    expect(axisOf([]).ticks.length).toBeGreaterThan(0);
  });
});
