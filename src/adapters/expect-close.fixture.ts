// Are two documents the same but for rounding?
import { expect } from 'vitest';

/** Equal, numbers to a part of their size. */
export function expectClose(found: unknown, expected: unknown, place = 'summary', tolerance = 1e-9): void {
  if (typeof expected === 'number' && typeof found === 'number') {
    const distance = Math.abs(found - expected);
    expect(distance, `${place}: ${found} against ${expected}`).toBeLessThanOrEqual(
      tolerance * Math.max(1, Math.abs(expected)),
    );
  } else if (typeof expected === 'object' && expected !== null) {
    expect(Object.keys(found as object).sort(), place).toEqual(Object.keys(expected).sort());
    for (const [key, value] of Object.entries(expected)) {
      expectClose((found as Record<string, unknown>)[key], value, `${place}.${key}`, tolerance);
    }
  } else {
    expect(found, place).toEqual(expected);
  }
}
