// The metric kinds once more, by plain loops over the records; slow, independent of SQL, and of its way through the rows.
import type { AnalysisPlan, LogRecord, MetricSummary, Scalar } from '../evidence/index.ts';
import type { Metric } from '../experiment/index.ts';
import {
  calibrationOf,
  capBoundsOf,
  jointMomentsOf,
  momentsOf,
  ndcg,
  pinballLoss,
  quantileSampleOf,
} from '../stats/index.ts';

type Of<K extends LogRecord['kind']> = Extract<LogRecord, { kind: K }>;
type Prediction = Of<'prediction'>;
type Outcome = Of<'outcome'>;

/** One step of the tests' clock: half a day, so that days and weeks go by. */
export const stepMs = 43_200_000;
const dayMs = 86_400_000;
const skewMs = 300_000;

interface Unit {
  readonly key: string;
  readonly rows: readonly Prediction[];
  readonly first: Prediction;
}
interface Item {
  readonly item_id: string;
  readonly hot: boolean;
}

/** The metrics of the test, beside what each means in plain words below. */
export const kinds: readonly Metric[] = [
  { name: 'bought', definition: { kind: 'proportion', expression: 'outcome.revenue > 1' }, windowMs: 4 * stepMs },
  { name: 'spend', definition: { kind: 'sum', expression: 'outcome.revenue * 2' }, windowMs: 5 * stepMs },
  {
    name: 'winsorized',
    definition: { kind: 'sum', expression: 'outcome.revenue' },
    windowMs: 5 * stepMs,
    cap: { kind: 'quantile', lower: 0.2, upper: 0.7 },
  },
  {
    name: 'clicks',
    definition: { kind: 'count', of: 'click' },
    windowMs: 4 * stepMs,
    filter: 'attribute.good == 1',
    covariate: { expression: null, beforeMs: 6 * stepMs },
  },
  {
    name: 'visits',
    definition: { kind: 'count', of: 'prediction' },
    windowMs: 3 * stepMs,
    covariate: { expression: 'past', beforeMs: stepMs },
  },
  {
    name: 'hot_ctr',
    definition: {
      kind: 'ratio',
      numerator: { kind: 'count', of: 'click' },
      denominator: { kind: 'count', of: 'item' },
    },
    windowMs: 6 * stepMs,
    filter: 'item.hot',
  },
  {
    name: 'per_visit',
    definition: {
      kind: 'ratio',
      numerator: { kind: 'sum', expression: 'outcome.revenue' },
      denominator: { kind: 'count', of: 'prediction' },
    },
    windowMs: 4 * stepMs,
    covariate: { expression: null, beforeMs: 8 * stepMs },
  },
  {
    name: 'back',
    definition: { kind: 'retention', of: 'prediction', fromMs: 2 * stepMs, toMs: 4 * stepMs },
    windowMs: 4 * stepMs,
  },
  { name: 'rmse', definition: { kind: 'rmse', expression: 'prediction - outcome.label' }, windowMs: 4 * stepMs },
  { name: 'mae', definition: { kind: 'mae', expression: 'prediction - outcome.label' }, windowMs: 4 * stepMs },
  {
    name: 'pinball',
    definition: { kind: 'pinball', expression: 'prediction - outcome.label', q: 0.3 },
    windowMs: 4 * stepMs,
  },
  {
    name: 'calibration',
    definition: { kind: 'calibration', expression: 'confidence', label: 'outcome.label == 1', bins: 4 },
    windowMs: 4 * stepMs,
  },
  { name: 'ndcg', definition: { kind: 'ndcg', outcome: 'click', k: 2 }, windowMs: 3 * stepMs },
  { name: 'hit', definition: { kind: 'hit_rate', outcome: 'click', k: 1 }, windowMs: 3 * stepMs },
  {
    name: 'short',
    definition: { kind: 'mean', expression: 'attempt_ms' },
    windowMs: 0,
    cap: { kind: 'value', upper: 40 },
  },
  { name: 'loyal', definition: { kind: 'mean', expression: 'attempt_ms' }, windowMs: 0, filter: 'past > 1' },
  { name: 'p60', definition: { kind: 'quantile', expression: 'attempt_ms', q: 0.6 }, windowMs: 0 },
];

/** What a scope holds of one variant: units, metrics, waiting. */
export interface NaiveVariant {
  readonly variant: string;
  readonly units: number;
  readonly metrics: { readonly [name: string]: MetricSummary };
  readonly waiting: { readonly [name: string]: number };
}
/** A scope: the whole, a segment, an allocation. */
export interface NaiveScopes {
  readonly variants: readonly NaiveVariant[];
  readonly unmixed: readonly NaiveVariant[];
  readonly strata: readonly (readonly NaiveVariant[])[];
  readonly segments: readonly {
    readonly segment: string;
    readonly value: string;
    readonly variants: readonly NaiveVariant[];
  }[];
}

/** The numbers of the plan, by the words of docs/metrics.md. */
export function summariseKinds(plan: AnalysisPlan, records: readonly LogRecord[]): NaiveScopes {
  const { experiment, nowMs } = plan;
  const byPlace = (a: LogRecord, b: LogRecord): number =>
    a.writer < b.writer ? -1 : a.writer > b.writer ? 1 : a.sequence - b.sequence;
  const all = records.filter((record): record is Prediction => record.kind === 'prediction' && record.timeMs <= nowMs);
  const rows = all
    .filter((record) => record.experiment === experiment.name && record.reason === 'split')
    .sort((a, b) => a.timeMs - b.timeMs || byPlace(a, b));
  const keyOf = (row: Prediction): string => (row.unit === null ? `p${row.predictionId}` : `u${row.unit}`);
  const units: readonly Unit[] = [...new Set(rows.map(keyOf))].map((key) => {
    const mine = rows.filter((row) => keyOf(row) === key);
    return { key, rows: mine, first: mine[0] as Prediction };
  });
  const unitOf = (row: Prediction): Unit => units.find(({ key }) => key === keyOf(row)) as Unit;

  const received = records
    .filter((record): record is Outcome => record.kind === 'outcome' && record.receivedMs <= nowMs)
    .sort((a, b) => a.receivedMs - b.receivedMs || byPlace(a, b));
  const outcomes = received
    .filter(({ id }, index) => received.findIndex((other) => other.id === id) === index)
    .sort((a, b) => a.timeMs - b.timeMs || a.receivedMs - b.receivedMs || byPlace(a, b));
  const named = ({ subject, timeMs }: Outcome): readonly Prediction[] =>
    rows.filter(
      (row) =>
        timeMs >= row.timeMs - skewMs &&
        ((subject.kind === 'prediction' &&
          [row.predictionId, `${row.predictionId}#${row.row}`].includes(subject.predictionId)) ||
          (subject.kind === 'request' && row.requestId === subject.requestId)),
    );
  const ofUnitBefore = ({ subject, timeMs }: Outcome): readonly Prediction[] =>
    subject.kind === 'unit' ? rows.filter((row) => row.unit === subject.unit && row.timeMs <= timeMs) : [];
  const lastOf = (row: Prediction, type: string, windowMs: number): Scalar | undefined =>
    outcomes
      .filter(
        (each) =>
          each.type === type &&
          [...named(each), ...ofUnitBefore(each).slice(-1)].includes(row) &&
          each.timeMs - row.timeMs <= windowMs,
      )
      .at(-1)?.value;
  const ofUnit = ({ first, rows: mine }: Unit, type: string, toMs: number): readonly Outcome[] =>
    outcomes.filter(
      (each) =>
        each.type === type &&
        each.timeMs - first.timeMs <= toMs &&
        (each.subject.kind === 'unit'
          ? each.subject.unit === first.unit && each.timeMs >= first.timeMs
          : named(each).some((row) => mine.includes(row))),
    );
  const before = ({ first }: Unit, type: string, beforeMs: number): readonly Outcome[] =>
    outcomes.filter(
      ({ type: own, subject, timeMs }) =>
        own === type &&
        subject.kind === 'unit' &&
        subject.unit === first.unit &&
        timeMs < first.timeMs &&
        timeMs >= first.timeMs - beforeMs,
    );
  const itemsOf = (row: Prediction): readonly Item[] => (row.captured.items ?? []) as unknown as readonly Item[];
  const shown = (
    each: Outcome,
  ): { readonly row: Prediction; readonly place: number; readonly item: Item } | undefined => {
    const id = each.attributes.item_id;
    const row = [...named(each), ...ofUnitBefore(each)]
      .filter((one) => itemsOf(one).some((item) => item.item_id === id))
      .at(-1);
    if (row === undefined) return undefined;
    const place = itemsOf(row).findIndex((item) => item.item_id === id);
    return { row, place, item: itemsOf(row)[place] as Item };
  };
  const relevance = (row: Prediction): readonly number[] =>
    itemsOf(row).map((_, place) =>
      outcomes.some((each) => {
        const found = shown(each);
        const isOn = found?.row === row && found.place === place && each.timeMs - row.timeMs <= 3 * stepMs;
        return each.type === 'click' && isOn && Number(each.value) !== 0;
      })
        ? 1
        : 0,
    );

  const number = (value: unknown): number | undefined =>
    typeof value === 'boolean' || typeof value === 'number' ? Number(value) : undefined;
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const numbers = (list: readonly Outcome[]): readonly number[] => list.flatMap(({ value }) => number(value) ?? []);
  const label = (row: Prediction): Scalar | undefined => lastOf(row, 'label', 4 * stepMs);
  const isOver = (timeMs: number, steps: number): boolean => timeMs + steps * stepMs < nowMs;
  const isReady = (row: Prediction): boolean => label(row) !== undefined || isOver(row.timeMs, 4);
  const attemptMs = (row: Prediction): number => row.attempts[0]?.latencyMs ?? 0;
  const error = (row: Prediction, change: (error: number) => number): number | null | undefined => {
    if (!isReady(row)) return null;
    const [guess, truth] = [number(row.prediction), number(label(row))];
    return guess === undefined || truth === undefined ? undefined : change(guess - truth);
  };

  /** Per prediction; null waits, undefined has no value. */
  const perPrediction: Record<string, (row: Prediction) => number | null | undefined> = {
    rmse: (row) => error(row, (e) => e * e),
    mae: (row) => error(row, Math.abs),
    pinball: (row) => error(row, (e) => pinballLoss({ prediction: e, truth: 0 }, 0.3)),
    ndcg: (row) => {
      if (itemsOf(row).length === 0) return undefined;
      if (!isOver(row.timeMs, 3)) return null;
      const found = ndcg(relevance(row), { k: 2 });
      return typeof found === 'number' ? found : undefined;
    },
    hit: (row) => {
      if (itemsOf(row).length === 0) return undefined;
      return isOver(row.timeMs, 3) ? (relevance(row)[0] ?? 0) : null;
    },
    short: (row) => Math.min(40, attemptMs(row)),
    loyal: (row) => (Number(row.context.past ?? 0) > 1 ? attemptMs(row) : undefined),
    p60: attemptMs,
  };
  /** Per unit: [numerator, denominator, covariate]; null waits. */
  const perUnit: Record<string, (unit: Unit) => readonly number[] | null> = {
    bought: (unit) =>
      isOver(unit.first.timeMs, 4)
        ? [Number(numbers(ofUnit(unit, 'revenue', 4 * stepMs)).some((value) => value > 1)), 1]
        : null,
    spend: (unit) => (isOver(unit.first.timeMs, 5) ? [2 * sum(numbers(ofUnit(unit, 'revenue', 5 * stepMs))), 1] : null),
    winsorized: (unit) => {
      const total = revenueOf(unit);
      if (total === null) return null;
      return [Math.max(bounds.lower ?? 0, Math.min(bounds.upper ?? 0, total)), 1];
    },
    clicks: (unit) =>
      isOver(unit.first.timeMs, 4)
        ? [good(ofUnit(unit, 'click', 4 * stepMs)), 1, good(before(unit, 'click', 6 * stepMs))]
        : null,
    visits: (unit) =>
      isOver(unit.first.timeMs, 3)
        ? [within(unit, 0, 3 * stepMs).length, 1, number(unit.first.context.past) ?? 0]
        : null,
    hot_ctr: (unit) =>
      isOver(unit.first.timeMs, 6)
        ? [
            ofUnit(unit, 'click', 6 * stepMs).filter((each) => shown(each)?.item.hot === true).length,
            sum(within(unit, 0, 6 * stepMs).map((row) => itemsOf(row).filter(({ hot }) => hot).length)),
          ]
        : null,
    per_visit: (unit) =>
      isOver(unit.first.timeMs, 4)
        ? [
            sum(numbers(ofUnit(unit, 'revenue', 4 * stepMs))),
            within(unit, 0, 4 * stepMs).length,
            sum(numbers(before(unit, 'revenue', 8 * stepMs))),
          ]
        : null,
    back: (unit) =>
      isOver(unit.first.timeMs, 4) ? [Number(within(unit, 2 * stepMs, 4 * stepMs - 1).length > 0), 1] : null,
  };
  const good = (list: readonly Outcome[]): number => list.filter(({ attributes }) => attributes.good === 1).length;
  const within = ({ rows: mine, first }: Unit, fromMs: number, toMs: number): readonly Prediction[] =>
    mine.filter(({ timeMs }) => timeMs - first.timeMs >= fromMs && timeMs - first.timeMs <= toMs);
  const revenueOf = (unit: Unit): number | null =>
    isOver(unit.first.timeMs, 5) ? sum(numbers(ofUnit(unit, 'revenue', 5 * stepMs))) : null;
  const totals = units.flatMap((unit) => revenueOf(unit) ?? []);
  const bounds = totals.length === 0 ? {} : capBoundsOf([totals], { lower: 0.2, upper: 0.7 });

  const bandOf = (row: Prediction): string => {
    const day = Math.floor((row.timeMs - unitOf(row).first.timeMs) / dayMs);
    return day < 3 ? String(day) : day < 7 ? '3-6' : day < 14 ? '7-13' : day < 28 ? '14-27' : '28+';
  };

  const isSeveral = (name: string): boolean =>
    units.some(({ rows: mine }) => mine.filter((row) => typeof perPrediction[name]?.(row) === 'number').length > 1);
  const isZeroOne = (name: string): boolean =>
    rows.every((row) => [0, 1, null, undefined].includes(perPrediction[name]?.(row) as number));

  const absent = (metric: Metric, variant: string, waits: number): MetricSummary => {
    const isUnit = perUnit[metric.name] !== undefined;
    const open = isUnit
      ? `; ${waits} units still wait for the end of its window`
      : `; ${waits} predictions still wait for their outcomes`;
    const text = `no ${isUnit ? 'unit' : 'prediction'} of ${variant} has a value of ${metric.name} yet`;
    return { kind: 'insufficient', reason: `${text}${waits > 0 ? open : ''}` };
  };
  const ofUnits = (metric: Metric, values: readonly (readonly number[])[]): MetricSummary => {
    const n = values.length;
    if (metric.definition.kind === 'ratio') {
      const adjusted =
        metric.covariate === undefined
          ? {}
          : { adjusted: jointMomentsOf(values.map(([a = 0, b = 0, x = 0]) => [a, b, x, 1])) };
      const moments = jointMomentsOf(values.map(([a = 0, b = 0]) => [a, b]));
      return { kind: 'ratio', n, rows: sum(values.map(([, b = 0]) => b)), moments, ...adjusted };
    }
    const numerators = values.map(([a = 0]) => a);
    const isShare = metric.definition.kind === 'proportion' || metric.definition.kind === 'retention';
    if (isShare) return { kind: 'proportion', n, successes: sum(numerators) };
    const { mean, m2 } = momentsOf(numerators);
    const adjusted =
      metric.covariate === undefined ? {} : { adjusted: jointMomentsOf(values.map(([a = 0, , x = 0]) => [a, x])) };
    return { kind: 'mean', n, mean, m2, ...adjusted };
  };
  const ofRows = (metric: Metric, lists: readonly (readonly number[])[]): MetricSummary => {
    const { name, definition } = metric;
    const n = lists.length;
    const flat = lists.flat();
    if (definition.kind === 'quantile') {
      const { q, rows: count, estimate, lower, upper, indicator } = quantileSampleOf(lists, definition.q);
      return { kind: 'quantile', n, rows: count, q, estimate, lower, upper, indicator };
    }
    const moments = jointMomentsOf(lists.map((list) => [sum(list), list.length]));
    if (definition.kind === 'rmse') return { kind: 'root', n, rows: flat.length, moments };
    if (isSeveral(name)) return { kind: 'ratio', n, rows: flat.length, moments };
    const { mean, m2 } = momentsOf(flat);
    return isZeroOne(name) ? { kind: 'proportion', n, successes: sum(flat) } : { kind: 'mean', n, mean, m2 };
  };

  const variantOf = (
    variant: string,
    inside: (unit: Unit) => boolean,
    isIn: ((row: Prediction) => boolean) | undefined,
  ): NaiveVariant => {
    const mine = units.filter(
      (unit) => unit.first.assigned === variant && inside(unit) && (isIn === undefined || unit.rows.some(isIn)),
    );
    const metrics: Record<string, MetricSummary> = {};
    const waiting: Record<string, number> = {};
    for (const metric of kinds) {
      const { name } = metric;
      let waits = 0;
      let found: MetricSummary | undefined;
      const rowsIn = mine.map(({ rows: list }) => list.filter((row) => isIn === undefined || isIn(row)));
      const ofUnit = perUnit[name];
      const ofRow = perPrediction[name];
      if (ofUnit !== undefined && isIn === undefined) {
        const values = mine.map(ofUnit);
        waits = values.filter((value) => value === null).length;
        const known = values.filter((value) => value !== null);
        if (known.length > 0) found = ofUnits(metric, known);
      } else if (ofRow !== undefined) {
        const lists = rowsIn.map((list) => list.map(ofRow));
        waits = lists.flat().filter((value) => value === null).length;
        const known = lists
          .map((list) => list.filter((value) => typeof value === 'number'))
          .filter((list) => list.length > 0);
        if (known.length > 0) found = ofRows(metric, known);
      } else if (name === 'calibration') {
        waits = rowsIn.flat().filter((row) => !isReady(row)).length;
        const pairs = rowsIn.map((list) =>
          list.flatMap((row) => {
            const probability = number(row.captured.confidence);
            const truth = label(row);
            if (!isReady(row) || probability === undefined || truth === undefined) return [];
            const isOne = typeof truth !== 'string' && Number(truth) === 1;
            return [{ probability, label: isOne ? (1 as const) : (0 as const) }];
          }),
        );
        const n = pairs.filter((list) => list.length > 0).length;
        if (n > 0)
          found = { kind: 'calibration', n, rows: pairs.flat().length, summary: calibrationOf(pairs.flat(), 4) };
      }
      if (waits > 0) waiting[name] = waits;
      metrics[name] = found ?? absent(metric, variant, waits);
    }
    return { variant, units: mine.length, metrics, waiting };
  };
  const scope = (inside: (unit: Unit) => boolean, isIn?: (row: Prediction) => boolean): readonly NaiveVariant[] =>
    ['a', 'b'].map((variant) => variantOf(variant, inside, isIn));

  const seenMs = (unit: Unit): number =>
    Math.min(
      ...records.flatMap((each) => (each.kind === 'prediction' && each.unit === unit.first.unit ? [each.timeMs] : [])),
    );
  const segmentOf: Record<string, (unit: Unit) => string> = {
    new_unit: (unit) =>
      unit.first.unit === null ? '(missing)' : unit.first.timeMs - seenMs(unit) < 7 * dayMs ? 'new' : 'established',
    first_seen: (unit) => {
      if (unit.first.unit === null) return '(missing)';
      const day = new Date(seenMs(unit));
      const monday = Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), day.getUTCDate() - ((day.getUTCDay() + 6) % 7));
      return new Date(monday).toISOString().slice(0, 10);
    },
  };
  const strata = [[1, 3], [2]];
  const segments = experiment.segments.flatMap((segment) => {
    const ofUnit = segmentOf[segment];
    const values = ofUnit === undefined ? rows.map(bandOf) : units.map(ofUnit);
    return [...new Set(values)].map((value) => ({
      segment,
      value,
      variants:
        ofUnit === undefined
          ? scope(
              () => true,
              (row) => bandOf(row) === value,
            )
          : scope((unit) => ofUnit(unit) === value),
    }));
  });
  return {
    variants: scope(() => true),
    unmixed: scope((unit) => new Set(unit.rows.map(({ assigned }) => assigned)).size === 1),
    strata: strata.map((epochs) => scope((unit) => epochs.includes(unit.first.epoch))),
    segments,
  };
}
