// Which number does a metric make of each prediction, and since when may it count?
import { AssayError } from '../errors.ts';
import { countedSource, type Experiment, type Metric, type RowSource, rowSourceOf } from '../experiment/index.ts';
import { compileToSql, type Expression, namesIn, parseExpression, type SqlName } from '../expression/index.ts';
import { ageBand } from './segment.ts';
import { double, largestValue } from './sql-text.ts';

/** What one metric of the experiment reads, its expressions parsed. */
export interface PreparedMetric {
  readonly metric: Metric;
  /** Place in the experiment; names the metric in SQL. */
  readonly index: number;
  readonly form: MetricForm;
  /** Outcome types of which a prediction takes the last, without `outcome.`. */
  readonly lastTypes: readonly string[];
  /** Outcome types of which every outcome counts. */
  readonly everyType: readonly string[];
  /** Expressions over a prediction's own fields, whose captured names need columns. */
  readonly predictionExpressions: readonly Expression[];
  readonly readsItems: boolean;
  readonly readsAttributes: boolean;
}

/** How the rows of a metric come about. */
export type MetricForm =
  | {
      readonly kind: 'prediction';
      readonly value: Expression;
      readonly filter: Expression | undefined;
      /** Only of `calibration`. */
      readonly label: Expression | undefined;
      /** True when it gives an absent outcome a meaning: then nothing counts before the window has ended. */
      readonly readsAbsence: boolean;
    }
  | {
      readonly kind: 'list';
      readonly outcome: string;
      readonly k: number;
      readonly score: 'ndcg' | 'hit_rate';
      readonly filter: Expression | undefined;
    }
  | { readonly kind: 'unit'; readonly numerator: UnitPart; readonly denominator: UnitPart | undefined };

/** What is made of a unit's rows. */
export interface UnitPart {
  readonly source: RowSource;
  /** Sum of the expression, number of rows, or 1 where the expression (absent: any row) was true. */
  readonly reduce: 'sum' | 'count' | 'any';
  readonly expression: Expression | undefined;
  readonly filter: Expression | undefined;
  /** Since the first exposure; the end belongs to it unless `isOpen`. */
  readonly span: { readonly fromMs: number; readonly toMs: number; readonly isOpen: boolean };
}

const outcomePrefix = 'outcome.';
const builtIns = ['failed', 'caller_failed', 'attempt_ms', 'caller_ms', 'fallback', 'status'] as const;

/** The metrics of an experiment. @throws AssayError `experiment-invalid` for an expression that cannot be read. */
export function prepareMetrics(experiment: Experiment): readonly PreparedMetric[] {
  return experiment.metrics.map((metric, index) => {
    const form = formOf(metric);
    const inPrediction = form.kind === 'prediction' ? present([form.value, form.filter, form.label]) : [];
    const parts = form.kind === 'unit' ? present([form.numerator, form.denominator]) : [];
    const sources = parts.map(({ source }) => source);
    const ofParts = parts.flatMap(({ source, expression, filter }) =>
      source.kind === 'prediction' ? present([expression, filter]) : [],
    );
    const covariate = covariateOf(metric);
    const types = sources.flatMap((source) => (source.kind === 'outcome' ? [source.type] : []));
    const names = parts.flatMap(({ expression, filter }) => present([expression, filter]).flatMap(namesIn));
    return {
      metric,
      index,
      form,
      lastTypes: [...new Set(inPrediction.flatMap(outcomeTypes))],
      everyType: [...new Set([...types, ...(form.kind === 'list' ? [form.outcome] : [])])],
      predictionExpressions: [
        ...inPrediction,
        ...(form.kind === 'list' ? present([form.filter]) : []),
        ...ofParts,
        ...(covariate?.source.kind === 'prediction' ? present([covariate.expression]) : []),
      ],
      readsItems:
        form.kind === 'list' ||
        sources.some(({ kind }) => kind === 'item') ||
        names.some((name) => name.startsWith('item.')),
      readsAttributes: [...names, ...present([covariate?.expression]).flatMap(namesIn)].some((name) =>
        name.startsWith('attribute.'),
      ),
    };
  });
}

function formOf({ name, definition, windowMs, filter: text }: Metric): MetricForm {
  const read = (written: string): Expression => readExpression(written, `metrics.${name}`);
  const filter = text === undefined ? undefined : read(text);
  const span = { fromMs: Number.NEGATIVE_INFINITY, toMs: windowMs, isOpen: false };
  const part = (
    reduce: UnitPart['reduce'],
    rows: { readonly expression?: Expression; readonly of?: string },
    within: UnitPart['span'] = span,
  ): UnitPart => {
    const { expression, of } = rows;
    const source = expression === undefined ? countedSource(of ?? 'prediction') : rowsOf(expression, name);
    return { source, reduce, expression, filter, span: within };
  };
  const total = (side: Metric['definition'] & { readonly kind: 'sum' | 'count' }): UnitPart =>
    side.kind === 'sum' ? part('sum', { expression: read(side.expression) }) : part('count', { of: side.of });
  switch (definition.kind) {
    case 'mean':
    case 'quantile':
    case 'rmse':
    case 'mae':
    case 'pinball':
    case 'calibration': {
      const expression = read(definition.expression);
      const label = definition.kind === 'calibration' ? read(definition.label) : undefined;
      const absent = present([expression, filter, label]).some((each) => readsAbsence(each, false));
      return { kind: 'prediction', value: meanedValue(definition, expression), filter, label, readsAbsence: absent };
    }
    case 'ndcg':
    case 'hit_rate':
      return { kind: 'list', outcome: definition.outcome, k: definition.k, score: definition.kind, filter };
    case 'proportion':
      return {
        kind: 'unit',
        numerator: part('any', { expression: read(definition.expression) }),
        denominator: undefined,
      };
    case 'sum':
    case 'count':
      return { kind: 'unit', numerator: total(definition), denominator: undefined };
    case 'ratio':
      return { kind: 'unit', numerator: total(definition.numerator), denominator: total(definition.denominator) };
    case 'retention': {
      const { fromMs, toMs, of } = definition;
      return { kind: 'unit', numerator: part('any', { of }, { fromMs, toMs, isOpen: true }), denominator: undefined };
    }
  }
}

function rowsOf(expression: Expression, name: string): RowSource {
  const source = rowSourceOf(expression);
  if (source.kind === 'fault') throw new AssayError('experiment-invalid', `metrics.${name}: ${source.message}`);
  return source;
}

/** What was known of a unit before its first exposure; undefined where the metric declares none. */
export function covariateOf(metric: Metric): Pick<UnitPart, 'source' | 'reduce' | 'expression' | 'filter'> | undefined {
  const { covariate } = metric;
  if (covariate === undefined) return undefined;
  if (covariate.expression !== null) {
    const expression = readExpression(covariate.expression, `metrics.${metric.name}.covariate`);
    return { source: rowsOf(expression, metric.name), reduce: 'sum', expression, filter: undefined };
  }
  const form = formOf(metric);
  return form.kind === 'unit' ? form.numerator : undefined;
}

/** The expression whose mean the metric is. */
function meanedValue(definition: Metric['definition'], error: Expression): Expression {
  const at = 0;
  const number = (value: number): Expression => ({ kind: 'number', at, value });
  const times = (left: Expression, right: Expression): Expression => ({
    kind: 'arithmetic',
    at,
    operator: '*',
    left,
    right,
  });
  switch (definition.kind) {
    case 'rmse':
      return times(error, error);
    case 'mae':
      return { kind: 'call', at, function: 'abs', arguments: [error] };
    case 'pinball':
      // Koenker & Bassett 1978, on prediction - truth: too low costs q, too high costs 1 - q.
      return {
        kind: 'call',
        at,
        function: 'max',
        arguments: [times(number(-definition.q), error), times(number(1 - definition.q), error)],
      };
    default:
      return error;
  }
}

/** A parsed expression. @throws AssayError `experiment-invalid` naming the place. */
export function readExpression(text: string, place: string): Expression {
  const parsed = parseExpression(text);
  if (parsed.kind === 'parsed') return parsed.expression;
  throw new AssayError('experiment-invalid', `${place} is ${JSON.stringify(text)}: ${parsed.message}`);
}

/** True for expressions made of nothing but what the rows of a batch share: the batch counts once. */
export function isOfRequest(expressions: readonly Expression[]): boolean {
  const names = expressions.flatMap(namesIn);
  return names.length > 0 && names.every((name) => (builtIns as readonly string[]).includes(name));
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

/** What the rows of a metric are made from. */
export interface RowOptions {
  readonly captured: readonly string[];
  readonly nowMs: number;
  /** Rows carry the band of days they lie in. */
  readonly byAge: boolean;
  /** Table of arrived outcomes for this metric's window and its types; columns rid, oN_number, oN_text. */
  readonly arrivals: { readonly table: string; readonly types: readonly string[] } | undefined;
}

/**
 * Rows (unit_no, age, value, label, waiting) of a metric per prediction: `value` of predictions that count, NULL with
 * waiting = 1 for those that may yet.
 *
 * A prediction counts once every outcome it reads has arrived or its window has ended: counting a half-known value, or an
 * absence before its time, would let one answer in earlier than the other.
 */
export function predictionRowsSql(
  { metric, form, lastTypes }: PreparedMetric & { readonly form: MetricForm & { readonly kind: 'prediction' } },
  { captured, nowMs, byAge, arrivals }: RowOptions,
): string {
  const resolve = resolver(captured, { types: arrivals?.types ?? [], table: 'a' });
  const compile = (expression: Expression): string => compileToSql(expression, { resolve });
  const passes = form.filter === undefined ? undefined : `${compile(form.filter)} <> 0`;
  const plain = compile(form.value);
  const value = passes === undefined ? plain : `CASE WHEN ${passes} THEN ${plain} END`;
  const columns = [
    'e.unit_no',
    `${byAge ? ageBand('e') : '-1'} AS age`,
    `${value} AS value`,
    ...(form.label === undefined ? [] : [`${compile(form.label)} AS label`]),
  ].join(', ');
  const outer = (rows: string): string =>
    `SELECT r.unit_no, r.age, CASE WHEN r.is_ready THEN r.value END AS value${form.label === undefined ? '' : ', r.label'}, ` +
    'CASE WHEN r.is_ready THEN 0 ELSE 1 END AS waiting ' +
    `FROM (${rows}) r WHERE NOT r.is_ready OR abs(r.value) <= ${double(largestValue)}`;
  if (arrivals === undefined) {
    const once = isOfRequest(present([form.value, form.filter, form.label])) ? ' WHERE e.row_index = 0' : '';
    return outer(`SELECT ${columns}, TRUE AS is_ready FROM exposure e${once}`);
  }
  const ended = `e.time_ms + ${double(metric.windowMs)} < ${double(nowMs)}`;
  const arrived = lastTypes.map((type) => {
    const { number, text } = resolve(`${outcomePrefix}${type}`);
    return `(${number} IS NOT NULL OR ${text} IS NOT NULL)`;
  });
  const isReady = form.readsAbsence ? ended : `(${ended}) OR (${arrived.join(' AND ')})`;
  return outer(
    `SELECT ${columns}, (${isReady}) AS is_ready FROM exposure e LEFT JOIN ${arrivals.table} a ON a.rid = e.rid`,
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

function present<T>(values: readonly (T | undefined)[]): readonly T[] {
  return values.filter((value) => value !== undefined);
}
