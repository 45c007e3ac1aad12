import { describe, expect, it } from 'vitest';
import { bytesText, parseBytes, parseDuration } from './quantity.ts';

describe('a quantity on the command line', () => {
  it('is a number with its unit', () => {
    expect(parseDuration('90d', '--keep')).toBe(90 * 86_400_000);
    expect(parseDuration(' 1.5h', '--keep')).toBe(5_400_000);
    expect(parseBytes('50GB', '--max-bytes')).toBe(50e9);
    expect(parseBytes('0.5MB', '--max-bytes')).toBe(500_000);
    for (const text of ['90', 'd', '-1d', '0d', '1 d', '1e3d', '5apples', '1toString', ''])
      expect(() => parseDuration(text, '--keep'), text).toThrow(
        `--keep is "${text}", must be a duration such as 30m, 24h or 90d`,
      );
  });

  it('is shown in the largest unit that it fills', () => {
    expect([0, 999, 1_000, 1_250_000, 5e13].map(bytesText)).toEqual(['0 B', '999 B', '1.0 KB', '1.3 MB', '50.0 TB']);
  });
});
