// Are two documents the same but for rounding?
import { expect } from 'vitest';

/** Equal, numbers to 1e-9 of their size. */
export function expectClose(found: unknown, expected: unknown, place = 'summary'): void {
  if (typeof expected === 'number' && typeof found === 'number') {
    const distance = Math.abs(found - expected);
    expect(distance, `${place}: ${found} against ${expected}`).toBeLessThanOrEqual(
      1e-9 * Math.max(1, Math.abs(expected)),
    );
  } else if (typeof expected === 'object' && expected !== null) {
    expect(Object.keys(found as object).sort(), place).toEqual(Object.keys(expected).sort());
    for (const [key, value] of Object.entries(expected)) {
      expectClose((found as Record<string, unknown>)[key], value, `${place}.${key}`);
    }
  } else {
    expect(found, place).toEqual(expected);
  }
}
