// Which days does the demo replay? The S&P 500's daily bars that npm's vega-datasets carries (2000-01-03 to 2020-04-17).
import { readFile } from 'node:fs/promises';
import { AssayError } from '../../errors.ts';

/** One trading day of an index; prices in index points. */
export interface MarketDay {
  /** ISO date, for example `2010-02-24`. */
  readonly date: string;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
}

const columns = ['date', 'open', 'high', 'low', 'close'] as const;

/**
 * Gives the market days of a CSV text, oldest first.
 *
 * @param text header line with at least date, open, high, low, close; one day a line, dates rising.
 * @throws AssayError `input-invalid` naming the line, the value and the rule.
 */
export function parseMarketDays(text: string): readonly MarketDay[] {
  const [header = '', ...lines] = text.trim().split(/\r?\n/);
  const names = header.split(',');
  const at = columns.map((column) => {
    const index = names.indexOf(column);
    if (index < 0)
      throw new AssayError('input-invalid', `line 1: column "${column}" is missing, must be in the header`);
    return index;
  });
  let previous = '';
  return lines.map((line, index) => {
    const cells = line.split(',');
    const place = `line ${index + 2}`;
    const date = cells[at[0]!] ?? '';
    if (!/^\d{4}-\d{2}-\d{2}$/.test(date) || date <= previous) {
      throw new AssayError(
        'input-invalid',
        `${place}: date is "${date}", must be an ISO date after ${previous || 'none'}`,
      );
    }
    previous = date;
    const [open, high, low, close] = at.slice(1).map((cell, k) => {
      const value = Number(cells[cell]);
      if (!(value > 0 && Number.isFinite(value))) {
        throw new AssayError('input-invalid', `${place}: ${columns[k + 1]} is "${cells[cell]}", must be a price > 0`);
      }
      return value;
    }) as [number, number, number, number];
    if (high <= low) throw new AssayError('input-invalid', `${place}: high is ${high}, must be above low (${low})`);
    return { date, open, high, low, close };
  });
}

/**
 * Reads the S&P 500 days of the installed vega-datasets package.
 *
 * @throws AssayError `file-unreadable` when the package or its file is missing.
 */
export async function loadMarketDays(): Promise<readonly MarketDay[]> {
  let text: string;
  try {
    // The package's only export is build/index.js; its data folder lies beside build/ wherever npm has put it.
    text = await readFile(new URL('../data/sp500-2000.csv', import.meta.resolve('vega-datasets')), 'utf8');
  } catch (cause) {
    throw new AssayError('file-unreadable', 'sp500-2000.csv of the package vega-datasets cannot be read', {
      cause,
      fix: 'Install the dependencies again: npm ci.',
    });
  }
  return parseMarketDays(text);
}
