// One DuckDB, closed off from the outside: no extensions, no files, no network; every number it answers is a double.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance, type DuckDBValue } from '@duckdb/node-api';
import { quoted, type SqlRow } from '../evidence/index.ts';

/** Options of `openDuckdbSession`. */
export interface DuckdbSessionOptions {
  /** File of the database; default `:memory:`. */
  readonly stateFile?: string;
  /** Default 2. */
  readonly threads?: number;
  /** For example `1GB`, the default; beyond it DuckDB spills to a temporary folder. */
  readonly memoryLimit?: string;
  /** Where that folder is made; default the system's temporary directory. */
  readonly tempDirectory?: string;
  /** Files DuckDB may read; all others are out of its reach. */
  readonly readable?: readonly string[];
  /** Folders below which DuckDB may read and write. */
  readonly folders?: readonly string[];
}

/** A connection with the two things its users do. */
export interface DuckdbSession {
  run(sql: string, values?: Readonly<Record<string, DuckDBValue>>): Promise<void>;
  read(sql: string, values?: Readonly<Record<string, DuckDBValue>>): Promise<readonly SqlRow[]>;
  /** The only column of an answer, text by text, without holding the whole answer. */
  texts(sql: string): AsyncGenerator<string>;
  close(): Promise<void>;
}

/** A fresh session. */
export async function openDuckdbSession(options: DuckdbSessionOptions = {}): Promise<DuckdbSession> {
  const spill = await mkdtemp(join(options.tempDirectory ?? tmpdir(), 'assay-duckdb-'));
  let instance: DuckDBInstance;
  let connection: DuckDBConnection;
  try {
    instance = await DuckDBInstance.create(options.stateFile ?? ':memory:', {
      threads: String(options.threads ?? 2),
      memory_limit: options.memoryLimit ?? '1GB',
      temp_directory: spill,
      // A checkpoint costs more than the small batches before it.
      checkpoint_threshold: '256MB',
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    });
    connection = await instance.connect();
    const listed = (paths: readonly string[] = []): string => paths.map(quoted).join(', ');
    await connection.run(`SET allowed_paths = [${listed(options.readable)}]`);
    await connection.run(`SET allowed_directories = [${listed(options.folders)}]`);
    await connection.run('SET enable_external_access = false');
    await connection.run('SET lock_configuration = true');
  } catch (cause) {
    await rm(spill, { recursive: true, force: true });
    throw cause;
  }
  return {
    async run(sql, values) {
      await connection.run(sql, values);
    },
    async read(sql, values) {
      const reader = await connection.runAndReadAll(sql, values);
      return reader.getRowObjectsJS().map(plainRow);
    },
    async *texts(sql) {
      const result = await connection.stream(sql);
      for (
        let chunk = await result.fetchChunk();
        chunk !== null && chunk.rowCount > 0;
        chunk = await result.fetchChunk()
      )
        yield* chunk.getColumnValues(0) as string[];
    },
    async close() {
      connection.closeSync();
      instance.closeSync();
      await rm(spill, { recursive: true, force: true });
    },
  };
}

function plainRow(row: Readonly<Record<string, unknown>>): SqlRow {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === 'bigint' ? Number(value) : (value as string | number | null),
    ]),
  );
}
