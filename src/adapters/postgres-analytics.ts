// How does PostgreSQL keep the raw tables and answer the SQL of a summary? One connection, one transaction for each step.
import { AssayError } from '../errors.ts';
import {
  type AnalysisPlan,
  postgresDialect,
  type SqlRow,
  type SummaryAnswers,
  type SummaryQuery,
  spellSummary,
  summarySql,
} from '../evidence/index.ts';
import type { AnalyticsEngine, Delivered, Delivery } from './engine-analytics.ts';
import { type RawTable, rawColumns } from './raw-rows.ts';

/** Options of `openPostgresEngine`. */
export interface PostgresOptions {
  /** `postgres://USER@HOST:PORT/DATABASE`. */
  readonly url: string;
  readonly password?: string;
  /** Where the tables and functions are; made when it is not there. Default `assay`. */
  readonly schema?: string;
}

type Parse = (text: string) => unknown;

interface Library {
  readonly Client: new (options: object) => Client;
  readonly types: { getTypeParser(type: number, format?: string): Parse };
}

/** What we use of the package `pg`, which has no types of its own. */
interface Client {
  connect(): Promise<void>;
  query(sql: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly SqlRow[] }>;
  on(event: 'error', listener: (fault: Error) => void): void;
  end(): Promise<void>;
}

const types = {
  text: 'TEXT COLLATE "C"',
  json: 'TEXT',
  number: 'DOUBLE PRECISION',
  integer: 'INTEGER',
  sequence: 'BIGINT',
};
/** BIGINT and NUMERIC, which `pg` gives as text. */
const wideNumbers: readonly number[] = [20, 1700];
const connectMs = 10_000;
/** How long one query may take. */
const queryMs = 600_000;

const tables: readonly string[] = [
  ...(Object.keys(rawColumns) as RawTable[]).map(
    (table) => `CREATE TABLE IF NOT EXISTS ${table} (${columnsOf(table)}, PRIMARY KEY (writer, sequence))`,
  ),
  'CREATE TABLE IF NOT EXISTS delivered (source TEXT PRIMARY KEY, sequence BIGINT NOT NULL, has_ended INTEGER NOT NULL, removals BIGINT NOT NULL)',
  'CREATE INDEX IF NOT EXISTS prediction_experiment ON prediction (namespace, experiment)',
  'CREATE INDEX IF NOT EXISTS prediction_end_namespace ON prediction_end (namespace)',
  'CREATE INDEX IF NOT EXISTS outcome_namespace ON outcome (namespace)',
];

function columnsOf(table: RawTable): string {
  return Object.entries(rawColumns[table])
    .map(([name, type]) => {
      const isOptional = type.endsWith('?');
      return `${name} ${types[(isOptional ? type.slice(0, -1) : type) as keyof typeof types]}${isOptional ? '' : ' NOT NULL'}`;
    })
    .join(', ');
}

/** PostgreSQL >= 13 as the engine. Connects at the first need, and again after a connection was lost. */
export function createPostgresEngine({ url, password, schema = 'assay' }: PostgresOptions): AnalyticsEngine {
  const { host } = new URL(url);
  const quotedSchema = `"${schema.replaceAll('"', '""')}"`;
  let connected: Promise<Client> | undefined;

  const connect = async (): Promise<Client> => {
    const client = await newClient({ url, password });
    client.on('error', () => {
      connected = undefined;
    });
    await client.connect();
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${quotedSchema}`);
    await client.query(`SET search_path = ${quotedSchema}`);
    // Two servers that begin at the same moment make the tables one after the other.
    await inTransaction(client, async () => {
      await client.query("SELECT pg_advisory_xact_lock(hashtext('assay'))");
      for (const sql of [...tables, ...postgresDialect.functions]) await client.query(sql);
    });
    return client;
  };

  const use = async <T>(work: (client: Client) => Promise<T>): Promise<T> => {
    connected ??= connect();
    let client: Client | undefined;
    try {
      client = await connected;
      return await work(client);
    } catch (fault) {
      connected = undefined;
      await client?.end().catch(() => undefined);
      throw fault;
    }
  };

  return {
    name: `postgres at ${host}`,
    delivered: () =>
      use(async (client) => {
        const { rows } = await client.query('SELECT source, sequence, has_ended, removals FROM delivered');
        return rows.map(
          (row): Delivered => ({
            source: row.source as string,
            sequence: Number(row.sequence),
            hasEnded: row.has_ended === 1,
            removals: Number(row.removals),
          }),
        );
      }),
    deliver: (delivery) => use((client) => inTransaction(client, () => insert(client, delivery))),
    forget: (writers, sources) =>
      use((client) =>
        inTransaction(client, async () => {
          for (const table of Object.keys(rawColumns))
            await client.query(`DELETE FROM ${table} WHERE writer = ANY($1)`, [writers]);
          await client.query('DELETE FROM delivered WHERE source = ANY($1)', [sources]);
        }),
      ),
    // One moment for all its steps, whatever other servers deliver meanwhile.
    answer: (plan) =>
      use((client) => inTransaction(client, () => answer(client, plan), 'ISOLATION LEVEL REPEATABLE READ')),
    async close() {
      const client = await connected?.catch(() => undefined);
      connected = undefined;
      await client?.end();
    },
  };
}

async function newClient({
  url,
  password,
}: Pick<PostgresOptions, 'url'> & { readonly password: string | undefined }): Promise<Client> {
  let library: { readonly default: Library };
  try {
    // @ts-expect-error the package has no types
    library = (await import('pg')) as typeof library;
  } catch (cause) {
    throw new AssayError('dependency-missing', 'the package pg is not installed, must be for --analytics postgres://', {
      cause,
      fix: 'Run `npm install pg` beside Assay.',
    });
  }
  return new library.default.Client({
    connectionString: url,
    connectionTimeoutMillis: connectMs,
    keepAlive: true,
    query_timeout: queryMs,
    application_name: 'assay',
    types: {
      getTypeParser: (type: number, format?: string): Parse =>
        wideNumbers.includes(type) ? Number : library.default.types.getTypeParser(type, format),
    },
    ...(password === undefined ? {} : { password }),
  });
}

async function inTransaction<T>(client: Client, work: () => Promise<T>, mode = ''): Promise<T> {
  await client.query(`BEGIN ${mode}`);
  try {
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (fault) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw fault;
  }
}

/** Rows and how far they reach, in one transaction: after a crash both are in or neither. */
async function insert(client: Client, { rows, delivered }: Delivery): Promise<void> {
  for (const table of Object.keys(rows) as RawTable[]) {
    if (rows[table].length === 0) continue;
    await client.query(
      `INSERT INTO ${table} SELECT r.* FROM json_to_recordset(CAST($1 AS JSON)) AS r(${columnsOf(table).replaceAll(' NOT NULL', '')}) ON CONFLICT DO NOTHING`,
      [JSON.stringify(rows[table])],
    );
  }
  for (const { source, sequence, hasEnded, removals } of delivered) {
    await client.query(
      'INSERT INTO delivered VALUES ($1, $2, $3, $4) ON CONFLICT (source) DO UPDATE SET sequence = excluded.sequence, has_ended = excluded.has_ended, removals = excluded.removals',
      [source, sequence, Number(hasEnded), removals],
    );
  }
}

async function answer(client: Client, plan: AnalysisPlan): Promise<SummaryAnswers> {
  const { steps, queries } = spellSummary(summarySql(plan), postgresDialect);
  for (const [name, value] of Object.entries(postgresDialect.settings))
    await client.query(`SET LOCAL ${name} = ${value}`);
  for (const { table, select } of steps) {
    await client.query(`CREATE TEMPORARY TABLE ${table} ON COMMIT DROP AS ${select}`);
    await client.query(`ANALYZE ${table}`);
  }
  const answers: { [query in SummaryQuery]?: readonly SqlRow[] } = {};
  for (const [query, sql] of Object.entries(queries) as [SummaryQuery, string][])
    answers[query] = (await client.query(sql)).rows;
  return answers;
}
