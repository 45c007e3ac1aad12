// What stands side by side: variants, and the same split by segment, in tables no wider than the terminal.
import Table from 'cli-table3';
import type { LatencyEntry, MetricEntry, Report } from '../../decision/index.ts';
import type { Insufficient } from '../../stats/index.ts';
import {
  formatCount,
  formatDifferenceWithInterval,
  formatQuantity,
  shorten,
  type TerminalStyle,
  type Unit,
} from './format.ts';

/** Units of the report's metrics by name; a metric without one is printed as a plain number. */
export type MetricUnits = Readonly<Record<string, Unit>>;

/** Stands where there is no number; the reasons are printed apart. */
export const absent = 'no answer';

/** Gives the results table: one row per measure, one column per variant; wide experiments give several tables. */
export function renderVariantTable(
  report: Report,
  options: { readonly style: TerminalStyle; readonly units: MetricUnits },
): readonly string[] {
  const { style, units } = options;
  const rows: (readonly [string, readonly string[]])[] = [];
  const add = (label: string, cell: (variant: Report['variants'][number]) => string): void => {
    const cells = report.variants.map(cell);
    // A file has no gateway behind it: rows that nobody can answer only hide the others.
    if (cells.some((text) => text !== absent)) rows.push([label, cells]);
  };
  add('requests', (variant) => formatCount(variant.requests));
  if (report.unit === 'unit') add('units', (variant) => formatCount(variant.units));
  add(`share of ${report.unit === 'unit' ? 'units' : 'requests'}`, (variant) => formatQuantity(variant.share, 'share'));
  add('  declared', (variant) => formatQuantity(variant.expectedShare, 'share'));
  add('failed', (variant) => orAbsent(variant.failureRate, 'share'));
  add('  seen by callers', (variant) => orAbsent(variant.callerFailureRate, 'share'));
  add('  answered by fallback', (variant) => orAbsent(variant.fallbackRate, 'share'));
  add('own time: mean', (variant) => latency(variant.attemptMs, 'mean'));
  add('  p50 / p95 / p99', (variant) => quantiles(variant.attemptMs));
  add("caller's time: mean", (variant) => latency(variant.callerMs, 'mean'));
  add('  p50 / p95 / p99', (variant) => quantiles(variant.callerMs));
  for (const metric of report.metrics) {
    const entryOf = new Map(metric.variants.map((entry) => [entry.variant, entry]));
    add(metric.name, ({ name }) => orAbsent(entryOf.get(name)?.estimate, units[metric.name] ?? 'number'));
    if (metric.variants.some((entry) => (entry.waiting ?? 0) > 0)) {
      add('  still waiting', ({ name }) => formatCount(entryOf.get(name)?.waiting ?? 0));
    }
  }
  const heads = report.variants.map(({ name }) => (name === report.control ? `${name} (control)` : name));
  return inBlocks(heads, { rows, style }).flat();
}

/** Gives one row per segment value and metric of interest: control, candidate, difference with interval. */
export function renderSegmentTable(
  report: Report,
  options: { readonly style: TerminalStyle; readonly units: MetricUnits },
): readonly string[] {
  const { style, units } = options;
  const declared = report.segments.flatMap(({ metrics }) => metrics).some(({ role }) => isOfInterest(role));
  const lines = report.segments.flatMap(({ segment, value, metrics }) =>
    metrics
      .filter(({ role }) => !declared || isOfInterest(role))
      .flatMap((metric) =>
        metric.variants
          .filter(({ variant }) => variant !== report.control)
          .map((entry): readonly string[] => {
            const unit = units[metric.name] ?? 'number';
            const control = metric.variants.find(({ variant }) => variant === report.control)?.estimate;
            const { difference } = entry;
            return [
              `${segment} = ${value}`,
              report.variants.length > 2 ? `${metric.name}, ${entry.variant}` : metric.name,
              orAbsent(control, unit),
              orAbsent(entry.estimate, unit),
              difference === undefined || 'kind' in difference || isInsufficient(difference.interval)
                ? absent
                : formatDifferenceWithInterval(difference.absolute, difference.interval, unit),
            ];
          }),
      ),
  );
  if (lines.length === 0) return [];
  const table = newTable(style, ['left', 'left', 'right', 'right', 'right']);
  table.push([
    'segment',
    'metric',
    'control',
    report.variants.length > 2 ? 'candidate' : candidateOf(report),
    'difference',
  ]);
  for (const line of lines) table.push(line.map((cell, at) => shorten(cell, at < 2 ? 18 : 28)));
  return linesOf(table).map((line) => shorten(line, style.width));
}

/** True for an answer that is not there. */
export function isInsufficient(answer: unknown): answer is Insufficient {
  return typeof answer === 'object' && answer !== null && 'kind' in answer && answer.kind === 'insufficient';
}

function isOfInterest(role: MetricEntry['role']): boolean {
  return role === 'primary' || role === 'secondary';
}

function candidateOf(report: Report): string {
  return report.variants.find(({ name }) => name !== report.control)?.name ?? 'candidate';
}

function orAbsent(answer: number | Insufficient | undefined, unit: Unit): string {
  return answer === undefined || isInsufficient(answer) ? absent : formatQuantity(answer, unit);
}

function latency(entry: LatencyEntry | Insufficient, part: keyof LatencyEntry): string {
  return 'kind' in entry ? absent : formatQuantity(entry[part], 'ms');
}

function quantiles(entry: LatencyEntry | Insufficient): string {
  if ('kind' in entry) return absent;
  const numbers = [entry.p50, entry.p95, entry.p99].map((value) => formatQuantity(value, 'number'));
  return `${numbers.join(' / ')} ms`;
}

/** As many variant columns as the width allows; further ones follow in blocks of their own. */
function inBlocks(
  heads: readonly string[],
  options: { readonly rows: readonly (readonly [string, readonly string[]])[]; readonly style: TerminalStyle },
): readonly (readonly string[])[] {
  const { rows, style } = options;
  const labelWidth = Math.min(24, Math.max(...rows.map(([label]) => label.length)));
  const cellWidths = heads.map((head, at) => Math.max(head.length, ...rows.map(([, cells]) => cells[at]!.length)));
  const blocks: number[][] = [];
  let used = Number.POSITIVE_INFINITY;
  for (const [at, width] of cellWidths.entries()) {
    const needed = Math.min(width, style.width - labelWidth - 7) + 3;
    if (used + needed > style.width) {
      blocks.push([]);
      used = labelWidth + 4;
    }
    blocks.at(-1)!.push(at);
    used += needed;
  }
  return blocks.map((columns) => {
    const table = newTable(style, ['left', ...columns.map(() => 'right' as const)]);
    const widest = style.width - labelWidth - 7;
    table.push(['', ...columns.map((at) => shorten(heads[at]!, widest))]);
    for (const [label, cells] of rows) {
      table.push([shorten(label, labelWidth), ...columns.map((at) => shorten(cells[at]!, widest))]);
    }
    return linesOf(table);
  });
}

/** A table without colour of its own; a rule under the head only. */
export function newTable(style: TerminalStyle, aligns: readonly ('left' | 'right')[]): Table.Table {
  const line = style.unicode ? '─' : '-';
  const edge = style.unicode ? '│' : '|';
  const corner = (glyph: string): string => (style.unicode ? glyph : '+');
  return new Table({
    colAligns: [...aligns],
    style: { head: [], border: [], compact: true },
    chars: {
      top: line,
      'top-mid': corner('┬'),
      'top-left': corner('┌'),
      'top-right': corner('┐'),
      bottom: line,
      'bottom-mid': corner('┴'),
      'bottom-left': corner('└'),
      'bottom-right': corner('┘'),
      left: edge,
      'left-mid': corner('├'),
      mid: line,
      'mid-mid': corner('┼'),
      right: edge,
      'right-mid': corner('┤'),
      middle: edge,
    },
  });
}

/** The rule below the head is put in by hand: `head` would add colours, and `compact` drops every rule. */
export function linesOf(table: Table.Table): readonly string[] {
  const lines = table.toString().split('\n');
  const top = lines[0]!;
  const rule = top.replace('┌', '├').replace('┐', '┤').replaceAll('┬', '┼');
  return [top, lines[1]!, rule, ...lines.slice(2)];
}
