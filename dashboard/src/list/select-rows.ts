// Which rows fit what the reader asks for, and in which order?
import type { ListRow } from '../../../src/api/index.ts';

/** The orders a reader may choose. */
export type SortName = 'attention' | 'name' | 'age' | 'value';

/** What names a row. */
export function rowKey(row: ListRow): string {
  return `${row.namespace}/${row.name}`;
}

/** The rows that fit; the query is looked for in name, hypothesis and variants. */
export function selectRows(
  rows: readonly ListRow[],
  filter: { readonly query: string; readonly state: string; readonly verdict: string },
): readonly ListRow[] {
  const words = filter.query
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  return rows.filter((row) => {
    if (filter.state !== 'any' && row.state !== filter.state) return false;
    const display = row.verdict.kind === 'insufficient' ? 'no-verdict' : row.verdict.display;
    if (filter.verdict !== 'any' && display !== filter.verdict) return false;
    const text = `${row.namespace}/${row.name} ${row.hypothesis ?? ''} ${row.control}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** The rows in an order; names decide ties. */
export function sortRows(rows: readonly ListRow[], sort: SortName): readonly ListRow[] {
  const rank: Readonly<Record<SortName, (row: ListRow) => number>> = {
    attention: (row) => row.attention,
    name: () => 0,
    age: (row) => row.ageMs ?? Number.POSITIVE_INFINITY,
    value: (row) => ('kind' in row.value ? Number.POSITIVE_INFINITY : -row.value.estimate),
  };
  const by = rank[sort];
  return [...rows].sort((a, b) => {
    const [first, second] = [by(a), by(b)];
    return (first === second ? 0 : first - second) || (rowKey(a) < rowKey(b) ? -1 : 1);
  });
}
