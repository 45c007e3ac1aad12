// How does a number look to a person? Digits that carry information, units, and words where there is no number.
import type { Interval } from '../../stats/index.ts';

/** What a number counts; decides its digits and its suffix. `share` is 0..1 inside and percent on paper. */
export type Unit = 'number' | 'share' | 'ms';

/** How much a terminal can show. */
export interface TerminalStyle {
  /** Columns; no line is longer. At least 60. */
  readonly width: number;
  readonly colour: boolean;
  /** False: ASCII only. */
  readonly unicode: boolean;
}

/** Gives the style of a stream: 80 columns, no colour and Unicode for a pipe; NO_COLOR and TERM=dumb are respected. */
export function terminalStyle(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  env: Readonly<Record<string, string | undefined>>,
): TerminalStyle {
  const isDumb = env.TERM === 'dumb';
  const forced = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '0';
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
  return {
    width: Math.min(120, Math.max(60, (stream.isTTY && stream.columns) || 80)),
    colour: !env.NO_COLOR && (forced || (stream.isTTY === true && !isDumb)),
    // An empty locale is a bare container or Windows, where UTF-8 is the rule; only a named other charset is a no.
    unicode: !isDumb && locale !== 'C' && locale !== 'POSIX' && (!locale.includes('.') || /utf-?8/i.test(locale)),
  };
}

/** A whole number with thousands separators: `2,500`. */
export function formatCount(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 });
}

/** A number in its unit, `70.1 %`, `51.2 ms`, `3.90`; two to three digits that carry information. */
export function formatQuantity(value: number, unit: Unit): string {
  if (unit === 'share') return `${withDecimals(value * 100, decimalsFor(value * 100, 1))} %`;
  return `${withDecimals(value, decimalsFor(value, 2))}${unit === 'ms' ? ' ms' : ''}`;
}

/** A difference in its unit with its sign; a difference of shares is in points: `+5.2 pts`. */
export function formatDifference(value: number, unit: Unit): string {
  const shown = unit === 'share' ? value * 100 : value;
  return `${signed(shown, decimalsFor(shown, 1))}${differenceSuffix(unit)}`;
}

/** A difference and its interval with the same decimals: `+5.2 pts [+1.1, +9.3]`; an open end is `..`. */
export function formatDifferenceWithInterval(value: number, interval: Interval, unit: Unit): string {
  const factor = unit === 'share' ? 100 : 1;
  const ends = endsOf(interval);
  const largest = Math.max(
    ...[value, ends.lower, ends.upper].filter(Number.isFinite).map((end) => Math.abs(end * factor)),
  );
  const decimals = decimalsFor(largest, 1);
  const end = (side: number): string => (Number.isFinite(side) ? signed(side * factor, decimals) : '..');
  return `${signed(value * factor, decimals)}${differenceSuffix(unit)} [${end(ends.lower)}, ${end(ends.upper)}]`;
}

/** `p = 0.051`; below 0.0001 in powers of ten: `p = 1.0e-5`. */
export function formatPValue(value: number): string {
  if (value === 0) return 'p < 1e-300';
  if (value < 0.0001) return `p = ${value.toExponential(1)}`;
  return `p = ${value.toFixed(value < 0.001 ? 5 : value < 0.0995 ? 3 : 2)}`;
}

/** A probability, never rounded to certainty: `0.71`, `> 0.999`. */
export function formatProbability(value: number): string {
  if (value > 0.9995) return '> 0.999';
  if (value < 0.0005) return '< 0.001';
  return value.toFixed(value > 0.95 || value < 0.05 ? 3 : 2);
}

/** Both ends of an interval, infinite where it is open. */
export function endsOf(interval: Interval): { readonly lower: number; readonly upper: number } {
  return {
    lower: interval.kind === 'bounded' || interval.kind === 'lower' ? interval.lower : Number.NEGATIVE_INFINITY,
    upper: interval.kind === 'bounded' || interval.kind === 'upper' ? interval.upper : Number.POSITIVE_INFINITY,
  };
}

/**
 * Breaks a text into lines of at most `width` characters; a word longer than a line is cut.
 *
 * @param options.indent spaces before every line but the first.
 */
export function wrapText(
  text: string,
  options: { readonly width: number; readonly indent?: number },
): readonly string[] {
  const indent = ' '.repeat(options.indent ?? 0);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    let rest = word;
    if (line.trim() !== '' && line.length + 1 + rest.length > options.width) {
      lines.push(line);
      line = indent;
    }
    while (line.length + rest.length > options.width) {
      const room = options.width - line.length;
      lines.push(line + rest.slice(0, room));
      rest = rest.slice(room);
      line = indent;
    }
    line = line === '' || line === indent ? `${line}${rest}` : `${line} ${rest}`;
  }
  if (line.trim() !== '') lines.push(line);
  return lines;
}

/** Cuts a text to `width` characters, the last one a mark that something is missing. */
export function shorten(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}~`;
}

/** Decimals that leave `extra` + 1 significant digits on the number, but at least one below 100 and none above. */
function decimalsFor(value: number, extra: number): number {
  const size = Math.abs(value);
  if (size === 0 || size >= 100) return 0;
  return Math.min(8, Math.max(1, extra - Math.floor(Math.log10(size))));
}

function withDecimals(value: number, decimals: number): string {
  const text = value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return /^-[0.]*$/.test(text) ? text.slice(1) : text;
}

function signed(value: number, decimals: number): string {
  const text = withDecimals(value, decimals);
  return text.startsWith('-') || /^[0.]*$/.test(text) ? text : `+${text}`;
}

function differenceSuffix(unit: Unit): string {
  return unit === 'share' ? ' pts' : unit === 'ms' ? ' ms' : '';
}
