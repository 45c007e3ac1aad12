// Is the difference on one side of nothing? One line per interval, around a common zero line.
import type { Interval } from '../../stats/index.ts';
import { endsOf, shorten, type TerminalStyle } from './format.ts';

/** One line of the plot. */
export interface PlotRow {
  readonly label: string;
  readonly estimate: number;
  readonly interval: Interval;
  /** The same in numbers, printed beside the picture. */
  readonly text: string;
}

interface Glyphs {
  readonly zero: string;
  readonly line: string;
  readonly from: string;
  readonly to: string;
  readonly point: string;
  readonly openFrom: string;
  readonly openTo: string;
}

const unicodeGlyphs: Glyphs = { zero: '│', line: '─', from: '├', to: '┤', point: '●', openFrom: '◄', openTo: '►' };
const asciiGlyphs: Glyphs = { zero: ':', line: '-', from: '|', to: '|', point: 'o', openFrom: '<', openTo: '>' };
const smallestPlot = 21;

/**
 * Gives the lines of an interval plot, none longer than `style.width`.
 *
 * Zero stands in the same column in every row; each row has its own scale, because the rows have different units.
 */
export function renderIntervalPlot(rows: readonly PlotRow[], style: TerminalStyle): readonly string[] {
  if (rows.length === 0) return [];
  const labelWidth = Math.min(24, Math.max(...rows.map((row) => row.label.length)));
  const textWidth = Math.max(...rows.map((row) => row.text.length));
  const beside = style.width - labelWidth - textWidth - 4;
  const isBeside = beside >= smallestPlot;
  // An odd width gives zero a column of its own in the middle.
  const plotWidth = oddBelow(isBeside ? Math.min(beside, 41) : style.width - labelWidth - 2);
  return rows.flatMap((row) => {
    const head = `${shorten(row.label, labelWidth).padEnd(labelWidth)}  ${drawInterval(row, plotWidth, style.unicode)}`;
    if (isBeside) return [`${head}  ${row.text}`.trimEnd()];
    return [head.trimEnd(), shorten(`${' '.repeat(labelWidth + 2)}${row.text}`, style.width)];
  });
}

function drawInterval(row: PlotRow, width: number, unicode: boolean): string {
  const glyphs = unicode ? unicodeGlyphs : asciiGlyphs;
  const { lower, upper } = endsOf(row.interval);
  const reach = Math.max(...[lower, upper, row.estimate].filter(Number.isFinite).map(Math.abs)) * 1.1;
  const middle = (width - 1) / 2;
  const column = (value: number): number =>
    Math.min(width - 1, Math.max(0, Math.round(reach === 0 ? middle : middle + (value / reach) * middle)));
  const cells = new Array<string>(width).fill(' ');
  const from = lower === Number.NEGATIVE_INFINITY ? 0 : column(lower);
  const to = upper === Number.POSITIVE_INFINITY ? width - 1 : column(upper);
  for (let at = from; at <= to; at++) cells[at] = glyphs.line;
  cells[middle] = glyphs.zero;
  cells[from] = lower === Number.NEGATIVE_INFINITY ? glyphs.openFrom : glyphs.from;
  cells[to] = upper === Number.POSITIVE_INFINITY ? glyphs.openTo : glyphs.to;
  cells[column(row.estimate)] = glyphs.point;
  return cells.join('');
}

function oddBelow(width: number): number {
  return width % 2 === 1 ? width : width - 1;
}
