// How does a measured number read beside its interval? Digits by the uncertainty, units and signs; page and report share it.
import type { Insufficient, Interval } from '../stats/index.ts';
import { chanceText } from './number-text.ts';

/**
 * What a number counts: `share` (0..1, shown as %, its differences as pp), `ms`, `number` (no unit), or any other text,
 * which is shown behind the number as it is (`points`, `$/day`).
 */
export type FigureUnit = 'share' | 'ms' | 'number' | (string & {});

/** How to show a figure. */
export interface FigureOptions {
  readonly unit: FigureUnit;
  /** Sets the digits: two of the half-width. Absent or insufficient: three significant digits. */
  readonly interval?: Interval | Insufficient | undefined;
}

/** Narrow no-break space: stands before units. */
const thin = '\u202f';
const minus = '\u2212';

/** A level in its unit: `78.5 %`, `79 ms`, `1.24 s`, `658,825`. */
export function levelText(value: number, { unit, interval }: FigureOptions): string {
  if (unit === 'ms' && !isBounded(interval) && Math.abs(value) >= 1000)
    return `${decimalText(value / 1000, decimalsFor(value / 1000, undefined))}${thin}s`;
  const shown = value * factorOf(unit);
  return `${decimalText(shown, decimalsFor(shown, scaled(interval, unit)))}${suffixOf(unit, 'level')}`;
}

/** A difference with its sign and unit: `+3.6 pp`, `−0.42 pp`, `+30.0 ms`. */
export function differenceText(value: number, { unit, interval }: FigureOptions): string {
  const shown = value * factorOf(unit);
  return `${signedText(shown, decimalsFor(shown, scaled(interval, unit)))}${suffixOf(unit, 'difference')}`;
}

/**
 * An interval in digits, its ends with the same decimals as the estimate: `+0.1 … +7.1`. An end that excludes 0 but would
 * round to it reads `> 0` or `< 0`; an open end is named.
 *
 * @param options.isLevel no signs: the interval is that of a level.
 */
export function boundsText(
  interval: Interval,
  { unit, isLevel = false }: { readonly unit: FigureUnit; readonly isLevel?: boolean },
): string {
  if (interval.kind === 'unbounded') return 'unbounded';
  const ends = scaled(interval, unit);
  const end = (value: number): string => {
    const decimals = decimalsFor(value, ends);
    const text = isLevel ? decimalText(value, decimals) : signedText(value, decimals);
    if (value === 0 || /[1-9]/.test(text)) return text;
    return value > 0 ? `>${thin}0` : `<${thin}0`;
  };
  const factor = factorOf(unit);
  if (interval.kind === 'lower') return `above ${end(interval.lower * factor)}`;
  if (interval.kind === 'upper') return `below ${end(interval.upper * factor)}`;
  return `${end(interval.lower * factor)} … ${end(interval.upper * factor)}`;
}

/** A relative difference: `+4.6 % rel.`; an interval sets the digits. */
export function relativeText(relative: number, interval?: Interval | Insufficient): string {
  const shown = relative * 100;
  const halfWidth = scaled(interval, 'share');
  const decimals =
    halfWidth === undefined ? Math.max(0, decimalsFor(shown, undefined) - 1) : decimalsFor(shown, halfWidth);
  return `${signedText(shown, decimals)}${thin}% rel.`;
}

/** A count: exact below a million, `1.24 M` from there. */
export function countText(count: number): string {
  return count < 1_000_000 ? decimalText(count, 0) : `${decimalText(count / 1_000_000, 2)}${thin}M`;
}

/** A share as percent: `74.0 %`; small ones keep two digits that say something. */
export function shareText(share: number): string {
  const shown = share * 100;
  const decimals = shown !== 0 && Math.abs(shown) < 1 ? Math.min(6, 1 - Math.floor(Math.log10(Math.abs(shown)))) : 1;
  return `${decimalText(shown, decimals)}${thin}%`;
}

/** A p-value with two digits, never 0: `p = 0.043`, `p = 1.0 × 10⁻⁵`. */
export function pValueText(pValue: number): string {
  if (pValue < 1e-300) return 'p < 10⁻³⁰⁰';
  if (pValue < 0.001) return `p = ${powerText(pValue)}`;
  return `p = ${decimalText(pValue, pValue < 0.1 ? 1 - Math.floor(Math.log10(pValue)) : 2)}`;
}

/** A probability that never claims certainty: `0.67`, `0.997`, `> 0.999`. */
export function probabilityText(probability: number): string {
  return chanceText(probability);
}

function isBounded(
  interval: Interval | Insufficient | undefined,
): interval is { readonly kind: 'bounded'; readonly lower: number; readonly upper: number } {
  return interval?.kind === 'bounded' && Number.isFinite(interval.upper - interval.lower);
}

const factorOf = (unit: FigureUnit): number => (unit === 'share' ? 100 : 1);

function suffixOf(unit: FigureUnit, form: 'level' | 'difference'): string {
  if (unit === 'number' || unit === '') return '';
  if (unit === 'share') return `${thin}${form === 'level' ? '%' : 'pp'}`;
  return `${thin}${unit}`;
}

/** Half-width in the shown unit; undefined without two ends. */
function scaled(interval: Interval | Insufficient | undefined, unit: FigureUnit): number | undefined {
  return isBounded(interval) ? ((interval.upper - interval.lower) / 2) * factorOf(unit) : undefined;
}

/** Decimals that show two digits of the half-width, or three of the number; negative: rounded to tens, hundreds, ... */
function decimalsFor(value: number, halfWidth: number | undefined): number {
  if (halfWidth !== undefined && halfWidth > 0) return 1 - Math.floor(Math.log10(halfWidth));
  if (value === 0) return 0;
  return Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
}

/** Grouped, with a real minus; powers of ten where decimals would be a row of zeros. */
function decimalText(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return value > 0 ? '∞' : `${minus}∞`;
  if (decimals > 7 && value !== 0 && Math.abs(value) < 1e-4) return powerText(value);
  const unit = 10 ** Math.max(0, -decimals);
  const rounded = decimals < 0 ? Math.round(value / unit) * unit : value;
  const text = rounded.toFixed(Math.min(20, Math.max(0, decimals)));
  const isZero = !/[1-9]/.test(text);
  const [whole = '0', fraction] = text.replace('-', '').split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  const digits = fraction === undefined ? grouped : `${grouped}.${fraction}`;
  return text.startsWith('-') && !isZero ? `${minus}${digits}` : digits;
}

function signedText(value: number, decimals: number): string {
  const text = decimalText(value, decimals);
  return text.startsWith(minus) || !/[1-9∞]/.test(text) ? text : `+${text}`;
}

const superscripts = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** `1.0 × 10⁻⁵`. */
function powerText(value: number): string {
  const [digits = '0', exponent = '0'] = value.toExponential(1).split('e');
  const power = [...String(Math.abs(Number(exponent)))].map((digit) => superscripts[Number(digit)]).join('');
  return `${digits.replace('-', minus)} × 10${Number(exponent) < 0 ? '⁻' : ''}${power}`;
}
