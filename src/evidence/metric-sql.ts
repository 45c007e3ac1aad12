// Which number does a metric make of each prediction, and since when may it count?
import { AssayError } from '../errors.ts';
import type { Experiment, Metric } from '../experiment/index.ts';
import { compileToSql, type Expression, namesIn, parseExpression, type SqlName } from '../expression/index.ts';
import { double, largestValue } from './sql-text.ts';

/** A metric with its expression read. */
export interface PreparedMetric {
  readonly metric: Metric;
  /** Place in the experiment; names the metric in SQL. */
  readonly index: number;
  readonly expression: Expression;
  /** Outcome types it reads, without `outcome.`. */
  readonly types: readonly string[];
  /** True when it gives an absent outcome a meaning: then nothing counts before the window has ended. */
  readonly readsAbsence: boolean;
}

const outcomePrefix = 'outcome.';
const builtIns = ['failed', 'caller_failed', 'attempt_ms', 'caller_ms', 'fallback', 'status'] as const;

/** The metrics of an experiment. @throws AssayError `experiment-invalid` for an expression that cannot be read. */
export function prepareMetrics(experiment: Experiment): readonly PreparedMetric[] {
  return experiment.metrics.map((metric, index) => {
    const expression = readExpression(metric.definition.expression, `metrics.${metric.name}`);
    const types = outcomeTypes(expression);
    return { metric, index, expression, types, readsAbsence: types.length > 0 && readsAbsence(expression, false) };
  });
}

/** A parsed expression. @throws AssayError `experiment-invalid` naming the place. */
export function readExpression(text: string, place: string): Expression {
  const parsed = parseExpression(text);
  if (parsed.kind === 'parsed') return parsed.expression;
  throw new AssayError('experiment-invalid', `${place} is ${JSON.stringify(text)}: ${parsed.message}`);
}

/** Captured and declared names that expressions use: all that is neither built in nor an outcome. */
export function capturedNames(expressions: readonly Expression[]): readonly string[] {
  const names = new Set(expressions.flatMap((expression) => namesIn(expression)));
  return [...names].filter(
    (name) =>
      name !== 'prediction' && !(builtIns as readonly string[]).includes(name) && !name.startsWith(outcomePrefix),
  );
}

/** Columns of names within a row: built-ins, `prediction`, captured names by their place in `captured`, outcomes by their place in `types`. */
export function resolver(
  captured: readonly string[],
  outcomes: { readonly types: readonly string[]; readonly table: string } = { types: [], table: '' },
): (name: string) => SqlName {
  return (name) => {
    if (name.startsWith(outcomePrefix)) {
      const place = outcomes.types.indexOf(name.slice(outcomePrefix.length));
      if (place < 0) return { number: 'CAST(NULL AS DOUBLE)', text: 'CAST(NULL AS VARCHAR)' };
      return { number: `${outcomes.table}.o${place}_number`, text: `${outcomes.table}.o${place}_text` };
    }
    if (name === 'prediction') return { number: 'e.prediction_number', text: 'e.prediction_text' };
    if ((builtIns as readonly string[]).includes(name)) return { number: `e.${name}`, text: 'CAST(NULL AS VARCHAR)' };
    const place = captured.indexOf(name);
    return { number: `e.c${place}_number`, text: `e.c${place}_text` };
  };
}

/**
 * Rows (unit_no, value, waiting) of one metric: `value` of predictions that count, NULL with waiting = 1 for those that may yet.
 *
 * A prediction counts once every outcome it reads has arrived or its window has ended: counting a half-known value, or an
 * absence before its time, would let one answer in earlier than the other.
 */
export function metricRowsSql(
  { metric, expression, types, readsAbsence }: PreparedMetric,
  options: {
    readonly captured: readonly string[];
    readonly nowMs: number;
    /** Table of arrived outcomes for this metric's window and its types; columns rid, oN_number, oN_text. */
    readonly arrivals: { readonly table: string; readonly types: readonly string[] } | undefined;
  },
): string {
  const { captured, nowMs, arrivals } = options;
  const resolve = resolver(captured, { types: arrivals?.types ?? [], table: 'a' });
  const value = compileToSql(expression, { resolve });
  if (arrivals === undefined)
    return countedSql(`SELECT e.unit_no, ${value} AS value, TRUE AS is_ready FROM exposure e`);
  const ended = `e.time_ms + ${double(metric.windowMs)} < ${double(nowMs)}`;
  const arrived = types.map((type) => {
    const { number, text } = resolve(`${outcomePrefix}${type}`);
    return `(${number} IS NOT NULL OR ${text} IS NOT NULL)`;
  });
  const isReady = readsAbsence ? ended : `(${ended}) OR (${arrived.join(' AND ')})`;
  return countedSql(
    `SELECT e.unit_no, ${value} AS value, (${isReady}) AS is_ready FROM exposure e LEFT JOIN ${arrivals.table} a ON a.rid = e.rid`,
  );
}

function countedSql(rows: string): string {
  return (
    'SELECT r.unit_no, CASE WHEN r.is_ready THEN r.value END AS value, CASE WHEN r.is_ready THEN 0 ELSE 1 END AS waiting ' +
    `FROM (${rows}) r WHERE NOT r.is_ready OR abs(r.value) <= ${double(largestValue)}`
  );
}

function outcomeTypes(expression: Expression): readonly string[] {
  return namesIn(expression)
    .filter((name) => name.startsWith(outcomePrefix))
    .map((name) => name.slice(outcomePrefix.length));
}

function readsAbsence(node: Expression, isCaught: boolean): boolean {
  switch (node.kind) {
    case 'number':
    case 'text':
    case 'boolean':
      return false;
    case 'name':
      return isCaught && node.name.startsWith(outcomePrefix);
    case 'negate':
    case 'not':
      return readsAbsence(node.operand, isCaught);
    case 'call':
      return node.arguments.some((part) =>
        readsAbsence(part, isCaught || node.function === 'exists' || node.function === 'default'),
      );
    default:
      return readsAbsence(node.left, isCaught) || readsAbsence(node.right, isCaught);
  }
}
