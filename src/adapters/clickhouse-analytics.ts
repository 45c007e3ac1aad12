// How does ClickHouse keep the raw tables and answer the SQL of a summary? Over HTTP, in one session for each summary.
import { randomUUID } from 'node:crypto';
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client';
import { AssayError } from '../errors.ts';
import {
  type AnalysisPlan,
  clickhouseDialect,
  type SqlRow,
  type SummaryAnswers,
  type SummaryQuery,
  spellSummary,
  summarySql,
} from '../evidence/index.ts';
import type { AnalyticsEngine, Delivered, Delivery } from './engine-analytics.ts';
import { type RawTable, rawColumns } from './raw-rows.ts';

/** Options of `createClickhouseEngine`. */
export interface ClickhouseOptions {
  /** `http://USER@HOST:PORT/DATABASE` or https. */
  readonly url: string;
  readonly password?: string;
}

const types = { text: 'String', json: 'String', number: 'Float64', integer: 'Int32', sequence: 'Int64' };
/** How long one query may take. */
const queryMs = 600_000;
const settings: ClickHouseSettings = {
  ...clickhouseDialect.settings,
  output_format_json_quote_64bit_integers: 0,
  output_format_json_quote_denormals: 0,
  // Keeps the connection of a long query from looking idle.
  send_progress_in_http_headers: 1,
  http_headers_progress_interval_ms: '20000',
  // Stored is what is on the disk, not what waits in memory.
  async_insert: 0,
  // Rows replace themselves; remembered inserts would swallow what is delivered again after an erasure.
  insert_deduplicate: 0,
  lightweight_deletes_sync: '2',
};

/** Rows of one experiment lie together; the same row again replaces the one before. */
const tables: readonly string[] = [
  tableOf('prediction', 'namespace, experiment, writer, sequence'),
  tableOf('prediction_end', 'namespace, writer, sequence'),
  tableOf('outcome', 'namespace, writer, sequence'),
  'CREATE TABLE IF NOT EXISTS delivered (source String, sequence Int64, has_ended UInt8, removals Int64, at UInt64) ' +
    'ENGINE = ReplacingMergeTree(at) ORDER BY source',
];

function tableOf(table: RawTable, order: string): string {
  const columns = Object.entries(rawColumns[table]).map(([name, type]) => {
    const plain = types[type.replace('?', '') as keyof typeof types];
    return `${name} ${type.endsWith('?') ? `Nullable(${plain})` : plain}`;
  });
  return (
    `CREATE TABLE IF NOT EXISTS ${table} (${columns.join(', ')}) ENGINE = ReplacingMergeTree ORDER BY (${order}) ` +
    'SETTINGS fsync_after_insert = 1, fsync_part_directory = 1'
  );
}

/** ClickHouse >= 24.8 as the engine. Connects at the first need. */
export function createClickhouseEngine({ url, password }: ClickhouseOptions): AnalyticsEngine {
  const { host } = new URL(url);
  let opened: Promise<ClickHouseClient> | undefined;

  const open = async (): Promise<ClickHouseClient> => {
    const { createClient, ClickHouseLogLevel } = await library();
    const client = createClient({
      url,
      request_timeout: queryMs,
      application: 'assay',
      // Faults are ours to tell.
      log: { level: ClickHouseLogLevel.OFF },
      clickhouse_settings: settings,
      ...(password === undefined ? {} : { password }),
    });
    try {
      for (const query of tables) await client.command({ query });
      return client;
    } catch (fault) {
      await client.close();
      throw fault;
    }
  };
  const use = async <T>(work: (client: ClickHouseClient) => Promise<T>): Promise<T> => {
    opened ??= open().catch((fault: unknown) => {
      opened = undefined;
      throw fault;
    });
    return work(await opened);
  };

  return {
    name: `clickhouse at ${host}`,
    delivered: () =>
      use(async (client) => {
        const rows = await read(client, { query: 'SELECT source, sequence, has_ended, removals FROM delivered' });
        return rows.map(
          (row): Delivered => ({
            source: row.source as string,
            sequence: row.sequence as number,
            hasEnded: row.has_ended === 1,
            removals: row.removals as number,
          }),
        );
      }),
    deliver: (delivery) => use((client) => insert(client, delivery)),
    forget: (writers, sources) =>
      use(async (client) => {
        // First what is known: should this end in between, everything is delivered again.
        await client.command({
          query: 'DELETE FROM delivered WHERE has({sources: Array(String)}, source)',
          query_params: { sources },
        });
        for (const table of Object.keys(rawColumns))
          await client.command({
            query: `DELETE FROM ${table} WHERE has({writers: Array(String)}, writer)`,
            query_params: { writers },
          });
      }),
    answer: (plan) => use((client) => answer(client, plan, randomUUID())),
    async close() {
      const client = await opened?.catch(() => undefined);
      await client?.close();
    },
  };
}

async function library(): Promise<typeof import('@clickhouse/client')> {
  try {
    return await import('@clickhouse/client');
  } catch (cause) {
    throw new AssayError(
      'dependency-missing',
      'the package @clickhouse/client is not installed, must be for --analytics clickhouse://',
      {
        cause,
        fix: 'Run `npm install @clickhouse/client` beside Assay.',
      },
    );
  }
}

async function read(
  client: ClickHouseClient,
  { query, session }: { readonly query: string; readonly session?: string },
): Promise<readonly SqlRow[]> {
  const result = await client.query({
    query,
    format: 'JSONEachRow',
    ...(session === undefined ? {} : { session_id: session }),
  });
  return result.json<SqlRow>();
}

/** First the rows, then how far they reach: a crash in between delivers them again, and they replace themselves. */
async function insert(client: ClickHouseClient, { rows, delivered }: Delivery): Promise<void> {
  for (const table of Object.keys(rows) as RawTable[]) {
    const values = rows[table];
    if (values.length > 0) await client.insert({ table, values, format: 'JSONEachRow' });
  }
  if (delivered.length === 0) return;
  const values = delivered.map(({ source, sequence, hasEnded, removals }) => ({
    source,
    sequence,
    has_ended: Number(hasEnded),
    removals,
    at: Date.now(),
  }));
  await client.insert({ table: 'delivered', values, format: 'JSONEachRow' });
}

async function answer(client: ClickHouseClient, plan: AnalysisPlan, session: string): Promise<SummaryAnswers> {
  const { steps, queries } = spellSummary(summarySql(plan), clickhouseDialect);
  const made: string[] = [];
  try {
    for (const { table, select } of steps) {
      made.push(table);
      await client.command({ query: `CREATE TEMPORARY TABLE ${table} AS ${select}`, session_id: session });
    }
    const answers: { [query in SummaryQuery]?: readonly SqlRow[] } = {};
    for (const [query, sql] of Object.entries(queries) as [SummaryQuery, string][])
      answers[query] = await read(client, { query: sql, session });
    return answers;
  } finally {
    for (const table of made)
      await client
        .command({ query: `DROP TEMPORARY TABLE IF EXISTS ${table}`, session_id: session })
        .catch(() => undefined);
  }
}
