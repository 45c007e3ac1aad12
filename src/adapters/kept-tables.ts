// How does a report follow the evidence without computing everything again? The tables behind its plan are kept, and only units
// that something new touched are made again, by the same SQL. Long because the order of its statements is one argument.
import { createHash } from 'node:crypto';
import {
  type AnalysisPlan,
  type KnownEvidence,
  quoted,
  type SqlRow,
  type SummaryAnswers,
  type SummaryQuery,
  type SummarySql,
  summarySql,
} from '../evidence/index.ts';
import type { DuckdbSession } from './duckdb-session.ts';
import { type KeptProgress, renewUnits } from './renew-units.ts';
import { createScratchTables } from './scratch-tables.ts';

/** How far the kept tables of one plan are. */
interface Progress extends KeptProgress {
  /** Answers hold up to and including here, as long as nothing new comes; null: for ever. */
  readonly untilMs: number | null;
}

/** Statements that make the tables for all plans. */
export const keptTables: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS kept_plan (owner VARCHAR PRIMARY KEY, plan VARCHAR, as_of_ms DOUBLE, until_ms DOUBLE,
    predictions BIGINT, ends BIGINT, outcomes BIGINT, next_number BIGINT, known VARCHAR, tables VARCHAR, answers VARCHAR)`,
];

/** Beyond this many predictions their latencies are counted by the microsecond: two to three times the work, but little memory. */
const manyPredictions = 4_000_000;

/** Questions may overtake one another by this much; then both get the answer of the later one. */
const overtakenMs = 1_000;

/** Answers the queries of a plan from kept tables, and keeps what is new: all of it or nothing. */
export async function answerFromKept(session: DuckdbSession, asked: AnalysisPlan): Promise<SummaryAnswers> {
  const { experiment, epochs } = asked;
  const owner = createHash('sha256')
    .update(JSON.stringify([experiment.namespace, experiment.name]))
    .digest('hex')
    .slice(0, 16);
  const identity = createHash('sha256')
    .update(JSON.stringify([experiment, epochs]))
    .digest('hex');
  const now = await countRows(session);
  const [found] = await session.read('SELECT k.* FROM kept_plan k WHERE k.owner = $owner', { owner });
  const progress = found === undefined || found.plan !== identity ? undefined : progressOf(found);
  const { asOfMs = 0 } = progress ?? {};
  const nowMs = asOfMs > asked.nowMs && asOfMs - asked.nowMs <= overtakenMs ? asOfMs : asked.nowMs;
  const plan = { ...asked, nowMs };
  const isUsable =
    progress !== undefined &&
    progress.asOfMs <= nowMs &&
    progress.predictions <= now.predictions &&
    progress.ends <= now.ends &&
    progress.outcomes <= now.outcomes;
  if (isUsable && (progress.untilMs === null || nowMs <= progress.untilMs)) {
    const isSame =
      progress.predictions === now.predictions && progress.ends === now.ends && progress.outcomes === now.outcomes;
    if (isSame) return JSON.parse(found?.answers as string) as SummaryAnswers;
  }
  const before = isUsable ? (JSON.parse(found?.known as string) as KnownEvidence) : undefined;
  const known = await knownEvidence(session, {
    plan,
    predictions: now.predictions,
    since: isUsable ? progress : undefined,
    before,
  });
  const isKnown = JSON.stringify(known) === JSON.stringify(before);
  const kept = createKept(session, { owner, sql: summarySql(plan, { known, keeps: true }), plan, known });
  await session.run('BEGIN');
  try {
    const nextNumber =
      isUsable && isKnown && (await kept.renew(progress, found?.next_number as number))
        ? await kept.highest()
        : await kept.make();
    const answers = await kept.ask();
    await session.run(
      'INSERT OR REPLACE INTO kept_plan VALUES ($owner, $identity, $nowMs, $untilMs, $predictions, $ends, $outcomes, $nextNumber, $known, $tables, $answers)',
      {
        owner,
        identity,
        nowMs,
        untilMs: await kept.until(),
        ...now,
        nextNumber: nextNumber + 1,
        known: JSON.stringify(known),
        tables: kept.names.join(' '),
        answers: JSON.stringify(answers),
      },
    );
    await session.run('COMMIT');
    return answers;
  } catch (fault) {
    await session.run('ROLLBACK');
    throw fault;
  } finally {
    await kept.leave();
  }
}

/** Forgets the tables of all plans: rows went, and nothing says which. */
export async function forgetKept(session: DuckdbSession): Promise<void> {
  for (const { tables } of await session.read('SELECT k.tables FROM kept_plan k'))
    for (const table of String(tables).split(' ')) await session.run(`DROP TABLE IF EXISTS ${table}`);
  await session.run('DELETE FROM kept_plan');
}

/**
 * What there is of the plan's namespace. @param of.predictions how many there are, of any experiment. @param of.since only rows after these are looked at, `before` says what there was.
 */
export async function knownEvidence(
  session: DuckdbSession,
  {
    plan,
    predictions,
    since,
    before,
  }: {
    readonly plan: AnalysisPlan;
    readonly predictions: number;
    readonly since?: Counts | undefined;
    readonly before?: KnownEvidence | undefined;
  },
): Promise<KnownEvidence> {
  const ours = (table: string, from: number | undefined): string =>
    `FROM ${table} r WHERE r.namespace = ${quoted(plan.experiment.namespace)}${from === undefined ? '' : ` AND r.rowid >= ${from}`}`;
  const [ends] = await session.read(`SELECT 1 AS found ${ours('prediction_end', since?.ends)} LIMIT 1`);
  const rows = await session.read(
    `SELECT DISTINCT r.subject_kind AS subject, r.type ${ours('outcome', since?.outcomes)}`,
  );
  const pairs = [...(before?.outcomes ?? []), ...(rows as unknown as NonNullable<KnownEvidence['outcomes']>)];
  const distinct = new Map(pairs.map(({ subject, type }) => [JSON.stringify([subject, type]), { subject, type }]));
  return {
    hasEnds: before?.hasEnds === true || ends !== undefined,
    outcomes: [...distinct].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, pair]) => pair),
    isLarge: predictions > manyPredictions,
  };
}

type Counts = Pick<Progress, 'predictions' | 'ends' | 'outcomes'>;

async function countRows(session: DuckdbSession): Promise<Counts> {
  const [row] = await session.read(
    'SELECT (SELECT count(*) FROM prediction) AS predictions, (SELECT count(*) FROM prediction_end) AS ends, (SELECT count(*) FROM outcome) AS outcomes',
  );
  return row as unknown as Counts;
}

function progressOf(row: SqlRow): Progress {
  return {
    asOfMs: row.as_of_ms as number,
    untilMs: row.until_ms as number | null,
    predictions: row.predictions as number,
    ends: row.ends as number,
    outcomes: row.outcomes as number,
  };
}

interface Kept {
  /** Names of the kept tables. */
  readonly names: readonly string[];
  /** Makes everything; gives the largest number given to a row. */
  make(): Promise<number>;
  /** Makes touched units again; false when there are too many of them, and nothing was changed. */
  renew(progress: Progress, firstNumber: number): Promise<boolean>;
  highest(): Promise<number>;
  ask(): Promise<SummaryAnswers>;
  /** When time alone will change an answer next. */
  until(): Promise<number | null>;
  /** Removes what is temporary. */
  leave(): Promise<void>;
}

function createKept(
  session: DuckdbSession,
  of: {
    readonly owner: string;
    readonly sql: SummarySql;
    readonly plan: AnalysisPlan;
    readonly known: KnownEvidence;
  },
): Kept {
  const { owner, plan, known } = of;
  const { steps, queries, renewal } = of.sql;
  const { nowMs } = plan;
  const namespace = quoted(plan.experiment.namespace);
  const nameOf = (table: string): string => `kept_${owner}_${table}`;
  const keptSteps = steps.filter(({ kept }) => kept !== undefined);
  const scratch = createScratchTables(session);
  const one = async (select: string): Promise<number> =>
    Number(Object.values((await session.read(select))[0] ?? {})[0] ?? 0);
  /** Predictions have numbers where outcomes are matched with them. */
  const hasRids = keptSteps.some(({ table, kept }) => table === 'exposure' && kept?.split(', ').includes('rid'));
  const highest = (): Promise<number> =>
    one(
      `SELECT greatest((SELECT coalesce(max(okey), 0) FROM ${nameOf('kept_outcome')})` +
        `${hasRids ? `, (SELECT coalesce(max(rid), 0) FROM ${nameOf('exposure')})` : ''})`,
    );

  return {
    names: keptSteps.map(({ table }) => nameOf(table)),
    highest,
    async make() {
      for (const { table, select, over, kept } of steps) {
        if (over === 'whole') continue;
        await scratch.make(table, select);
        if (kept !== undefined)
          await session.run(`CREATE OR REPLACE TABLE ${nameOf(table)} AS SELECT ${kept} FROM temp.${table}`);
      }
      await scratch.drop();
      return highest();
    },
    async renew(progress, firstNumber) {
      const isRenewed = await renewUnits(session, {
        ...{ scratch, sql: of.sql, plan, known, progress, nameOf, hasRids, firstNumber },
      });
      await scratch.drop();
      return isRenewed;
    },
    async ask() {
      const views = keptSteps.map(({ table }) => table);
      for (const table of views)
        await session.run(`CREATE OR REPLACE TEMP VIEW ${table} AS SELECT * FROM ${nameOf(table)}`);
      try {
        for (const { table, select, over } of steps) if (over === 'whole') await scratch.make(table, select);
        const answers: { [query in SummaryQuery]?: readonly SqlRow[] } = {};
        for (const [query, select] of Object.entries(queries) as [SummaryQuery, string][])
          answers[query] = await session.read(select);
        return answers;
      } finally {
        for (const table of views) await session.run(`DROP VIEW IF EXISTS temp.${table}`);
      }
    },
    async until() {
      const next = [
        ...renewal.windows.map(({ since, windowMs }) => {
          const at = `e.${since} + CAST(${windowMs} AS DOUBLE)`;
          return `SELECT min(CASE WHEN ${at} >= ${nowMs} THEN ${at} END) AS at_ms FROM ${nameOf(since === 'first_ms' ? 'first_exposure' : 'exposure')} e`;
        }),
        ...['prediction', 'prediction_end', 'outcome'].map((table) => {
          const column = table === 'outcome' ? 'r.received_ms' : 'r.time_ms';
          // What comes from the future counts the moment it is the present.
          return `SELECT nextafter(min(CASE WHEN ${column} > ${nowMs} THEN ${column} END), -1) AS at_ms FROM ${table} r WHERE r.namespace = ${namespace}`;
        }),
      ];
      const [row] = await session.read(`SELECT min(n.at_ms) AS until_ms FROM (${next.join(' UNION ALL ')}) n`);
      return (row?.until_ms as number | null | undefined) ?? null;
    },
    leave: () => scratch.drop(),
  };
}
