// Which column of an exported table is which member of a record? By --map and --set, or by its name.

import type { TableRow } from '../../adapters/table-rows.ts';
import { AssayError } from '../../errors.ts';
import type { Json } from '../../evidence/index.ts';

/** Where the members of a record come from. */
export interface RowMapping {
  /** Columns to read. */
  readonly columns: readonly string[];
  /** The column a member is read from. */
  readonly columnOf: (member: string) => string | undefined;
  /** The members of one row; what its cells leave empty is missing. */
  readonly read: (row: TableRow) => Readonly<Record<string, Json>>;
  /** The same text for the same mapping. */
  readonly key: string;
}

/** What the command line says. */
export interface MappingOptions {
  /** `MEMBER=COLUMN`, several with commas. */
  readonly map: readonly string[];
  /** `MEMBER=TEXT`: the same for every row. */
  readonly set: readonly string[];
}

/** What there is to map. */
export interface MappingTarget {
  readonly members: readonly string[];
  /** `attributes.` and the like: any name may follow. */
  readonly prefixes: readonly string[];
  /** Of these, those that nobody named are left alone once one was named: they say the same thing. */
  readonly alternatives?: readonly string[];
  /** Not by the name of a column: tables have such columns for other reasons. */
  readonly onlyMapped?: readonly string[];
}

/** @throws AssayError `usage-invalid` for an unknown member, a member that is named twice, or a column that is not in the table. */
export function mapRows(
  { map, set }: MappingOptions,
  target: MappingTarget,
  table: { readonly path: string; readonly columns: readonly string[] | undefined },
): RowMapping {
  const mapped = new Map<string, string>();
  const fixed = new Map<string, string>();
  const add = (into: Map<string, string>, pair: string, option: string): void => {
    const at = pair.indexOf('=');
    const member = pair.slice(0, at).trim();
    const value = pair.slice(at + 1);
    if (at < 1 || value === '')
      throw new AssayError(
        'usage-invalid',
        `${option} is "${pair}", must be NAME=${option === '--map' ? 'COLUMN' : 'VALUE'}`,
      );
    const isKnown =
      target.members.includes(member) ||
      target.prefixes.some((prefix) => member.startsWith(prefix) && member.length > prefix.length);
    if (!isKnown)
      throw new AssayError(
        'usage-invalid',
        `${option} names "${member}", must be one of: ${[...target.members, ...target.prefixes.map((prefix) => `${prefix}NAME`)].join(', ')}`,
      );
    if (mapped.has(member) || fixed.has(member))
      throw new AssayError('usage-invalid', `"${member}" is named twice by --map and --set, must be once`);
    into.set(member, value);
  };
  for (const pair of map.flatMap((text) => text.split(','))) add(mapped, pair, '--map');
  for (const pair of set) add(fixed, pair, '--set');
  const { columns, path } = table;
  for (const [member, column] of mapped) {
    if (columns !== undefined && !columns.includes(column))
      throw new AssayError(
        'usage-invalid',
        `--map ${member}=${column}: column "${column}" is not in ${path}, must be one of: ${columns.join(', ')}`,
      );
  }
  const { alternatives = [], onlyMapped = [] } = target;
  const isChosen = alternatives.some((member) => mapped.has(member) || fixed.has(member));
  for (const member of target.members) {
    if (mapped.has(member) || fixed.has(member) || onlyMapped.includes(member)) continue;
    if (isChosen && alternatives.includes(member)) continue;
    const names = [member, member.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)];
    const column = columns === undefined ? member : names.find((name) => columns.includes(name));
    if (column !== undefined) mapped.set(member, column);
  }
  return {
    columns: [...new Set(mapped.values())],
    columnOf: (member) => mapped.get(member),
    read: ({ cells }) => ({
      ...Object.fromEntries(fixed),
      ...Object.fromEntries(
        [...mapped].flatMap(([member, column]) => (cells[column] === undefined ? [] : [[member, cells[column]]])),
      ),
    }),
    key: JSON.stringify([[...mapped].sort(), [...fixed].sort()]),
  };
}

/** A cell as a value: text that is written like a number or a truth value becomes one, unless a leading zero says it is a code. */
export function cellValue(cell: Json | undefined): Json | undefined {
  if (typeof cell !== 'string') return cell;
  if (/^[-+]?(0|[1-9]\d*)?(\.\d+)?([eE][-+]?\d+)?$/.test(cell) && /\d/.test(cell)) {
    const number = Number(cell);
    return Number.isFinite(number) ? number : cell;
  }
  if (/^(true|false)$/i.test(cell)) return cell.toLowerCase() === 'true';
  return cell;
}

/** An id as text. */
export function cellText(cell: Json | undefined): Json | undefined {
  return typeof cell === 'number' || typeof cell === 'boolean' ? String(cell) : cell;
}

/** Below this an epoch counts seconds: 1973 in milliseconds, the year 5138 in seconds. */
const earliestMs = 1e11;

/** A time as outcomes have it: ISO 8601 with a zone (UTC where none is written), or epoch milliseconds. What is no time stays as it is. */
export function cellTime(cell: Json | undefined): Json | undefined {
  const value = cellValue(cell);
  if (typeof value === 'number') return Math.abs(value) < earliestMs ? value * 1000 : value;
  if (typeof value !== 'string') return value;
  const [, day, time, zone] =
    /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?))? ?(Z|UTC|[+-]\d{2}(?::?\d{2})?)?$/.exec(
      value,
    ) ?? [];
  if (day === undefined) return value;
  const offset = zone === undefined || zone === 'UTC' ? 'Z' : /^[+-]\d{2}$/.test(zone) ? `${zone}:00` : zone;
  return `${day}T${time ?? '00:00'}${offset}`;
}
