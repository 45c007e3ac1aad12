// How does a number read in a sentence of the report? The one place that rounds.
import type { Interval } from '../stats/index.ts';

/** A number with at most `digits` significant digits, thousands separated: `51,682`, `0.0509`, `-4.74`. */
export function numberText(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return value > 0 ? 'infinity' : '-infinity';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size < 1e-4) return value.toExponential(digits - 1);
  // Whole parts stay whole: 658,825 must not become 659,000 only because three digits were asked for.
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  const [whole = '0', fraction = ''] = value.toFixed(Math.min(decimals, 20)).split('.');
  const trimmed = fraction.replace(/0+$/, '');
  return groupedText(trimmed === '' ? whole : `${whole}.${trimmed}`);
}

/** Thousands separated, decimals as they are. */
function groupedText(decimal: string): string {
  const [whole = '0', fraction] = decimal.split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** A share as percent with `decimals` decimals: `74.0 %`. */
export function percentText(share: number, decimals = 1): string {
  return `${(share * 100).toFixed(decimals)} %`;
}

/** A probability that never claims certainty: `0.67`, `0.993`, `> 0.999`. */
export function chanceText(probability: number): string {
  if (probability > 0.999) return '> 0.999';
  if (probability < 0.001) return '< 0.001';
  return probability > 0.95 ? probability.toFixed(3) : numberText(probability, 2);
}

/** A count a plan can use: two significant digits, whole thousands from 10,000, three digits from a million. */
export function aboutText(count: number): string {
  const digits = Math.floor(Math.log10(Math.max(1, count)));
  const unit = digits < 4 ? 10 ** Math.max(0, digits - 1) : Math.max(1000, 10 ** (digits - 2));
  return numberText(Math.round(count / unit) * unit, 1);
}

/** A duration in its two largest units: `2 h 15 min`, `48 h`, `28 d`. */
export function durationText(durationMs: number): string {
  const minutes = Math.max(0, Math.round(durationMs / 60_000));
  if (minutes < 1) return `${numberText(Math.max(0, durationMs) / 1000, 2)} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 72) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 ? `${days} d` : `${days} d ${hours % 24} h`;
}

/** An interval in words, both ends with the same decimals: `-4.74 to 12.54`, `11.3 to 16.0`, `above 0.2`. */
export function intervalText(interval: Interval, digits = 3): string {
  switch (interval.kind) {
    case 'bounded':
      return endsText(interval, digits);
    case 'lower':
      return `above ${numberText(interval.lower, digits)}`;
    case 'upper':
      return `below ${numberText(interval.upper, digits)}`;
    case 'unbounded':
      return 'unbounded';
  }
}

/** The end that needs more decimals for its digits sets them for both; a plain 0 stays one. */
function endsText({ lower, upper }: { readonly lower: number; readonly upper: number }, digits: number): string {
  const ends = [lower, upper] as const;
  const texts = ends.map((end) => numberText(end, digits));
  const decimals = Math.max(...texts.map((text) => text.split('.')[1]?.length ?? 0));
  const isPlain = texts.every((text) => /^[-\d,.]+$/.test(text));
  const [low, high] = isPlain ? ends.map((end) => (end === 0 ? '0' : groupedText(end.toFixed(decimals)))) : texts;
  return `${low} to ${high}`;
}

/** The lower end; minus infinity where the interval has none. */
export function lowerEnd(interval: Interval): number {
  return interval.kind === 'bounded' || interval.kind === 'lower' ? interval.lower : Number.NEGATIVE_INFINITY;
}

/** The upper end; infinity where the interval has none. */
export function upperEnd(interval: Interval): number {
  return interval.kind === 'bounded' || interval.kind === 'upper' ? interval.upper : Number.POSITIVE_INFINITY;
}
