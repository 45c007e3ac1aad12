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

/** How far the kept tables of one plan are. */
interface Progress {
  /** Answers hold from here ... */
  readonly asOfMs: number;
  /** ... up to and including here, as long as nothing new comes; null: for ever. */
  readonly untilMs: number | null;
  /** Rows of the raw tables that are in. */
  readonly predictions: number;
  readonly ends: number;
  readonly outcomes: number;
}

/** Statements that make the tables for all plans. */
export const keptTables: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS kept_plan (owner VARCHAR PRIMARY KEY, plan VARCHAR, as_of_ms DOUBLE, until_ms DOUBLE,
    predictions BIGINT, ends BIGINT, outcomes BIGINT, next_number BIGINT, known VARCHAR, tables VARCHAR, answers VARCHAR)`,
];

/** Beyond this share of touched units everything is made anew, which also packs the tables. */
const largestShare = 0.3;

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
  const isThere = (kind: string): boolean => known.outcomes?.some(({ subject }) => subject === kind) ?? true;
  const { nowMs } = plan;
  const namespace = quoted(plan.experiment.namespace);
  const ours = `p.namespace = ${namespace} AND p.experiment = ${quoted(plan.experiment.name)}`;
  const nameOf = (table: string): string => `kept_${owner}_${table}`;
  const keptSteps = steps.filter(({ kept }) => kept !== undefined);
  const overUnits = steps.filter(({ over }) => over === 'units');
  const temporary = new Set<string>();
  const shown = new Set<string>();
  const make = async (table: string, select: string): Promise<void> => {
    temporary.add(table);
    await session.run(`CREATE OR REPLACE TEMP TABLE ${table} AS ${select}`);
  };
  const show = async (table: string, select: string): Promise<void> => {
    shown.add(table);
    await session.run(`CREATE OR REPLACE TEMP VIEW ${table} AS ${select}`);
  };
  const dropTemporary = async (): Promise<void> => {
    for (const view of shown) await session.run(`DROP VIEW IF EXISTS temp.${view}`);
    shown.clear();
    for (const table of temporary) await session.run(`DROP TABLE IF EXISTS temp.${table}`);
    temporary.clear();
  };
  const countTouched = 'SELECT count(*) FROM touched';
  const one = async (select: string): Promise<number> =>
    Number(Object.values((await session.read(select))[0] ?? {})[0] ?? 0);
  /** Predictions have numbers where outcomes are matched with them. */
  const hasRids = keptSteps.some(({ table, kept }) => table === 'exposure' && kept?.split(', ').includes('rid'));
  const highest = (): Promise<number> =>
    one(
      `SELECT greatest((SELECT coalesce(max(okey), 0) FROM ${nameOf('kept_outcome')})` +
        `${hasRids ? `, (SELECT coalesce(max(rid), 0) FROM ${nameOf('exposure')})` : ''})`,
    );

  /** Outcomes that changed which of them is kept: as they were and as they are. */
  const renewOutcomes = async (progress: Progress, firstNumber: number): Promise<void> => {
    const became = `o.received_ms > ${progress.asOfMs} AND o.received_ms <= ${nowMs}`;
    await make(
      'changed_id',
      `SELECT DISTINCT o.id FROM outcome o WHERE o.namespace = ${namespace} AND (o.rowid >= ${progress.outcomes} OR (${became}))`,
    );
    const kept = nameOf('kept_outcome');
    await make('old_outcome', `SELECT k.* FROM ${kept} k SEMI JOIN changed_id c ON c.id = k.id`);
    await make(
      'new_outcome',
      `SELECT n.* REPLACE (n.okey + ${firstNumber} AS okey) FROM (${renewal.keptOutcome(
        '(SELECT r.* FROM outcome r SEMI JOIN changed_id c ON c.id = r.id) o',
      )}) n`,
    );
    // One that only came again keeps its number, which its matches are known by.
    await session.run(
      'UPDATE new_outcome SET okey = s.okey FROM old_outcome s WHERE s.id = new_outcome.id AND s.writer = new_outcome.writer AND s.sequence = new_outcome.sequence',
    );
    await session.run(`DELETE FROM ${kept} WHERE id IN (SELECT id FROM old_outcome)`);
    await session.run(`INSERT INTO ${kept} SELECT n.* FROM new_outcome n`);
    await make(
      'touched_subject',
      'SELECT DISTINCT x.subject_kind, x.subject_id, x.unit_no FROM (SELECT n.* FROM new_outcome n ANTI JOIN old_outcome s ON s.okey = n.okey ' +
        'UNION ALL SELECT s.* FROM old_outcome s ANTI JOIN new_outcome n ON n.okey = s.okey) x',
    );
  };

  /** Table `touched` (unit_no, unit). */
  const findTouched = async (progress: Progress): Promise<void> => {
    const { asOfMs } = progress;
    const between = (column: string): string => `${column} > ${asOfMs} AND ${column} <= ${nowMs}`;
    const key = `${renewal.unitNo} AS unit_no`;
    const scope = renewal.readsOthers ? `p.namespace = ${namespace}` : ours;
    const subjects = (column: string, kind: string): string =>
      `SELECT ${key}, p.unit FROM prediction p SEMI JOIN touched_subject s ON s.subject_id = p.${column} AND s.subject_kind = '${kind}' WHERE ${ours}`;
    const fresh = `p.rowid >= ${progress.predictions} OR (${between('p.time_ms')})`;
    const ends =
      `SELECT ${key}, p.unit FROM prediction p SEMI JOIN (SELECT z.prediction_id FROM prediction_end z WHERE z.namespace = ${namespace} ` +
      `AND (z.rowid >= ${progress.ends} OR (${between('z.time_ms')}))) z ON z.prediction_id = p.prediction_id WHERE ${ours}`;
    const matured = [...new Set(renewal.windows.map(({ since }) => since))].map((since) => {
      const windows = renewal.windows.filter((each) => each.since === since);
      const passed = windows.map(
        ({ windowMs }) =>
          `(e.${since} + CAST(${windowMs} AS DOUBLE) >= ${asOfMs} AND e.${since} + CAST(${windowMs} AS DOUBLE) < ${nowMs})`,
      );
      const from = since === 'first_ms' ? nameOf('first_exposure') : nameOf('exposure');
      return (
        `SELECT f.unit_no, f.unit FROM ${nameOf('first_exposure')} f SEMI JOIN ` +
        `(SELECT e.unit_no FROM ${from} e WHERE ${passed.join(' OR ')}) m ON m.unit_no = f.unit_no`
      );
    });
    const parts = [
      `SELECT ${key}, p.unit FROM prediction p WHERE ${scope} AND (${fresh})`,
      ...(known.hasEnds === false ? [] : [ends]),
      ...(isThere('prediction') ? [subjects('prediction_id', 'prediction')] : []),
      ...(isThere('request') ? [subjects('request_id', 'request')] : []),
      ...(!isThere('unit')
        ? []
        : renewal.isByUser
          ? [
              `SELECT f.unit_no, f.unit FROM ${nameOf('first_exposure')} f SEMI JOIN touched_subject s ON s.unit_no = f.unit_no`,
            ]
          : [subjects('unit', 'unit')]),
      ...matured,
    ];
    await make('touched', `SELECT DISTINCT t.unit_no, t.unit FROM (${parts.join(' UNION ALL ')}) t`);
    if (!renewal.isShared) return;
    // Whoever shares an outcome with a touched unit is touched, and so on.
    for (let before = 0, count = await one(countTouched); count !== before; ) {
      before = count;
      await make(
        'touched_row',
        `SELECT p.prediction_id, p.request_id FROM prediction p SEMI JOIN touched t ON t.unit_no = ${renewal.unitNo} WHERE ${ours}`,
      );
      const sharing = ['prediction_id', 'request_id'].map(
        (column) =>
          `SELECT ${key}, p.unit FROM prediction p SEMI JOIN touched_row r ON r.${column} = p.${column} WHERE ${ours}`,
      );
      const user = `SELECT ${key}, p.unit FROM prediction p SEMI JOIN touched t ON t.unit = p.unit WHERE ${ours}`;
      const all = ['SELECT t.* FROM touched t', ...sharing, user].join(' UNION ALL ');
      await make('wider', `SELECT DISTINCT w.* FROM (${all}) w`);
      await make('touched', 'SELECT w.* FROM wider w');
      count = await one(countTouched);
    }
  };

  /** The records of touched units under the names of the raw tables, which they hide. */
  const narrow = async (): Promise<void> => {
    const [{ place } = { place: '' }] = await session.read('SELECT current_database() AS place');
    const raw = (table: string): string => `"${place}".main.${table}`;
    const others = renewal.readsOthers
      ? ` UNION SELECT p.rowid FROM ${raw('prediction')} p SEMI JOIN touched t ON t.unit = p.unit WHERE p.namespace = ${namespace}`
      : '';
    await make(
      'touched_row',
      `SELECT p.rowid AS place FROM ${raw('prediction')} p SEMI JOIN touched t ON t.unit_no = ${renewal.unitNo} WHERE ${ours}${others}`,
    );
    // A view, because each step reads few of the columns.
    await show('prediction', `SELECT p.* FROM ${raw('prediction')} p SEMI JOIN touched_row r ON r.place = p.rowid`);
    if (known.hasEnds !== false)
      await make(
        'prediction_end',
        `SELECT z.* FROM ${raw('prediction_end')} z SEMI JOIN prediction p ON p.prediction_id = z.prediction_id WHERE z.namespace = ${namespace}`,
      );
    const kept = nameOf('kept_outcome');
    if (renewal.isByUser && !isThere('prediction') && !isThere('request'))
      return show('kept_outcome', `SELECT k.* FROM ${kept} k SEMI JOIN touched t ON t.unit_no = k.unit_no`);
    await make(
      'kept_outcome',
      `SELECT k.* FROM ${kept} k SEMI JOIN (SELECT 'unit' AS kind, p.unit AS id FROM prediction p WHERE p.unit IS NOT NULL ` +
        "UNION ALL SELECT 'prediction', p.prediction_id FROM prediction p UNION ALL SELECT 'request', p.request_id FROM prediction p) s " +
        'ON s.kind = k.subject_kind AND s.id = k.subject_id',
    );
  };

  const merge = async (firstNumber: number): Promise<void> => {
    await make(
      'gone',
      `SELECT f.unit_no FROM ${nameOf('first_exposure')} f SEMI JOIN touched t ON t.unit_no = f.unit_no`,
    );
    if (hasRids)
      await make('gone_row', `SELECT e.rid FROM ${nameOf('exposure')} e SEMI JOIN gone g ON g.unit_no = e.unit_no`);
    for (const { table, kept } of keptSteps) {
      if (kept === undefined || table === 'kept_outcome' || (table === 'matched' && !hasRids)) continue;
      const columns = await session.read(`SELECT column_name FROM (DESCRIBE SELECT ${kept} FROM temp.${table})`);
      const names = columns.map((row) => row.column_name as string);
      const by = names.includes('unit_no') ? 'unit_no' : 'rid';
      await session.run(
        `DELETE FROM ${nameOf(table)} WHERE ${by} IN (SELECT g.${by} FROM ${by === 'rid' ? 'gone_row' : 'gone'} g)`,
      );
      const listed = names.map((name) => (name === 'rid' ? `${name} + ${firstNumber}` : `"${name}"`));
      await session.run(`INSERT INTO ${nameOf(table)} SELECT ${listed.join(', ')} FROM temp.${table}`);
    }
  };

  return {
    names: keptSteps.map(({ table }) => nameOf(table)),
    highest,
    async make() {
      for (const { table, select, over, kept } of steps) {
        if (over === 'whole') continue;
        await make(table, select);
        if (kept !== undefined)
          await session.run(`CREATE OR REPLACE TABLE ${nameOf(table)} AS SELECT ${kept} FROM temp.${table}`);
      }
      await dropTemporary();
      return highest();
    },
    async renew(progress, firstNumber) {
      await renewOutcomes(progress, firstNumber);
      await findTouched(progress);
      const touched = await one('SELECT count(DISTINCT unit_no) FROM touched');
      const units = await one(`SELECT count(*) FROM ${nameOf('first_exposure')}`);
      if (touched > 100 && touched > largestShare * units) {
        await dropTemporary();
        return false;
      }
      if (touched > 0) {
        await narrow();
        for (const { table, select } of overUnits) await make(table, select);
        await merge(firstNumber);
      }
      await dropTemporary();
      return true;
    },
    async ask() {
      const views = keptSteps.map(({ table }) => table);
      for (const table of views)
        await session.run(`CREATE OR REPLACE TEMP VIEW ${table} AS SELECT * FROM ${nameOf(table)}`);
      try {
        for (const { table, select, over } of steps) if (over === 'whole') await make(table, select);
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
    leave: dropTemporary,
  };
}
