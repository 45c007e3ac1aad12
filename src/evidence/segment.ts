// By what may a report be cut besides declared context? New units, weeks, and days since the first exposure.
import { double } from './sql-text.ts';

const dayMs = 86_400_000;

/** True for segments made from the evidence itself. */
export function isBuiltInSegment(name: string): boolean {
  return name === 'new_unit' || isOrderedSegment(name);
}

/** True for segments whose values have an order of their own, which is theirs in the report too. */
export function isOrderedSegment(name: string): boolean {
  return name === 'first_seen' || name === 'days_since_exposure';
}

/** Days since the first exposure that are put together: from (inclusive) each of these days on. */
const ageBands = [
  { from: 0, label: '0' },
  { from: 1, label: '1' },
  { from: 2, label: '2' },
  { from: 3, label: '3-6' },
  { from: 7, label: '7-13' },
  { from: 14, label: '14-27' },
  { from: 28, label: '28+' },
] as const;

/** What a value of a built-in segment is called: bands of days, and weeks by their Monday. */
export function segmentLabel(segment: string, value: string): string {
  if (segment === 'days_since_exposure') return ageBands[Number(value)]?.label ?? value;
  if (segment !== 'first_seen' || !/^-?\d+$/.test(value)) return value;
  return new Date((Number(value) * 7 - 3) * dayMs).toISOString().slice(0, 10);
}

/** Band of days of the row `alias` (time_ms, first_ms), from 0. */
export function ageBand(alias: string): string {
  const cases = ageBands
    .slice(1)
    .map(({ from }, band) => `WHEN ${alias}.time_ms - ${alias}.first_ms < ${double(from * dayMs)} THEN ${band}`);
  return `CASE ${cases.join(' ')} ELSE ${ageBands.length - 1} END`;
}
