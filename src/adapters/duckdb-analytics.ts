// How the evidence of a data directory is taken into DuckDB, segment by segment and frame by frame, and asked for summaries.

import { join, resolve } from 'node:path';
import {
  type AnalysisPlan,
  type Analytics,
  type LoggedUnits,
  makeLoggedUnits,
  makeSummary,
  type SqlRow,
  type SummarySql,
  summarySql,
  unitValuesSql,
} from '../evidence/index.ts';
import { type Place, rawTables, readPositions, showSealed, takeLines, takeSegments } from './duckdb-raw-tables.ts';
import type { DuckdbSession } from './duckdb-session.ts';
import { openState } from './duckdb-state.ts';
import { type Manifest, segmentFolder } from './evidence-store/manifest.ts';
import { createTurns, expiredOf, followEvidence } from './follow-evidence.ts';
import { answerFromKept, keptTables, knownEvidence } from './kept-tables.ts';
import { type LogFile, type LogPosition, readLog } from './read-evidence-log.ts';

/** Options of `openDuckdbAnalytics`. */
export interface DuckdbAnalyticsOptions {
  /** The data directory whose `seg/` and `log/` are read. */
  readonly directory: string;
  /** Keeps what was taken in; a cache that may be deleted at any time. Default `:memory:`. */
  readonly stateFile?: string;
  /** Keeps the tables behind each plan, so that the next summary only follows what is new; default true with a state file. */
  readonly keep?: boolean;
  readonly threads?: number;
  readonly memoryLimit?: string;
  readonly tempDirectory?: string;
  /** True for a writer that still runs: its log has no end yet and is no unclean shutdown. */
  readonly isLive?: (writer: string) => boolean;
}

/** Analytics that also gives the values behind a summary. */
export interface DuckdbAnalytics extends Analytics {
  /** Catches up, then gives what units of one variant brought, at most so many of them. */
  readUnits(plan: AnalysisPlan, options: { readonly variant: string; readonly atMost: number }): Promise<LoggedUnits>;
}

/** About this much NDJSON is taken in at once. */
const batchCharacters = 8 * 1024 * 1024;

/** Analytics over the logs of one data directory. The logs stay the truth; DuckDB only ever holds what they say. */
export async function openDuckdbAnalytics(options: DuckdbAnalyticsOptions): Promise<DuckdbAnalytics> {
  const { directory, isLive = () => false, keep = options.stateFile !== undefined, ...sessionOptions } = options;
  // Sealed records are read where they lie, unless tables that follow them are kept.
  const place: Place = keep ? '' : 'log_';
  const tables = [...rawTables(place), ...keptTables];
  const session = await openState({ ...sessionOptions, folders: [join(resolve(directory), segmentFolder)] }, tables);
  let manifest: Manifest | undefined;
  // A summary never sees half a batch.
  const inTurn = createTurns();

  /** Takes in what is new, then works with it. */
  const withLatest = <T>(work: () => Promise<T>): Promise<{ readonly records: number; readonly result: T }> => {
    let records = 0;
    return followEvidence(directory, async (snapshot) => {
      manifest = snapshot.manifest;
      records += await takeSegments(session, { directory, manifest, place, tables });
      records += await takeFrames(snapshot.files);
      if (!keep) await showSealed(session, { directory, manifest });
      return { records, result: await work() };
    });
  };

  const takeFrames = async (files: readonly LogFile[]): Promise<number> => {
    let records = 0;
    let lines: string[] = [];
    let characters = 0;
    let positions = new Map<string, LogPosition>();
    const flush = async (): Promise<void> => {
      if (lines.length === 0) return;
      records += await takeLines(session, { lines: lines.join(''), positions, place });
      lines = [];
      characters = 0;
      positions = new Map();
    };
    for await (const piece of readLog(directory, { files, after: await readPositions(session) })) {
      if (piece.kind === 'tail') continue;
      const payload = piece.payload.toString('utf8');
      lines.push(payload);
      characters += payload.length;
      positions.set(piece.writer, piece.next);
      if (characters >= batchCharacters) await flush();
    }
    await flush();
    return records;
  };

  return {
    catchUp: () =>
      inTurn(async () => {
        const { records } = await withLatest(async () => undefined);
        return { records };
      }),
    summarise: (plan) =>
      inTurn(async () => {
        // A plan that cannot be read is refused before anything is taken in.
        summarySql(plan);
        const { result: answers } = await withLatest(() => {
          if (keep) return answerFromKept(session, plan);
          return derive(session, { plan, predictions: sealedRows(manifest) }, ({ queries }) =>
            readAll(session, queries),
          );
        });
        const open = await session.read('SELECT a.writer FROM applied a WHERE NOT a.has_ended');
        const uncleanShutdowns = open.filter(({ writer }) => !isLive(writer as string)).length;
        return makeSummary(plan, answers, { uncleanShutdowns, expired: expiredOf(plan, manifest?.expired ?? []) });
      }),
    readUnits: (plan, asked) =>
      inTurn(async () => {
        const { result } = await withLatest(() =>
          derive(session, { plan, predictions: sealedRows(manifest) }, () =>
            readAll(session, unitValuesSql(plan, asked)),
          ),
        );
        return makeLoggedUnits(plan, result, asked);
      }),
    close: () => inTurn(() => session.close()),
  };
}

function sealedRows(manifest: Manifest | undefined): number {
  const sealed = manifest?.segments.filter(({ kind }) => kind === 'predictions') ?? [];
  return sealed.reduce((sum, { rows }) => sum + rows, 0);
}

async function readAll<Query extends string>(
  session: DuckdbSession,
  queries: { readonly [query in Query]?: string },
): Promise<{ readonly [query in Query]?: readonly SqlRow[] }> {
  const answers: { [query in Query]?: readonly SqlRow[] } = {};
  for (const [query, sql] of Object.entries(queries) as [Query, string][]) answers[query] = await session.read(sql);
  return answers;
}

/** Makes the tables of a plan from all evidence, asks of them, and keeps nothing. */
async function derive<Answers>(
  session: DuckdbSession,
  { plan, predictions }: { readonly plan: AnalysisPlan; readonly predictions: number },
  ask: (sql: SummarySql) => Promise<Answers>,
): Promise<Answers> {
  const { steps, ...sql } = summarySql(plan, { known: await knownEvidence(session, { plan, predictions }) });
  try {
    for (const { table, select } of steps) await session.run(`CREATE OR REPLACE TEMP TABLE ${table} AS ${select}`);
    return await ask({ steps, ...sql });
  } finally {
    for (const { table } of steps) await session.run(`DROP TABLE IF EXISTS temp.${table}`);
  }
}
