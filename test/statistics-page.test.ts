// Does docs/statistics.md name every method of the statistics library once, with its source?
import { describe, expect, it } from 'vitest';
import * as stats from '../src/stats/index.ts';
import { type Page, readPage } from './docs/pages.ts';

/** The rows of every table whose first column is headed `function`, and the heads of their columns. */
function methodRows({ path, text }: Page): readonly { place: string; cells: ReadonlyMap<string, string> }[] {
  let heads: readonly string[] = [];
  return text.split('\n').flatMap((line, index) => {
    if (!line.startsWith('|')) {
      heads = [];
      return [];
    }
    const cells = line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim());
    if (heads.length === 0) heads = cells;
    if (heads[0] !== 'function' || heads === cells || /^-+$/.test(cells[0] ?? '')) return [];
    return [{ place: `${path}:${index + 1}`, cells: new Map(heads.map((head, i) => [head, cells[i] ?? ''])) }];
  });
}

const rows = methodRows(readPage('docs/statistics.md'));
const named = rows.flatMap(({ cells }) =>
  [...(cells.get('function') ?? '').matchAll(/`(\w+)`/g)].map((match) => match[1] ?? ''),
);

describe('the tables of docs/statistics.md', () => {
  it('hold every function of the library exactly once, and nothing else', () => {
    expect([...named].sort()).toEqual(Object.keys(stats).sort());
    expect(named.length).toBeGreaterThan(130);
  });

  it('give a source for every method that has one to name', () => {
    // Arithmetic that nobody has to be credited with.
    const own = ['sharesWithFloor', 'daysForUnits'];
    const without = rows
      .filter(({ cells }) => (cells.get('source') ?? '') === '')
      .filter(({ cells }) => !own.some((name) => cells.get('function')?.includes(`\`${name}\``)));
    expect(without.map(({ place }) => place)).toEqual([]);
  });
});
