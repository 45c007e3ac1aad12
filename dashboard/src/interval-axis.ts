// Onto which scale do intervals go? One linear axis for all of a unit, wide enough for most, with arrows for the rest.
import type { Insufficient, Interval } from '../../src/stats/index.ts';

/** A linear axis from `from` to `to`. */
export interface IntervalAxis {
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly number[];
}

/** One thing to be drawn: an estimate with an interval, or a mark such as a limit. */
export interface AxisItem {
  readonly estimate?: number | undefined;
  readonly interval?: Interval | Insufficient | undefined;
}

/** An interval wider than this many median half-widths is cut and gets an arrow. */
const widest = 4;

/**
 * The axis of several intervals: 0, all `marks`, and the union of the intervals; much wider ones are cut.
 */
export function axisOf(items: readonly AxisItem[], marks: readonly number[] = []): IntervalAxis {
  const widths = items
    .flatMap(({ interval }) => (isBounded(interval) ? [(interval.upper - interval.lower) / 2] : []))
    .sort((a, b) => a - b);
  const median = widths[Math.floor(widths.length / 2)];
  const reach = median === undefined ? Number.POSITIVE_INFINITY : widest * median;
  const ends = items.flatMap(({ estimate, interval }) => {
    const centre = estimate ?? (isBounded(interval) ? (interval.lower + interval.upper) / 2 : undefined);
    const inside = isBounded(interval)
      ? [Math.max(interval.lower, (centre ?? 0) - reach), Math.min(interval.upper, (centre ?? 0) + reach)]
      : [];
    return centre === undefined ? inside : [centre, ...inside];
  });
  const all = [0, ...marks, ...ends].filter(Number.isFinite);
  let from = Math.min(...all);
  let to = Math.max(...all);
  if (from === to) [from, to] = [from - 1, to + 1];
  const margin = (to - from) * 0.06;
  return { from: from - margin, to: to + margin, ticks: ticksOf(from, to) };
}

/** Where a value lies on the axis, percent of its length; 0 and 100 beyond the ends. */
export function placeOn({ from, to }: IntervalAxis, value: number): number {
  return Math.min(100, Math.max(0, ((value - from) / (to - from)) * 100));
}

/** Some four round numbers between two, 0 among them where it lies between. */
function ticksOf(from: number, to: number): readonly number[] {
  const rough = (to - from) / 3.5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough) ?? power * 10;
  const first = Math.ceil(from / step);
  const count = Math.floor(to / step) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, at) => (first + at) * step);
}

function isBounded(
  interval: Interval | Insufficient | undefined,
): interval is { readonly kind: 'bounded'; readonly lower: number; readonly upper: number } {
  return interval?.kind === 'bounded' && Number.isFinite(interval.lower) && Number.isFinite(interval.upper);
}
