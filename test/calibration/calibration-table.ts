// How is the outcome of the calibrations shown: as a table in the documentation, and as lines on a terminal?
import { markdownTable } from '../docs/markdown-table.ts';
import type { CalibrationRow } from './calibration-case.ts';

const start = '<!-- calibration -->';
const end = '<!-- /calibration -->';

/** Section with one table row per promise. @param how the command that made it, e.g. `npm run calibrate` */
export function calibrationSection(rows: readonly CalibrationRow[], how: string): string {
  const settings = [...new Set(rows.map((row) => row.setting))];
  const lines = settings.flatMap((setting) =>
    rows.filter((row) => row.setting === setting).map((row, i) => [i === 0 ? setting : '', ...cells(row)]),
  );
  const rounds = rows.map((row) => row.rounds);
  return `${start}

## Calibration: what simulation says of every promise

Made by \`${how}\`: ${shortCount(Math.min(...rounds))} to ${shortCount(Math.max(...rounds))} seeded rounds a setting, every method of a setting on the same data. "False
alarms" are promised to be at most, "coverage" at least, the nominal share, within three binomial standard errors
(the \`+-\` column). \`conservative\` keeps the promise with more than that to spare. \`fails as warned\` is what is known to break
there, shown so that nobody finds out from data; the warning is the last column. Shares are of the rounds with an answer.

${markdownTable(['setting', 'method', 'measure', 'nominal', 'observed', '+-', 'verdict', 'warning'], lines)}

${end}`;
}

/** The page with the section put between its markers, or at its end when it has none. */
export function withCalibration(page: string, section: string): string {
  const from = page.indexOf(start);
  const to = page.indexOf(end);
  if (from === -1 || to === -1) return `${page.trimEnd()}\n\n${section}\n`;
  return page.slice(0, from) + section + page.slice(to + end.length);
}

/** The section of a page, or undefined when it has none. */
export function calibrationOf(page: string): string | undefined {
  const from = page.indexOf(start);
  const to = page.indexOf(end);
  return from === -1 || to === -1 ? undefined : page.slice(from, to + end.length);
}

/** One line for a terminal. */
export function calibrationLine(row: CalibrationRow): string {
  const [method, measure, nominal, observed, tolerance, verdict] = cells(row);
  return `  ${observed!.padStart(18)} +-${tolerance!.padStart(5)}  of ${nominal!.padStart(6)}  ${verdict!.padEnd(20)} ${measure}: ${method}`;
}

function cells(row: CalibrationRow): readonly string[] {
  const missing = row.answered < row.rounds ? ` (${percent(row.answered / row.rounds, 0)} answered)` : '';
  return [
    row.method,
    row.measure,
    percent(row.nominal, 1),
    percent(row.observed, 1) + missing,
    (100 * row.tolerance).toFixed(1),
    row.verdict,
    row.warning ?? '',
  ];
}

function percent(share: number, digits: number): string {
  const text = (100 * share).toFixed(digits);
  return `${share < 1 && Number(text) === 100 ? '> 99' : text} %`;
}

function shortCount(count: number): string {
  return count.toLocaleString('en');
}
