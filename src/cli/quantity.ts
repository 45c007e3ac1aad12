// What does a person mean by `90d` or `50GB`?
import { AssayError } from '../errors.ts';

const unitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const unitsBytes = { B: 1, KB: 1_000, MB: 1_000_000, GB: 1_000_000_000, TB: 1_000_000_000_000 } as const;

/** Milliseconds of `30m`, `24h` or `90d`. @throws AssayError `usage-invalid` naming the option. */
export function parseDuration(text: string, option: string): number {
  return quantityIn(text, { option, units: unitsMs, example: 'a duration such as 30m, 24h or 90d' });
}

/** Bytes of `500MB` or `50GB`, in powers of 1,000. @throws AssayError `usage-invalid` naming the option. */
export function parseBytes(text: string, option: string): number {
  return quantityIn(text, { option, units: unitsBytes, example: 'a size such as 500MB or 50GB' });
}

/** Bytes as people read them. */
export function bytesText(bytes: number): string {
  const [unit, size] = Object.entries(unitsBytes).findLast(([, least]) => bytes >= least) ?? ['B', 1];
  return `${unit === 'B' ? bytes : (bytes / size).toFixed(1)} ${unit}`;
}

function quantityIn(
  text: string,
  rule: { readonly option: string; readonly units: Readonly<Record<string, number>>; readonly example: string },
): number {
  const [, digits = '', unit = ''] = /^(\d{1,15}(?:\.\d{1,3})?)([A-Za-z]+)$/.exec(text.trim()) ?? [];
  const size = Object.hasOwn(rule.units, unit) ? rule.units[unit] : undefined;
  if (digits === '' || size === undefined || Number(digits) === 0)
    throw new AssayError('usage-invalid', `${rule.option} is "${text}", must be ${rule.example}`);
  return Math.round(Number(digits) * size);
}
