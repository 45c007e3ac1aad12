// Which units do new records and passing time touch, and how are their rows in the kept tables made again? Long because the order
// of its statements is one argument.
import { type AnalysisPlan, type KnownEvidence, quoted, type SummarySql } from '../evidence/index.ts';
import type { DuckdbSession } from './duckdb-session.ts';
import type { ScratchTables } from './scratch-tables.ts';

/** How far kept tables are. */
export interface KeptProgress {
  /** Answers hold from here. */
  readonly asOfMs: number;
  /** Rows of the raw tables that are in. */
  readonly predictions: number;
  readonly ends: number;
  readonly outcomes: number;
}

/** Beyond this share of touched units everything is made anew, which also packs the tables. */
const largestShare = 0.3;

/**
 * Makes the rows of touched units again, by the SQL that made them. Tables of the units concerned: `touched` (everything of them is
 * made from their records), `later` (they only got predictions after their first: rows are added), `valued` (touched, or their
 * values are made again from their first exposure and their outcomes).
 *
 * @param of.nameOf the kept table behind a step's. @param of.hasRids predictions have numbers, which outcomes are matched with.
 * @param of.firstNumber new rows are numbered from here.
 * @returns false when too many units are touched; nothing but scratch tables and kept outcomes was changed then.
 */
export async function renewUnits(
  session: DuckdbSession,
  of: {
    readonly scratch: ScratchTables;
    readonly sql: SummarySql;
    readonly plan: AnalysisPlan;
    readonly known: KnownEvidence;
    readonly progress: KeptProgress;
    readonly nameOf: (table: string) => string;
    readonly hasRids: boolean;
    readonly firstNumber: number;
  },
): Promise<boolean> {
  const { scratch, sql, plan, known, progress, nameOf, hasRids, firstNumber } = of;
  const { steps, renewal } = sql;
  const { addsLater, valuesApart, beginsApart } = renewal;
  const { make, show } = scratch;
  const { nowMs } = plan;
  const namespace = quoted(plan.experiment.namespace);
  const isOurs = `p.namespace = ${namespace} AND p.experiment = ${quoted(plan.experiment.name)}`;
  const isThere = (kind: string): boolean => known.outcomes?.some(({ subject }) => subject === kind) ?? true;
  /** Rows of predictions know when their unit began. */
  const hasSince = steps.some(({ table }) => table === 'shown');
  const hasNamed = isThere('prediction') || isThere('request');
  const keptOutcome = nameOf('kept_outcome');
  const firstExposure = nameOf('first_exposure');
  const key = `${renewal.unitNo} AS unit_no`;
  const cameDue = (column: string): string => `${column} > ${progress.asOfMs} AND ${column} <= ${nowMs}`;
  const count = async (select: string): Promise<number> =>
    Number(Object.values((await session.read(`SELECT count(*) FROM (${select}) c`))[0] ?? {})[0] ?? 0);

  /** Outcomes that changed which of them is kept: as they were and as they are. */
  const renewOutcomes = async (): Promise<void> => {
    const changed = (rows: string): string => `SELECT o.id FROM outcome o WHERE o.namespace = ${namespace} AND ${rows}`;
    // Apart, so that only the new rows and the days concerned are read.
    await make(
      'changed_id',
      `SELECT DISTINCT c.id FROM (${changed(`o.rowid >= ${progress.outcomes}`)} UNION ALL ${changed(cameDue('o.received_ms'))}) c`,
    );
    await make('old_outcome', `SELECT k.* FROM ${keptOutcome} k SEMI JOIN changed_id c ON c.id = k.id`);
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
    await session.run(`DELETE FROM ${keptOutcome} WHERE okey IN (SELECT s.okey FROM old_outcome s)`);
    await session.run(`INSERT INTO ${keptOutcome} SELECT n.* FROM new_outcome n`);
    await make(
      'touched_subject',
      'SELECT DISTINCT x.subject_kind, x.subject_id, x.subject_no, x.unit_no FROM (SELECT n.* FROM new_outcome n ANTI JOIN old_outcome s ON s.okey = n.okey ' +
        'UNION ALL SELECT s.* FROM old_outcome s ANTI JOIN new_outcome n ON n.okey = s.okey) x',
    );
  };

  /** First exposures whose window ended, by what it counts from. */
  const matured = (since: 'time_ms' | 'first_ms'): readonly string[] => {
    const passed = renewal.windows
      .filter((window) => window.since === since)
      .map(({ windowMs }) => {
        const at = `e.${since} + CAST(${windowMs} AS DOUBLE)`;
        return `(${at} >= ${progress.asOfMs} AND ${at} < ${nowMs})`;
      });
    if (passed.length === 0) return [];
    const from = since === 'first_ms' ? firstExposure : nameOf('exposure');
    return [
      `SELECT f.unit_no, f.unit FROM ${firstExposure} f SEMI JOIN (SELECT e.unit_no FROM ${from} e WHERE ${passed.join(' OR ')}) m ON m.unit_no = f.unit_no`,
    ];
  };

  const findTouched = async (): Promise<void> => {
    const scope = renewal.readsOthers ? `p.namespace = ${namespace}` : isOurs;
    const subjects = (column: string, kind: string): string =>
      `SELECT ${key}, p.unit FROM prediction p SEMI JOIN touched_subject s ON s.subject_id = p.${column} AND s.subject_kind = '${kind}' WHERE ${isOurs}`;
    const arrived = (rows: string): string =>
      `SELECT p.rowid AS place, ${key}, p.unit, p.time_ms, ${isOurs} AS is_ours, p.prediction_id, p.request_id FROM prediction p WHERE ${scope} AND ${rows}`;
    await make(
      'fresh',
      `${arrived(`p.rowid >= ${progress.predictions}`)} UNION ALL ${arrived(`p.rowid < ${progress.predictions} AND ${cameDue('p.time_ms')}`)}`,
    );
    const ends =
      `SELECT ${key}, p.unit FROM prediction p SEMI JOIN (SELECT z.prediction_id FROM prediction_end z WHERE z.namespace = ${namespace} ` +
      `AND (z.rowid >= ${progress.ends} OR (${cameDue('z.time_ms')}))) z ON z.prediction_id = p.prediction_id WHERE ${isOurs}`;
    const ofUsers = `SELECT f.unit_no, f.unit FROM ${firstExposure} f SEMI JOIN touched_subject s ON s.unit_no = f.unit_no`;
    const begun =
      `SELECT r.unit_no, r.unit FROM fresh r LEFT JOIN ${firstExposure} f ON f.unit_no = r.unit_no ` +
      'WHERE NOT r.is_ours OR f.unit_no IS NULL OR r.time_ms <= f.first_ms';
    // An outcome that came before the prediction it names.
    const awaited = ['prediction', 'request'].map(
      (kind) =>
        `SELECT r.unit_no, r.unit FROM fresh r SEMI JOIN ${keptOutcome} k ON k.subject_no = hash(r.${kind}_id) AND k.subject_kind = '${kind}'`,
    );
    const parts = [
      beginsApart
        ? 'SELECT r.unit_no, r.unit FROM fresh r WHERE FALSE'
        : addsLater
          ? begun
          : 'SELECT r.unit_no, r.unit FROM fresh r',
      ...(addsLater && hasNamed ? awaited : []),
      ...(known.hasEnds === false ? [] : [ends]),
      ...(isThere('prediction') ? [subjects('prediction_id', 'prediction')] : []),
      ...(isThere('request') ? [subjects('request_id', 'request')] : []),
      ...(valuesApart || !isThere('unit') ? [] : [renewal.isByUser ? ofUsers : subjects('unit', 'unit')]),
      ...matured('time_ms'),
      ...(valuesApart ? [] : matured('first_ms')),
    ];
    await make('touched', `SELECT DISTINCT t.unit_no, t.unit FROM (${parts.join(' UNION ALL ')}) t`);
    if (renewal.isShared) await widen();
    await make(
      'later',
      addsLater
        ? 'SELECT r.place, r.unit_no FROM fresh r ANTI JOIN touched t ON t.unit_no = r.unit_no'
        : 'SELECT r.place, r.unit_no FROM fresh r WHERE FALSE',
    );
    const apart = valuesApart ? [...(isThere('unit') ? [ofUsers] : []), ...matured('first_ms')] : [];
    await make(
      'valued',
      `SELECT DISTINCT v.unit_no FROM (${['SELECT t.unit_no, t.unit FROM touched t', ...apart].join(' UNION ALL ')}) v`,
    );
  };

  /** Whoever shares an outcome with a touched unit is touched, and so on. */
  const widen = async (): Promise<void> => {
    const countTouched = 'SELECT t.unit_no FROM touched t';
    for (let before = 0, now = await count(countTouched); now !== before; ) {
      before = now;
      await make(
        'touched_row',
        `SELECT p.prediction_id, p.request_id FROM prediction p SEMI JOIN touched t ON t.unit_no = ${renewal.unitNo} WHERE ${isOurs}`,
      );
      const sharing = ['prediction_id', 'request_id'].map(
        (column) =>
          `SELECT ${key}, p.unit FROM prediction p SEMI JOIN touched_row r ON r.${column} = p.${column} WHERE ${isOurs}`,
      );
      const user = `SELECT ${key}, p.unit FROM prediction p SEMI JOIN touched t ON t.unit = p.unit WHERE ${isOurs}`;
      const all = ['SELECT t.* FROM touched t', ...sharing, user].join(' UNION ALL ');
      await make('wider', `SELECT DISTINCT w.* FROM (${all}) w`);
      await make('touched', 'SELECT w.* FROM wider w');
      now = await count(countTouched);
    }
  };

  const raw = (table: string): string => `"${place}".main.${table}`;
  const showPredictions = async (rows: string): Promise<void> => {
    // What is new stands at the end.
    const [span] = await session.read(`SELECT min(r.place) AS first, max(r.place) AS last FROM ${rows} r`);
    const between = `p.rowid >= ${span?.first ?? 0} AND p.rowid <= ${span?.last ?? -1}`;
    await show(
      'prediction',
      `SELECT p.* FROM ${raw('prediction')} p SEMI JOIN ${rows} r ON r.place = p.rowid WHERE ${between}`,
    );
  };

  /** The records that the rows are made from, under the names of the raw tables, which they hide. */
  const narrow = async (): Promise<void> => {
    const others = renewal.readsOthers
      ? ` UNION SELECT p.rowid FROM ${raw('prediction')} p SEMI JOIN touched t ON t.unit = p.unit WHERE p.namespace = ${namespace}`
      : '';
    const isAnyTouched = (await count('SELECT t.unit_no FROM touched t LIMIT 1')) > 0;
    await make(
      'touched_row',
      !isAnyTouched
        ? 'SELECT l.place FROM later l WHERE FALSE'
        : `SELECT p.rowid AS place FROM ${raw('prediction')} p SEMI JOIN touched t ON t.unit_no = ${renewal.unitNo} WHERE ${isOurs}${others}`,
    );
    await make('read_row', 'SELECT t.place FROM touched_row t UNION ALL SELECT l.place FROM later l');
    await showPredictions('read_row');
    if (known.hasEnds !== false)
      await make(
        'prediction_end',
        `SELECT z.* FROM ${raw('prediction_end')} z SEMI JOIN prediction p ON p.prediction_id = z.prediction_id WHERE z.namespace = ${namespace}`,
      );
    if (renewal.isByUser && !hasNamed)
      return show('kept_outcome', `SELECT k.* FROM ${keptOutcome} k SEMI JOIN valued v ON v.unit_no = k.unit_no`);
    await make(
      'kept_outcome',
      `SELECT k.* FROM ${keptOutcome} k SEMI JOIN (SELECT 'unit' AS kind, p.unit AS id FROM prediction p WHERE p.unit IS NOT NULL ` +
        "UNION ALL SELECT 'prediction', p.prediction_id FROM prediction p UNION ALL SELECT 'request', p.request_id FROM prediction p) s " +
        'ON s.kind = k.subject_kind AND s.id = k.subject_id',
    );
  };

  /** Units, not touched ones, whose first exposure is among the added rows. */
  const findBegun = async (): Promise<void> => {
    await make(
      'begun',
      beginsApart
        ? `SELECT s.unit_no FROM (SELECT e.unit_no, min(e.time_ms) AS begin_ms FROM exposure e ANTI JOIN touched t ON t.unit_no = e.unit_no GROUP BY e.unit_no) s ` +
            `LEFT JOIN ${firstExposure} f ON f.unit_no = s.unit_no WHERE f.unit_no IS NULL OR s.begin_ms <= f.first_ms`
        : 'SELECT l.unit_no FROM later l WHERE FALSE',
    );
    await session.run('INSERT INTO valued SELECT b.unit_no FROM begun b ANTI JOIN valued v ON v.unit_no = b.unit_no');
    await make(
      'first_row',
      'SELECT t.place FROM touched_row t UNION ALL SELECT l.place FROM later l SEMI JOIN begun b ON b.unit_no = l.unit_no',
    );
  };

  /** The first exposures that stay, but for those whose variants differ from now on: of all units that are worked on. */
  const keepFirst = async (exposure: string): Promise<void> => {
    // Of two at the very same time the one that was there may be the first.
    await session.run(
      `DELETE FROM temp.first_exposure USING ${firstExposure} f WHERE f.unit_no = first_exposure.unit_no AND f.first_ms = first_exposure.first_ms ` +
        'AND (f.writer, f.sequence) < (first_exposure.writer, first_exposure.sequence) AND f.unit_no IN (SELECT b.unit_no FROM begun b)',
    );
    await session.run('DELETE FROM begun WHERE unit_no NOT IN (SELECT n.unit_no FROM temp.first_exposure n)');
    await session.run(
      `UPDATE temp.first_exposure SET is_mixed = TRUE FROM ${firstExposure} f WHERE f.unit_no = first_exposure.unit_no ` +
        'AND f.unit_no IN (SELECT b.unit_no FROM begun b) AND (f.is_mixed OR f.variant <> first_exposure.variant)',
    );
    await make(
      'mixed',
      `SELECT DISTINCT e.unit_no FROM temp.${exposure} e JOIN ${firstExposure} f ON f.unit_no = e.unit_no ` +
        'ANTI JOIN temp.first_exposure n ON n.unit_no = e.unit_no WHERE e.variant <> f.variant AND NOT f.is_mixed',
    );
    const others = hasSince ? 'SELECT l.unit_no FROM later l' : 'SELECT m.unit_no FROM mixed m';
    await session.run(
      'INSERT INTO temp.first_exposure SELECT f.* REPLACE (f.is_mixed OR f.unit_no IN (SELECT m.unit_no FROM mixed m) AS is_mixed) ' +
        `FROM ${firstExposure} f SEMI JOIN (${others} UNION ALL SELECT v.unit_no FROM valued v) u ON u.unit_no = f.unit_no ` +
        'WHERE f.unit_no NOT IN (SELECT t.unit_no FROM touched t UNION ALL SELECT b.unit_no FROM begun b)',
    );
  };

  const isOfUnits = (column: string): string =>
    renewal.unitMetrics.length === 0 ? 'FALSE' : `${column} IN (${renewal.unitMetrics.join(', ')})`;
  /** Some metric of theirs is made of predictions. */
  const hasRows = plan.experiment.metrics.length > renewal.unitMetrics.length;
  const within = (...tables: readonly string[]): string =>
    `unit_no IN (${tables.map((table) => `SELECT unit_no FROM ${table}`).join(' UNION ALL ')})`;

  const merge = async (): Promise<void> => {
    if (hasRids)
      await make('gone_row', `SELECT e.rid FROM ${nameOf('exposure')} e SEMI JOIN touched t ON t.unit_no = e.unit_no`);
    for (const { table, kept, later, over } of steps) {
      if (kept === undefined || over !== 'units' || (table === 'matched' && !hasRids)) continue;
      const columns = await session.read(`SELECT column_name FROM (DESCRIBE SELECT ${kept} FROM temp.${table})`);
      const names = columns.map((row) => row.column_name as string);
      const listed = names.map((name) => (name === 'rid' ? `${name} + ${firstNumber}` : `"${name}"`)).join(', ');
      const into = nameOf(table);
      const insert = (rows: string): Promise<void> =>
        session.run(`INSERT INTO ${into} SELECT ${listed} FROM ${rows} i`);
      const remove = (rows: string): Promise<void> => session.run(`DELETE FROM ${into} WHERE ${rows}`);
      if (table === 'first_exposure') {
        const changed = addsLater ? within('touched', 'begun', 'mixed') : within('touched');
        await remove(changed);
        await insert(`(SELECT * FROM temp.${table} WHERE ${changed})`);
      } else if (later === 'none') {
        await remove(within('valued'));
        await insert(`(SELECT * FROM temp.${table} WHERE ${within('valued')})`);
      } else if (later === 'sum' && addsLater) {
        await remove(`${isOfUnits('metric')} AND ${within('valued')}`);
        await insert(`(SELECT * FROM temp.${table} WHERE ${isOfUnits('metric')} AND ${within('valued')})`);
        if (!hasRows) continue;
        const sums = ['numerator', 'denominator', 'others', 'waiting'].map((name) => `sum(a.${name}) AS ${name}`);
        await make(
          'summed',
          `SELECT a.metric, a.unit_no, a.age, ${sums.join(', ')} FROM (` +
            `SELECT k.* FROM ${into} k WHERE NOT ${isOfUnits('k.metric')} AND k.${within('later')} UNION ALL ` +
            `SELECT v.* FROM temp.${table} v WHERE NOT ${isOfUnits('v.metric')}) a GROUP BY a.metric, a.unit_no, a.age`,
        );
        await remove(`NOT ${isOfUnits('metric')} AND ${within('touched', 'later')}`);
        await insert('temp.summed');
      } else {
        const by = names.includes('unit_no') ? 'unit_no' : 'rid';
        await remove(by === 'rid' ? 'rid IN (SELECT g.rid FROM gone_row g)' : within('touched'));
        await insert(`temp.${table}`);
      }
    }
  };

  const [{ place } = { place: '' }] = await session.read('SELECT current_database() AS place');
  await renewOutcomes();
  await findTouched();
  const touched = await count('SELECT DISTINCT t.unit_no FROM touched t');
  const units = await count(`SELECT f.unit_no FROM ${firstExposure} f`);
  if (touched > 100 && touched > largestShare * units) return false;
  if ((await count('SELECT v.unit_no FROM valued v UNION ALL SELECT l.unit_no FROM later l')) === 0) return true;
  await narrow();
  const exposure = hasSince ? 'shown' : 'exposure';
  for (const { table, select, over } of steps) {
    if (over !== 'units') continue;
    if (!addsLater) {
      await make(table, select);
      continue;
    }
    if (table === 'first_exposure') await showPredictions('first_row');
    await make(table, select);
    if (table === exposure) await findBegun();
    if (table !== 'first_exposure') continue;
    await showPredictions('read_row');
    await keepFirst(exposure);
  }
  await merge();
  return true;
}
