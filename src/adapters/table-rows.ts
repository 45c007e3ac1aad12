// What stands in a table that somebody exported, row by row? CSV, Parquet and lines of JSON, without holding the file.
import { createReadStream } from 'node:fs';
import { access, constants, stat } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import { AssayError } from '../errors.ts';
import { type Json, quoted } from '../evidence/index.ts';
import { csvFault, csvSource, readCsvHeader } from './csv-header.ts';
import { type DuckdbSession, openDuckdbSession } from './duckdb-session.ts';

/** One row. */
export interface TableRow {
  /** As people count: from 1, with the header as row 1 in CSV; in lines of JSON the line. */
  readonly row: number;
  /**
   * By the names asked for; a cell that is empty, NULL or missing is left out. From CSV everything is text. From Parquet times
   * are epoch milliseconds, and whole numbers of 64 bits and more are text, because a number would lose their last digits.
   */
  readonly cells: Readonly<Record<string, Json>>;
}

/** A file that can be read several times. */
export interface Table {
  /** Names of the columns; undefined for lines of JSON, where every line may have others. */
  readonly columns: readonly string[] | undefined;
  /** @throws AssayError `input-invalid` naming file and row. */
  rows(names: readonly string[]): AsyncGenerator<TableRow>;
  close(): Promise<void>;
}

/**
 * Opens a file by its ending: `.parquet`; `.ndjson` or `.jsonl`; anything else is CSV with a header. Text also with `.gz`.
 *
 * @throws AssayError `file-unreadable`, `input-invalid`.
 */
export async function openTable(path: string): Promise<Table> {
  const file = resolve(path);
  try {
    await access(file, constants.R_OK);
    const found = await stat(file);
    if (found.isDirectory()) throw new Error('it is a folder');
    if (found.size === 0) throw new AssayError('input-invalid', `${path} is empty, must hold rows`);
  } catch (cause) {
    if (cause instanceof AssayError) throw cause;
    throw new AssayError('file-unreadable', `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  if (/\.(ndjson|jsonl)(\.gz)?$/i.test(file))
    return { columns: undefined, rows: (names) => readJsonLines(file, { path, names }), close: async () => {} };
  const isParquet = extname(file).toLowerCase() === '.parquet';
  const session = await openDuckdbSession({ readable: [file] });
  try {
    return await (isParquet ? openParquet(session, { file, path }) : openCsv(session, { file, path }));
  } catch (fault) {
    await session.close();
    throw fault;
  }
}

interface Place {
  readonly file: string;
  /** As the user named it. */
  readonly path: string;
}

async function openCsv(session: DuckdbSession, { file, path }: Place): Promise<Table> {
  const header = await readCsvHeader(file);
  return {
    columns: header.columns,
    rows: (names) =>
      readSql(session, {
        names,
        from: csvSource(file, header),
        expressions: names.map((name) => `nullif(trim(${identifier(name)}), '')`),
        headerRows: 1,
        describe: (message) => `${path}: ${csvFault(message, header.columns.length)}`,
      }),
    close: () => session.close(),
  };
}

async function openParquet(session: DuckdbSession, { file, path }: Place): Promise<Table> {
  const from = `read_parquet(${quoted(file)})`;
  const describe = (message: string): string => `${path} cannot be understood: ${message.split('\n')[0]}`;
  const described = await session.read(`DESCRIBE SELECT * FROM ${from}`).catch((cause: Error) => {
    throw new AssayError('input-invalid', describe(cause.message), { cause });
  });
  const types = new Map(described.map((row) => [row.column_name as string, row.column_type as string]));
  return {
    columns: [...types.keys()],
    rows: (names) =>
      readSql(session, {
        names,
        from,
        expressions: names.map((name) => cellOf(identifier(name), types.get(name) ?? '')),
        headerRows: 0,
        describe,
      }),
    close: () => session.close(),
  };
}

function cellOf(column: string, type: string): string {
  if (type === 'TIMESTAMP WITH TIME ZONE') return `epoch_us(${column}) / 1000.0`;
  if (type.startsWith('TIMESTAMP') || type === 'DATE') return `epoch_us(CAST(${column} AS TIMESTAMP)) / 1000.0`;
  if (/^U?(BIGINT|HUGEINT)$/.test(type)) return `CAST(${column} AS VARCHAR)`;
  if (type === 'VARCHAR') return `nullif(${column}, '')`;
  return column;
}

async function* readSql(
  session: DuckdbSession,
  query: {
    readonly names: readonly string[];
    readonly from: string;
    readonly expressions: readonly string[];
    readonly headerRows: number;
    readonly describe: (message: string) => string;
  },
): AsyncGenerator<TableRow> {
  const { names, from, expressions, headerRows } = query;
  let row = headerRows;
  try {
    for await (const text of session.texts(
      `SELECT CAST(json_array(${expressions.join(', ')}) AS VARCHAR) FROM ${from}`,
    )) {
      row += 1;
      const values = JSON.parse(text) as readonly Json[];
      yield { row, cells: cellsOf(names.map((name, place) => [name, values[place]])) };
    }
  } catch (cause) {
    // What goes wrong with a row at its reader's is not the file's fault.
    if (cause instanceof AssayError) throw cause;
    throw new AssayError('input-invalid', query.describe((cause as Error).message), { cause });
  }
}

async function* readJsonLines(
  file: string,
  { path, names }: { readonly path: string; readonly names: readonly string[] },
): AsyncGenerator<TableRow> {
  const raw = createReadStream(file);
  const input = file.toLowerCase().endsWith('.gz') ? raw.pipe(createGunzip()) : raw;
  raw.on('error', (fault) => input.destroy(fault));
  let row = 0;
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      row += 1;
      if (line.trim() === '') continue;
      const value = parseLine(line, `${path} row ${row}`);
      yield { row, cells: cellsOf(names.map((name) => [name, memberOf(value, name)])) };
    }
  } catch (cause) {
    if (cause instanceof AssayError) throw cause;
    throw new AssayError('input-invalid', `${path} breaks off after row ${row}: ${(cause as Error).message}`, {
      cause,
    });
  } finally {
    raw.destroy();
  }
}

function parseLine(line: string, place: string): { readonly [name: string]: Json } {
  let value: Json;
  try {
    value = JSON.parse(line) as Json;
  } catch (cause) {
    throw new AssayError('input-invalid', `${place} is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new AssayError('input-invalid', `${place} is ${line.slice(0, 40)}, must be a JSON object`);
  return value as { readonly [name: string]: Json };
}

/** The member of that name, or the one a dotted name leads to. */
function memberOf(value: { readonly [name: string]: Json }, name: string): Json | undefined {
  if (Object.hasOwn(value, name)) return value[name];
  let found: Json | undefined = value;
  for (const step of name.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined;
    found = (found as { readonly [name: string]: Json })[step];
  }
  return found;
}

function cellsOf(entries: readonly (readonly [string, Json | undefined])[]): Readonly<Record<string, Json>> {
  const filled = entries.filter(([, value]) => value !== null && value !== undefined && value !== '');
  return Object.fromEntries(filled) as Readonly<Record<string, Json>>;
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
