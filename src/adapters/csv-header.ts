// Which columns does a CSV file have, what separates them, and what does DuckDB mean when it refuses one of its rows?
import { open } from 'node:fs/promises';
import { constants, gunzipSync } from 'node:zlib';
import { AssayError } from '../errors.ts';
import { quoted } from '../evidence/index.ts';

/** The first row of a CSV file. */
export interface CsvHeader {
  readonly delimiter: string;
  readonly columns: readonly string[];
}

const headBytes = 256 * 1024;
const delimiters = [',', ';', '\t', '|'] as const;

/**
 * The header of a CSV file in UTF-8 (a byte-order mark may stand first). The delimiter is the one that makes most columns:
 * guessing from the rows, as DuckDB does, turns one bad row into a file with a single column.
 *
 * @throws AssayError `input-invalid` for a column without a name or with that of another.
 */
export async function readCsvHeader(file: string): Promise<CsvHeader> {
  const text = (await readHead(file)).replace(/^\uFEFF/, '');
  const [first, ...others] = delimiters.map((delimiter) => ({ delimiter, columns: cellsOf(text, delimiter) }));
  const header = others.reduce((best, one) => (one.columns.length > best.columns.length ? one : best), first!);
  for (const [place, name] of header.columns.entries()) {
    if (name === '') throw new AssayError('input-invalid', `column ${place + 1} of ${file} has no name, must have one`);
    if (header.columns.indexOf(name) !== place) {
      throw new AssayError('input-invalid', `column '${name}' stands twice in ${file}, must be once`);
    }
  }
  return header;
}

/** The rows of a CSV file for DuckDB, every cell as text. */
export function csvSource(file: string, { delimiter, columns }: CsvHeader): string {
  const types = columns.map((name) => `"${name.replaceAll('"', '""')}": 'VARCHAR'`);
  return (
    `read_csv(${quoted(file)}, auto_detect = false, header = true, delim = ${quoted(delimiter)}, ` +
    `quote = '"', escape = '"', columns = {${types.join(', ')}})`
  );
}

/** What a CSV fault of DuckDB means to the owner of the file. */
export function csvFault(message: string, columns: number): string {
  const [first = ''] = message.split('\n');
  const row = /CSV Error on Line: (\d+)/.exec(message)?.[1];
  if (row === undefined) return first;
  if (message.includes('Expected Number of Columns'))
    return `row ${row}: it has not ${columns} cells as the header has`;
  if (message.includes('unterminated quote')) return `row ${row}: a quote is not closed`;
  if (message.includes('Invalid unicode')) return `row ${row}: the text is not UTF-8`;
  return `row ${row}: ${first}`;
}

async function readHead(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    const head = buffer.subarray(0, bytesRead);
    // Of a compressed file the head is a part, which ends in the middle.
    const isGzip = /\.gz$/i.test(file);
    return (isGzip ? gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH }) : head).toString('utf8');
  } finally {
    await handle.close();
  }
}

/** Cells of the first record (RFC 4180). */
function cellsOf(text: string, delimiter: string): readonly string[] {
  const cells: string[] = [];
  let cell = '';
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]!;
    if (isQuoted) {
      if (character !== '"') cell += character;
      else if (text[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else isQuoted = false;
    } else if (character === '"') isQuoted = true;
    else if (character === delimiter) {
      cells.push(cell.trim());
      cell = '';
    } else if (character === '\n' || character === '\r') break;
    else cell += character;
  }
  return [...cells, cell.trim()];
}
