// What does a report look like in a terminal? Tables, an interval plot, value, checks, and the verdict with its reasons.
import pc from 'picocolors';
import type { Difference, MetricEntry, Report, ValueEntry, VerdictKind } from '../../decision/index.ts';
import {
  formatDifference,
  formatDifferenceWithInterval,
  formatProbability,
  formatPValue,
  formatQuantity,
  type TerminalStyle,
  wrapText,
} from './format.ts';
import { type PlotRow, renderIntervalPlot } from './interval-plot.ts';
import { moneyLines } from './money.ts';
import { renderPublishedTable } from './published-table.ts';
import { absent, isInsufficient, type MetricUnits, renderSegmentTable, renderVariantTable } from './tables.ts';

/** Options of `renderReport`. */
export interface RenderReportOptions extends Partial<TerminalStyle> {
  /** By metric name, see `metricUnits`; default: proportions are shares, the rest are plain numbers. */
  readonly units?: MetricUnits;
}

function unitsOf(report: Report, units: MetricUnits = {}): MetricUnits {
  const known = report.metrics.map(({ name, kind }) => [name, kind === 'proportion' ? 'share' : 'number'] as const);
  return { ...Object.fromEntries(known), ...units };
}

type Colours = ReturnType<typeof pc.createColors>;

/** One report being drawn. */
interface Sheet {
  readonly report: Report;
  readonly style: TerminalStyle;
  readonly units: MetricUnits;
  readonly colours: Colours;
}

/**
 * Gives a report as text: no line longer than `width` (default 80), legible without colour (the default), in Unicode
 * unless told otherwise; verdict last, where the eye is when the command has ended.
 */
export function renderReport(report: Report, options: RenderReportOptions = {}): string {
  const { width = 80, colour = false, unicode = true } = options;
  const style: TerminalStyle = { width, colour, unicode };
  const units = unitsOf(report, options.units);
  const sheet: Sheet = { report, style, units, colours: pc.createColors(style.colour) };
  const sections: readonly (readonly [string, readonly string[]])[] = [
    ['Results', renderVariantTable(report, { style, units })],
    [`Differences from ${report.control}`, drawDifferences(sheet)],
    ['Under another rule', drawSensitivity(sheet)],
    ['By segment', renderSegmentTable(report, { style, units })],
    ['Value', drawValues(sheet)],
    ['Published figures', renderPublishedTable(report, style)],
    ['Criteria', drawCriteria(sheet)],
    ['Checks', drawChecks(sheet)],
    ['Findings', drawFindings(sheet)],
    ['Verdict', drawVerdict(sheet)],
  ];
  return sections
    .filter(([, lines]) => lines.length > 0)
    .map(([title, lines]) => [sheet.colours.bold(title), ...lines, ''].join('\n'))
    .join('\n');
}

function drawDifferences(sheet: Sheet): readonly string[] {
  const { report, style, units, colours } = sheet;
  const rows: PlotRow[] = [];
  const missing: string[] = [];
  const isSeveral = report.variants.length > 2;
  for (const metric of report.metrics) {
    for (const { variant, difference } of metric.variants) {
      if (variant === report.control) continue;
      const label = isSeveral ? `${metric.name} ${variant}` : metric.name;
      const row = toRow(label, { difference, unit: units[metric.name] ?? 'number' });
      if ('reason' in row) missing.push(`${label}: ${row.reason}`);
      else rows.push(row);
    }
  }
  for (const { variant, unit, net } of report.values) {
    if (isInsufficient(net)) continue;
    const text = `${formatDifferenceWithInterval(net.estimate, net.interval, 'number')} ${unit}`;
    rows.push({ label: isSeveral ? `net value ${variant}` : 'net value', ...net, text });
  }
  if (rows.length === 0 && missing.length === 0) return [];
  const zero = style.unicode ? '│' : ':';
  const caption = `the column ${zero} is no difference; each row has its own scale`;
  return [
    ...(rows.length > 0 ? [...renderIntervalPlot(rows, style), colours.dim(caption)] : []),
    ...missing.flatMap((text) => bullet(sheet, { mark: '-', text: `no test for ${text}` })),
    ...report.metrics.flatMap(notesOn).flatMap((text) => bullet(sheet, { mark: '-', text })),
    ...report.metrics
      .flatMap((metric) => watchedNotes(metric, sheet))
      .flatMap((text) => bullet(sheet, { mark: '-', text })),
  ];
}

/** What was done to a metric's values before they were compared. */
function notesOn({ name, capped, variants }: MetricEntry): readonly string[] {
  const notes: string[] = [];
  if (capped !== undefined && capped.lowered + capped.raised > 0) {
    const ends = [
      ...(capped.lower === undefined ? [] : [`below ${formatQuantity(capped.lower, 'number')}`]),
      ...(capped.upper === undefined ? [] : [`above ${formatQuantity(capped.upper, 'number')}`]),
    ];
    notes.push(
      `${name}: values ${ends.join(' and ')} count as that (${capped.raised + capped.lowered} of ${capped.n})`,
    );
  }
  for (const { variant, difference } of variants) {
    if (difference === undefined || isInsufficient(difference) || difference.varianceReduction === undefined) continue;
    const saved = formatQuantity(Math.max(0, difference.varianceReduction), 'share');
    const raw = formatDifference(difference.unadjusted ?? difference.absolute, 'number');
    notes.push(
      `${name}: a covariate takes ${saved} of the noise out of the difference of ${variant}; as measured ${raw}`,
    );
  }
  return notes;
}

/** What holds at every look, and as a belief, of the metrics that decide. */
function watchedNotes({ name, role, variants }: MetricEntry, { report, units }: Sheet): readonly string[] {
  if (role !== 'primary' && role !== 'guardrail') return [];
  const unit = units[name] ?? 'number';
  const isSeveral = report.variants.length > 2;
  return variants.flatMap(({ variant, difference }) => {
    if (difference === undefined || isInsufficient(difference)) return [];
    const { sequential, bayes, absolute } = difference;
    const parts = [
      ...(sequential === undefined || isInsufficient(sequential)
        ? []
        : [`at every look ${formatDifferenceWithInterval(absolute, sequential.interval, unit)}`]),
      ...(bayes === undefined || isInsufficient(bayes)
        ? []
        : [`probability that it is higher ${formatProbability(bayes.probabilityHigher)}`]),
    ];
    return parts.length === 0 ? [] : [`${name}${isSeveral ? ` of ${variant}` : ''}: ${parts.join('; ')}`];
  });
}

/** The differences under another rule, beside those of the report. */
function drawSensitivity(sheet: Sheet): readonly string[] {
  const { report, units } = sheet;
  return (report.sensitivity ?? []).flatMap(({ text, metrics }) => [
    ...bullet(sheet, { mark: '-', text }),
    ...metrics.flatMap(({ name, variants }) =>
      variants.flatMap(({ variant, difference }) => {
        if (difference === undefined || isInsufficient(difference) || isInsufficient(difference.interval)) return [];
        const shown = formatDifferenceWithInterval(difference.absolute, difference.interval, units[name] ?? 'number');
        return bullet(sheet, { mark: ' ', text: `${name}, ${variant}: ${shown}` });
      }),
    ),
  ]);
}

function toRow(
  label: string,
  options: { readonly difference: MetricEntry['variants'][number]['difference']; readonly unit: MetricUnits[string] },
): PlotRow | { readonly reason: string } {
  const { difference, unit = 'number' } = options;
  if (difference === undefined) return { reason: 'it was not compared' };
  if (isInsufficient(difference)) return difference;
  const { absolute, interval, pValue }: Difference = difference;
  if (isInsufficient(interval)) {
    return { reason: `${interval.reason} (point difference ${formatDifference(absolute, unit)})` };
  }
  const p = isInsufficient(pValue) ? '' : `  ${formatPValue(pValue)}`;
  return { label, estimate: absolute, interval, text: `${formatDifferenceWithInterval(absolute, interval, unit)}${p}` };
}

function drawValues(sheet: Sheet): readonly string[] {
  const entries = sheet.report.values.length > 0 ? sheet.report.values : [sheet.report.value];
  return entries.filter(({ terms }) => terms.length > 0).flatMap((entry) => drawValue(sheet, entry));
}

function drawValue(sheet: Sheet, { variant, unit, net, terms, money }: ValueEntry): readonly string[] {
  const { report, style } = sheet;
  const nameWidth = Math.min(24, Math.max(9, ...terms.map(({ name }) => name.length)));
  const number = (value: number): string => formatDifference(value, 'number').padStart(9);
  const lines = terms.map(({ name, metric, estimate, varianceShare }) => {
    const noise = isInsufficient(varianceShare) ? '' : `, ${formatQuantity(varianceShare, 'share')} of the noise`;
    const shown = isInsufficient(estimate) ? absent.padStart(9) : number(estimate);
    return `  ${name.padEnd(nameWidth)} ${shown}  from ${metric}${noise}`;
  });
  const total = isInsufficient(net)
    ? [`  ${'net value'.padEnd(nameWidth)} ${absent.padStart(9)}  ${net.reason}`]
    : [
        `  ${'net value'.padEnd(nameWidth)} ${number(net.estimate)}  ${intervalOnly(net.estimate, net.interval)}` +
          (isInsufficient(net.probabilityAbove)
            ? ''
            : `; P(net > ${net.threshold}) ${equals(formatProbability(net.probabilityAbove))}`),
        ...(net.omits.length > 0
          ? [`  the interval leaves out the noise of ${net.omits.join(', ')}: it is not known`]
          : []),
      ];
  return [`${variant} instead of ${report.control}, in ${unit}:`, ...lines, ...total, ...moneyLines(money)].flatMap(
    (line) => (line.length <= style.width ? [line] : [...keepIndent(line, style.width)]),
  );
}

function drawCriteria(sheet: Sheet): readonly string[] {
  const { report, colours } = sheet;
  const isSeveral = report.variants.length > 2;
  return report.criteria.flatMap(({ text, role, variant, outcome, estimate, interval, probability }) => {
    const paint = outcome === 'met' ? colours.green : outcome === 'not-met' ? colours.red : colours.yellow;
    const parts = [
      isInsufficient(estimate) ? absent : `now ${formatQuantity(estimate, 'number')}`,
      isInsufficient(interval) || isInsufficient(estimate) ? '' : intervalOnly(estimate, interval),
      isInsufficient(probability) ? '' : `P ${equals(formatProbability(probability))}`,
    ].filter((part) => part !== '');
    const words = `${role}: ${text}${isSeveral ? ` (${variant})` : ''}: ${parts.join(', ')}`;
    return bullet(sheet, { mark: outcome.replace('-', ' ').padEnd(10), text: words, paint });
  });
}

function drawChecks(sheet: Sheet): readonly string[] {
  const { report, style, colours } = sheet;
  return Object.values(report.checks).flatMap(({ ok, text, fix }) => {
    const mark = ok ? (style.unicode ? '✓ ok     ' : 'ok    ') : style.unicode ? '✗ FAILED ' : 'FAILED';
    const told = fix === undefined ? text : `${text} What to do: ${fix}`;
    return bullet(sheet, { mark, text: told, paint: ok ? colours.green : colours.red });
  });
}

function drawFindings(sheet: Sheet): readonly string[] {
  return sheet.report.findings.flatMap(({ code, text }) => bullet(sheet, { mark: '-', text: `${text} (${code})` }));
}

function drawVerdict(sheet: Sheet): readonly string[] {
  const { report, style, colours } = sheet;
  const { kind, recommendation, pointRule, reasons, headline, but, next, outlook } = report.verdict;
  const rule = (style.unicode ? '━' : '=').repeat(style.width);
  const paint = verdictColour(colours, kind);
  const customary = isInsufficient(pointRule)
    ? `The customary rule on point estimates has no answer: ${pointRule.reason}`
    : `The customary rule on point estimates alone would have said: ${pointRule}`;
  const changes = outlook?.wouldChange ?? [];
  return [
    paint(rule),
    ...wrapText(`${kind.toUpperCase()}: ${headline}`, { width: style.width, indent: 2 }).map((line) =>
      paint(colours.bold(line)),
    ),
    `recommendation: ${recommendation}`,
    ...reasons.flatMap(({ text }, at) => bullet(sheet, { mark: `${at + 1}.`, text })),
    ...(but === undefined ? [] : wrapText(`But: ${but}`, { width: style.width, indent: 2 })),
    ...(changes.length === 0 ? [] : ['What would change this:']),
    ...changes.flatMap((text) => bullet(sheet, { mark: '-', text })),
    ...wrapText(customary, { width: style.width, indent: 2 }).map((line) => colours.dim(line)),
    ...wrapText(`Next: ${next}`, { width: style.width, indent: 2 }).map((line) => colours.bold(line)),
    paint(rule),
  ];
}

function verdictColour(colours: Colours, kind: VerdictKind): (text: string) => string {
  if (kind === 'ship') return colours.green;
  return kind === 'roll-back' || kind === 'invalid' ? colours.red : colours.yellow;
}

/** A marked, wrapped paragraph; only the mark is painted, so that line lengths stay countable. */
function bullet(
  sheet: Sheet,
  item: { readonly mark: string; readonly text: string; readonly paint?: (text: string) => string },
): readonly string[] {
  const { mark, text, paint = (plain: string) => plain } = item;
  const indent = mark.length + 3;
  const width = sheet.style.width;
  const [first = '', ...rest] = wrapText(text, { width: width - indent });
  return [`  ${paint(mark)} ${first}`, ...rest.map((line) => `${' '.repeat(indent)}${line}`)];
}

function keepIndent(line: string, width: number): readonly string[] {
  return wrapText(line, { width: width - 2, indent: 4 }).map((part) => `  ${part}`);
}

function intervalOnly(estimate: number, interval: Exclude<Difference['interval'], { kind: 'insufficient' }>): string {
  const whole = formatDifferenceWithInterval(estimate, interval, 'number');
  return `interval ${whole.slice(whole.indexOf('['))}`;
}

function equals(probability: string): string {
  return /^[<>]/.test(probability) ? probability : `= ${probability}`;
}
