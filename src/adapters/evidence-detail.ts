// What happened by the hour, by latency and by who answered? Asks sealed segments and the logs after them for the pictures of one
// experiment, apart from its report, which must not wait for pictures.
import { join, resolve } from 'node:path';
import { jsonLabel, jsonMember, quoted, type SqlRow } from '../evidence/index.ts';
import { type DuckdbSession, openDuckdbSession } from './duckdb-session.ts';
import { type Manifest, type Segment, sealedThrough, segmentFolder } from './evidence-store/manifest.ts';
import { type EvidenceSnapshot, hasMoved, takeSnapshot } from './evidence-store/read-evidence.ts';
import { segmentRows } from './evidence-store/segment-columns.ts';
import { segmentPath } from './evidence-store/segment-file.ts';
import { type LogPosition, readLog } from './read-evidence-log.ts';

/** What is asked; plain JSON, so that another process can answer. */
export interface DetailQuestion {
  readonly directory: string;
  readonly namespace: string;
  readonly experiment: string;
  /** Every request is its own unit. */
  readonly byRequest: boolean;
  readonly part: /** Requests, failures and latency since `sinceMs`, by assigned variant. */
    | { readonly kind: 'now'; readonly sinceMs: number }
    /** Units by the time of their first exposure, in stretches of `everyMs`. */
    | { readonly kind: 'arrivals'; readonly everyMs: number }
    /** The same by revision and by the values of segments that the request declares, too; `segment` is empty for the whole. */
    | { readonly kind: 'cells'; readonly everyMs: number; readonly segments: readonly string[] }
    /** Quantiles of the assigned variant's own attempts. */
    | { readonly kind: 'latency'; readonly quantiles: readonly number[] }
    /** Who answered whom, and why. */
    | { readonly kind: 'served' };
}

/** Rows of an answer, by query; in the same order whenever the same is asked of the same records. */
export interface DetailAnswer {
  readonly [query: string]: readonly { readonly [column: string]: string | number | null | readonly number[] }[];
}

const mostTries = 5;
/** Values of a segment that are told apart, as in the report; rarer ones are left to the whole. */
const segmentValues = 20;
const batchCharacters = 8 * 1024 * 1024;

const attempt = { variant: 'VARCHAR', latencyMs: 'DOUBLE', error: 'VARCHAR' };
const shape = JSON.stringify({
  kind: 'VARCHAR',
  writer: 'VARCHAR',
  sequence: 'BIGINT',
  timeMs: 'DOUBLE',
  namespace: 'VARCHAR',
  experiment: 'VARCHAR',
  revision: 'DOUBLE',
  epoch: 'DOUBLE',
  predictionId: 'VARCHAR',
  row: 'DOUBLE',
  unit: 'VARCHAR',
  assigned: 'VARCHAR',
  served: 'VARCHAR',
  reason: 'VARCHAR',
  attempts: [attempt],
  attempt,
  context: 'JSON',
  prediction: 'JSON',
  status: 'DOUBLE',
  callerMs: 'DOUBLE',
});

/** A caller who hung up is no failure of the variant, and neither is a try that another one of the same variant overtook. */
const failure = (error: string): string => `CASE WHEN ${error} NOT IN ('aborted', 'hedged') THEN 1 ELSE 0 END`;

const predictionColumns = [
  'i.timeMs AS time_ms',
  'i.revision',
  'i.epoch',
  'i.predictionId AS prediction_id',
  'i."row" AS row_index',
  'i.unit',
  'i.assigned',
  'i.served',
  'i.reason',
  'i.status',
  'CASE WHEN i.attempts[1].variant = i.assigned THEN i.attempts[1].error END AS error',
  `CASE WHEN i.attempts[1].variant = i.assigned THEN ${failure('i.attempts[1].error')} ELSE 0 END AS failed`,
  "CASE WHEN i.attempts[1].variant = i.assigned AND coalesce(i.attempts[1].error, '') NOT IN ('ejected', 'overloaded') THEN i.attempts[1].latencyMs END AS attempt_ms",
  'CAST(i.context AS VARCHAR) AS context',
  'CAST(i.prediction AS VARCHAR) AS prediction',
].join(', ');
const mirrorColumns =
  'i.predictionId AS prediction_id, i."row" AS row_index, i.attempt.variant AS variant, i.attempt.error AS error, CAST(i.prediction AS VARCHAR) AS prediction';

const tables = {
  prediction: { kind: 'prediction', segments: 'predictions', columns: predictionColumns },
  mirror: { kind: 'mirror', segments: 'mirrors', columns: mirrorColumns },
} as const;

/** What of one data directory's logs is not sealed yet, taken in as it grows. */
interface Tail {
  readonly session: DuckdbSession;
  positions: Map<string, LogPosition>;
  removals: number;
}

const tails = new Map<string, Promise<Tail>>();
let last: Promise<unknown> = Promise.resolve();

/** Answers one question from all that is durable now. One at a time. */
export function readDetail(question: DetailQuestion): Promise<DetailAnswer> {
  const answer = last.then(() => answerNow(question));
  last = answer.catch(() => undefined);
  return answer;
}

/** Forgets what was taken in: rows were erased, or nobody asks any more. */
export async function forgetDetail(directory: string): Promise<void> {
  const tail = tails.get(directory);
  tails.delete(directory);
  await last;
  await (await tail?.catch(() => undefined))?.session.close();
}

async function answerNow(question: DetailQuestion): Promise<DetailAnswer> {
  const { directory } = question;
  for (let tries = 1; ; tries += 1) {
    const snapshot = await takeSnapshot(directory);
    try {
      const tail = await tailOf(directory);
      await follow(tail, directory, snapshot);
      return await ask(tail.session, question, snapshot.manifest);
    } catch (fault) {
      // Sealed or merged while we read: the next snapshot has it all.
      if (tries === mostTries || !(await hasMoved(fault, directory, snapshot))) throw fault;
    }
  }
}

function tailOf(directory: string): Promise<Tail> {
  const known = tails.get(directory);
  if (known !== undefined) return known;
  const opened = openDuckdbSession({ folders: [join(resolve(directory), segmentFolder)], memoryLimit: '512MB' }).then(
    async (session): Promise<Tail> => {
      const empty = `SELECT unnest([json_transform('{}', '${shape}')]) AS i`;
      for (const [table, { columns }] of Object.entries(tables))
        await session.run(
          `CREATE TABLE ${table} AS SELECT i.writer, i.sequence, i.namespace, i.experiment, ${columns} FROM (${empty}) LIMIT 0`,
        );
      return { session, positions: new Map(), removals: -1 };
    },
  );
  tails.set(directory, opened);
  opened.catch(() => tails.delete(directory));
  return opened;
}

/** Takes in what the logs have beyond the last time, and lets go what is sealed by now. */
async function follow(tail: Tail, directory: string, { manifest, files }: EvidenceSnapshot): Promise<void> {
  const { session } = tail;
  if (tail.removals !== manifest.removals) {
    for (const table of Object.keys(tables)) await session.run(`DELETE FROM ${table}`);
    tail.positions = new Map();
    tail.removals = manifest.removals;
  }
  for (const writer of tail.positions.keys()) {
    const sequence = sealedThrough(manifest, writer);
    if (sequence === 0) continue;
    for (const table of Object.keys(tables))
      await session.run(`DELETE FROM ${table} WHERE writer = $writer AND sequence <= $sequence`, { writer, sequence });
  }
  let lines: string[] = [];
  let characters = 0;
  const flush = async (): Promise<void> => {
    if (lines.length === 0) return;
    await takeLines(session, lines.join(''), manifest);
    lines = [];
    characters = 0;
  };
  for await (const piece of readLog(directory, { files, after: tail.positions })) {
    if (piece.kind === 'tail') continue;
    const text = piece.payload.toString('utf8');
    lines.push(text);
    characters += text.length;
    tail.positions.set(piece.writer, piece.next);
    if (characters >= batchCharacters) await flush();
  }
  await flush();
}

async function takeLines(session: DuckdbSession, lines: string, manifest: Manifest): Promise<void> {
  await session.run(
    `CREATE OR REPLACE TEMP TABLE arrived AS SELECT json_transform(l.line, '${shape}') AS i ` +
      'FROM (SELECT unnest(string_split($lines, chr(10))) AS line) l WHERE json_valid(l.line)',
    { lines },
  );
  // Of a file that is sealed in part only the rest counts.
  const sealed = Object.keys(manifest.writers).map(
    (writer) => `(${quoted(writer)}, CAST(${sealedThrough(manifest, writer)} AS BIGINT))`,
  );
  const beyond =
    sealed.length === 0
      ? ''
      : ` AND a.i.sequence > coalesce((SELECT s.sequence FROM (VALUES ${sealed.join(', ')}) s(writer, sequence) WHERE s.writer = a.i.writer), 0)`;
  for (const [table, { kind, columns }] of Object.entries(tables))
    await session.run(
      `INSERT INTO ${table} SELECT i.writer, i.sequence, i.namespace, i.experiment, ${columns} FROM arrived a ` +
        `WHERE a.i.kind = '${kind}' AND a.i.timeMs IS NOT NULL${beyond}`,
    );
}

/** All rows of one experiment, sealed and not. */
function rowsOf(
  table: keyof typeof tables,
  question: DetailQuestion,
  { manifest, sinceMs = 0 }: { readonly manifest: Manifest; readonly sinceMs?: number },
): string {
  const { namespace, experiment, directory } = question;
  const { segments: kind, columns } = tables[table];
  const isOurs = (segment: Segment): boolean =>
    segment.kind === kind &&
    segment.namespace === namespace &&
    segment.experiment === experiment &&
    segment.toMs >= sinceMs;
  const paths = manifest.segments.filter(isOurs).map((segment) => segmentPath(directory, segment));
  const time = table === 'prediction' ? ` AND time_ms >= ${sinceMs}` : '';
  const ours = `namespace = ${quoted(namespace)} AND experiment = ${quoted(experiment)}${time}`;
  const tail = `SELECT * EXCLUDE (writer, sequence, namespace, experiment) FROM ${table} WHERE ${ours}`;
  if (paths.length === 0) return `(${tail})`;
  const sealed = `SELECT ${columns} FROM ${segmentRows(kind, paths)} i WHERE ${ours.replace('time_ms', 'i.timeMs')}`;
  return `(${tail} UNION ALL ${sealed})`;
}

async function ask(session: DuckdbSession, question: DetailQuestion, manifest: Manifest): Promise<DetailAnswer> {
  const answers: Record<string, readonly SqlRow[]> = {};
  const sqls = sqlOf(question, manifest);
  for (const [name, sql] of Object.entries(sqls)) answers[name] = await session.read(sql);
  return answers as DetailAnswer;
}

/** What counts as one unit. */
function unitKey(byRequest: boolean): string {
  return byRequest
    ? 'p.prediction_id'
    : "CASE WHEN p.unit IS NULL THEN concat('p', p.prediction_id) ELSE concat('u', p.unit) END";
}

function sqlOf(question: DetailQuestion, manifest: Manifest): Readonly<Record<string, string>> {
  const { part, byRequest } = question;
  switch (part.kind) {
    case 'now':
      return {
        variants:
          'SELECT p.assigned AS variant, count(*) AS requests, sum(p.failed) AS failed, count(p.attempt_ms) AS attempts, ' +
          'sum(CASE WHEN p.status IS NOT NULL AND (p.served IS NULL OR p.status >= 500) THEN 1 ELSE 0 END) AS caller_failed, ' +
          'sum(CASE WHEN p.served <> p.assigned THEN 1 ELSE 0 END) AS fallback, max(p.time_ms) AS last_ms, ' +
          'quantile_cont(p.attempt_ms, 0.5) AS p50, quantile_cont(p.attempt_ms, 0.95) AS p95 ' +
          `FROM ${rowsOf('prediction', question, { manifest, sinceMs: part.sinceMs })} p WHERE p.reason <> 'forced' GROUP BY p.assigned ORDER BY p.assigned`,
      };
    case 'arrivals':
      return {
        units:
          `SELECT floor(f.first_ms / ${part.everyMs}) * ${part.everyMs} AS at_ms, f.first.epoch AS epoch, f.first.assigned AS variant, count(*) AS units ` +
          `FROM (SELECT min(p.time_ms) AS first_ms, arg_min({'epoch': p.epoch, 'assigned': p.assigned}, p.time_ms) AS first ` +
          `FROM ${rowsOf('prediction', question, { manifest })} p WHERE p.reason = 'split' GROUP BY ${unitKey(byRequest)}) f GROUP BY ALL ORDER BY 2, 1, 3`,
      };
    case 'cells': {
      const cuts = part.segments.map((name) => {
        const label = jsonLabel(jsonMember('f.first.context', name));
        return `{'segment': ${quoted(name)}, 'value': coalesce(${label}, '(missing)')}`;
      });
      const first = `arg_min({'revision': p.revision, 'epoch': p.epoch, 'assigned': p.assigned, 'context': p.context}, p.time_ms)`;
      return {
        units:
          `WITH f AS (SELECT min(p.time_ms) AS first_ms, ${first} AS first ` +
          `FROM ${rowsOf('prediction', question, { manifest })} p WHERE p.reason = 'split' GROUP BY ${unitKey(byRequest)}), ` +
          `cell AS (SELECT c.at_ms, c.epoch, c.revision, c.variant, c.cut.segment AS segment, c.cut.value AS value, count(*) AS units FROM (` +
          `SELECT floor(f.first_ms / ${part.everyMs}) * ${part.everyMs} AS at_ms, f.first.epoch AS epoch, f.first.revision AS revision, ` +
          `f.first.assigned AS variant, unnest([${["{'segment': '', 'value': ''}", ...cuts].join(', ')}]) AS cut FROM f) c GROUP BY ALL), ` +
          `kept AS (SELECT k.segment, k.value FROM (SELECT segment, value, row_number() OVER (PARTITION BY segment ORDER BY sum(units) DESC, value) AS nth ` +
          `FROM cell GROUP BY segment, value) k WHERE k.nth <= ${segmentValues}) ` +
          `SELECT cell.* FROM cell JOIN kept ON kept.segment = cell.segment AND kept.value = cell.value ORDER BY ALL`,
      };
    }
    case 'latency':
      return {
        variants:
          `SELECT p.assigned AS variant, count(*) AS n, count(DISTINCT p.unit) AS units, quantile_cont(p.attempt_ms, [${part.quantiles.join(', ')}]) AS ms ` +
          `FROM ${rowsOf('prediction', question, { manifest })} p WHERE p.reason = 'split' AND p.attempt_ms IS NOT NULL GROUP BY p.assigned ORDER BY p.assigned`,
      };
    case 'served': {
      const rows = rowsOf('prediction', question, { manifest });
      const plain = (text: string): string => `CASE WHEN ${text} <> 'null' THEN ${text} END`;
      return {
        cells: `SELECT p.assigned, coalesce(p.served, 'none') AS served, count(*) AS predictions FROM ${rows} p WHERE p.reason = 'split' GROUP BY ALL ORDER BY ALL`,
        reasons:
          `SELECT p.assigned, coalesce(p.error, 'unknown') AS reason, count(*) AS predictions FROM ${rows} p ` +
          "WHERE p.reason = 'split' AND (p.served IS NULL OR p.served <> p.assigned) GROUP BY ALL ORDER BY 3 DESC, 1, 2",
        assignments: `SELECT p.reason, count(*) AS predictions FROM ${rows} p GROUP BY ALL ORDER BY 2 DESC, 1`,
        mirror:
          `SELECT m.variant, count(*) AS sent, sum(CASE WHEN m.error IS NULL THEN 0 ELSE 1 END) AS failed, ` +
          `sum(CASE WHEN ${plain('m.prediction')} IS NOT NULL AND ${plain('p.prediction')} IS NOT NULL THEN 1 ELSE 0 END) AS compared, ` +
          `sum(CASE WHEN ${plain('m.prediction')} = ${plain('p.prediction')} THEN 1 ELSE 0 END) AS agreed ` +
          `FROM ${rowsOf('mirror', question, { manifest })} m LEFT JOIN ${rows} p ON p.prediction_id = m.prediction_id AND p.row_index = m.row_index GROUP BY m.variant ORDER BY m.variant`,
      };
    }
  }
}
