// The summary once more, by plain loops over the records, as the words of the contract say it; slow and independent of SQL.
import type {
  AnalysisPlan,
  ExperimentSummary,
  LatencySummary,
  LogRecord,
  MetricSummary,
  Scalar,
  VariantSummary,
} from '../evidence/index.ts';
import { type JointMoments, jointMomentsOf, momentsOf } from '../stats/index.ts';

type Of<K extends LogRecord['kind']> = Extract<LogRecord, { kind: K }>;
interface Row {
  readonly record: Of<'prediction'>;
  readonly unitKey: string;
  readonly failed: number;
  readonly callerFailed: number;
  readonly fallback: number;
  readonly attemptMs: number;
  readonly callerMs: number;
  readonly prediction: Scalar | null;
  readonly isNew: string;
}
interface Entry {
  readonly row: Row;
  /** null: waiting; undefined: no value. */
  readonly value: number | null | undefined;
}

const skewMs = 300_000;

/** What the analytics must answer for the metrics of the property test. */
export function summariseNaively(
  plan: AnalysisPlan,
  records: readonly LogRecord[],
): ExperimentSummary & { readonly health: NonNullable<ExperimentSummary['health']> } {
  const { experiment, nowMs } = plan;
  const isRequest = experiment.unit.sources.some(({ kind }) => kind === 'request');
  const all = <K extends LogRecord['kind']>(kind: K): Of<K>[] =>
    records.filter((record): record is Of<K> => record.kind === kind);
  const byPlace = (a: LogRecord, b: LogRecord): number =>
    ('timeMs' in a ? a.timeMs : 0) - ('timeMs' in b ? b.timeMs : 0) ||
    (a.writer < b.writer ? -1 : a.writer > b.writer ? 1 : a.sequence - b.sequence);

  const predictions = all('prediction').filter(({ timeMs }) => timeMs <= nowMs);
  const ours = predictions.filter((record) => record.experiment === experiment.name);
  const ends = all('prediction-end')
    .filter(({ timeMs }) => timeMs <= nowMs)
    .sort(byPlace);
  const rows = ours
    .filter(({ reason }) => reason === 'split')
    .sort(byPlace)
    .map((record): Row => {
      const end = ends.find((other) => other.predictionId === record.predictionId && other.row === record.row);
      const isFailure = (error: string | null | undefined): boolean =>
        error !== null && error !== undefined && error !== 'aborted' && error !== 'hedged';
      const [first] = record.attempts;
      const isOfFirst = end !== undefined && end.attempt.variant === record.assigned && !isFailure(first?.error);
      const own = isOfFirst ? end.attempt : first;
      const isCallerFailure =
        isFailure(end?.attempt.error) || (record.status !== null && (record.served === null || record.status >= 500));
      return {
        record,
        unitKey: isRequest || record.unit === null ? `p${record.predictionId}` : `u${record.unit}`,
        failed: Number(isFailure(own?.error)),
        callerFailed: Number(isCallerFailure),
        fallback: Number(record.served !== null && record.served !== record.assigned),
        attemptMs: own?.latencyMs ?? 0,
        callerMs: end?.callerMs ?? record.callerMs ?? 0,
        prediction: end?.prediction ?? record.prediction,
        isNew: String(record.context.isNew ?? '(missing)'),
      };
    })
    .filter((row) => experiment.exclude.length === 0 || !(row.attemptMs > 60));
  const firsts = new Map<string, Row>();
  for (const row of rows) if (!firsts.has(row.unitKey)) firsts.set(row.unitKey, row);
  const first = (row: Row): Row => firsts.get(row.unitKey) as Row;

  const received = all('outcome').filter(({ receivedMs }) => receivedMs <= nowMs);
  const kept = new Map<string, Of<'outcome'>>();
  const byReceipt = [...received].sort(
    (a, b) => a.receivedMs - b.receivedMs || byPlace({ ...a, timeMs: 0 }, { ...b, timeMs: 0 }),
  );
  for (const outcome of byReceipt) if (!kept.has(outcome.id)) kept.set(outcome.id, outcome);
  const outcomes = [...kept.values()].sort(
    (a, b) => a.timeMs - b.timeMs || a.receivedMs - b.receivedMs || byPlace({ ...a, timeMs: 0 }, { ...b, timeMs: 0 }),
  );
  const matches = (outcome: Of<'outcome'>): readonly Row[] => {
    const { subject, timeMs } = outcome;
    if (subject.kind === 'unit') {
      return rows.filter(({ record }) => record.unit === subject.unit && record.timeMs <= timeMs).slice(-1);
    }
    return rows.filter(
      ({ record }) =>
        timeMs >= record.timeMs - skewMs &&
        (subject.kind === 'prediction'
          ? [record.predictionId, `${record.predictionId}#${record.row}`].includes(subject.predictionId)
          : record.requestId === subject.requestId),
    );
  };
  const matched = outcomes.map((outcome) => ({ outcome, rows: matches(outcome) }));
  const outcomeOf = (row: Row, type: string, windowMs: number): Scalar | undefined =>
    matched
      .filter(
        ({ outcome, rows: found }) =>
          outcome.type === type && found.includes(row) && outcome.timeMs - row.record.timeMs <= windowMs,
      )
      .at(-1)?.outcome.value;

  const number = (value: Scalar | null | undefined): number | undefined =>
    value === null || value === undefined || typeof value === 'string' ? undefined : Number(value);
  const same = (a: Scalar | null, b: Scalar | undefined): number | undefined => {
    if (a === null || b === undefined) return undefined;
    return Number(typeof a === 'string' || typeof b === 'string' ? a === b : Number(a) === Number(b));
  };
  const metrics: Record<string, (row: Row) => number | null | undefined> = {
    latency: (row) => (row.record.row === 0 ? row.attemptMs : undefined),
    accuracy: (row) => {
      const label = outcomeOf(row, 'label', 300);
      return label === undefined && row.record.timeMs + 300 >= nowMs ? null : same(row.prediction, label);
    },
    clicked: (row) => (row.record.timeMs + 150 >= nowMs ? null : Number(outcomeOf(row, 'click', 150) !== undefined)),
    revenue: (row) =>
      row.record.timeMs + 300 >= nowMs ? null : (number(outcomeOf(row, 'revenue', 300)) ?? 0) + row.failed,
    slow: (row) => (row.record.row === 0 ? row.attemptMs : undefined),
    paid: (row) => {
      const revenue = outcomeOf(row, 'revenue', 300);
      return revenue === undefined && row.record.timeMs + 300 >= nowMs ? null : number(revenue);
    },
  };
  const entries = new Map(
    Object.entries(metrics).map(([name, value]) => [name, rows.map((row): Entry => ({ row, value: value(row) }))]),
  );

  const perUnit = (name: string, inside: (row: Row) => boolean): readonly number[][] => {
    const units = new Map<string, number[]>();
    for (const { row, value } of entries.get(name) ?? []) {
      if (typeof value === 'number' && inside(row)) units.set(row.unitKey, [...(units.get(row.unitKey) ?? []), value]);
    }
    return [...units.values()];
  };
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const kindOf = (name: string): 'ratio' | 'mean' | 'proportion' => {
    const units = perUnit(name, () => true);
    if (units.some((values) => values.length > 1)) return 'ratio';
    return units.flat().every((value) => value === 0 || value === 1) ? 'proportion' : 'mean';
  };
  const quantile = (values: readonly number[], q: number): number => {
    const sorted = [...values].sort((a, b) => a - b);
    const rank = Math.min(sorted.length, Math.max(1, Math.ceil(q * sorted.length - 1e-9)));
    return sorted[rank - 1] as number;
  };
  const latency = (values: readonly number[]): LatencySummary | { kind: 'insufficient'; reason: string } =>
    values.length === 0
      ? { kind: 'insufficient', reason: 'no request with a measured time yet' }
      : {
          n: values.length,
          mean: sum(values) / values.length,
          p50: quantile(values, 0.5),
          p95: quantile(values, 0.95),
          p99: quantile(values, 0.99),
        };

  const summariseMetric = (name: string, variant: string, inside: (row: Row) => boolean): MetricSummary => {
    const definition = experiment.metrics.find((metric) => metric.name === name)?.definition;
    const units = perUnit(name, inside);
    if (units.length === 0) {
      const open = waitingOf(name, inside);
      const note = open > 0 ? `; ${open} predictions still wait for their outcomes` : '';
      return { kind: 'insufficient', reason: `no prediction of ${variant} has a value of ${name} yet${note}` };
    }
    const n = units.length;
    if (definition?.kind === 'quantile') {
      const values = units.flat();
      const { q } = definition;
      const spread = 1.959963984540054 * Math.sqrt((q * (1 - q)) / values.length);
      const estimate = quantile(values, q);
      const below = units.map((unit) => [unit.filter((value) => value <= estimate).length, unit.length]);
      return {
        kind: 'quantile',
        n,
        rows: values.length,
        q,
        estimate,
        lower: quantile(values, q - spread),
        upper: quantile(values, q + spread),
        indicator: jointMomentsOf(below),
      };
    }
    const kind = kindOf(name);
    if (kind === 'proportion') return { kind, n, successes: sum(units.flat()) };
    if (kind === 'mean') {
      const { mean, m2 } = momentsOf(units.flat());
      return { kind, n, mean, m2 };
    }
    return {
      kind,
      n,
      rows: units.flat().length,
      moments: jointMomentsOf(units.map((unit) => [sum(unit), unit.length])),
    };
  };
  const waitingOf = (name: string, inside: (row: Row) => boolean): number =>
    (entries.get(name) ?? []).filter(({ row, value }) => value === null && inside(row)).length;

  const variantOf = (variant: string, inScope: (row: Row) => boolean): VariantSummary => {
    const inside = (row: Row): boolean => first(row).record.assigned === variant && inScope(first(row));
    const mine = rows.filter(inside);
    const units = [...new Set(mine.map(({ unitKey }) => unitKey))];
    const requests = mine.filter(({ record }) => record.row === 0);
    const means = experiment.metrics.filter(({ definition }) => definition.kind === 'mean').map(({ name }) => name);
    const joint: JointMoments = jointMomentsOf(
      units.map((unit) =>
        means.flatMap((name) => {
          const values = perUnit(name, (row) => inside(row) && row.unitKey === unit).flat();
          return [sum(values), values.length];
        }),
      ),
    );
    const waits = Object.keys(metrics)
      .map((name) => [name, waitingOf(name, inside)] as const)
      .filter(([, count]) => count > 0);
    return {
      variant,
      units: units.length,
      requests: requests.length,
      failed: sum(requests.map(({ failed }) => failed)),
      callerFailed: sum(requests.map(({ callerFailed }) => callerFailed)),
      fallback: sum(requests.map(({ fallback }) => fallback)),
      attemptMs: latency(requests.map(({ attemptMs }) => attemptMs)),
      callerMs: latency(requests.map(({ callerMs }) => callerMs)),
      metrics: Object.fromEntries(Object.keys(metrics).map((name) => [name, summariseMetric(name, variant, inside)])),
      waiting: Object.fromEntries(waits),
      joint:
        units.length === 0
          ? null
          : { columns: means.flatMap((name) => [`${name}:numerator`, `${name}:denominator`]), moments: joint },
    };
  };

  const names = experiment.variants.map(({ name }) => name);
  const counts = new Map<string, number>();
  for (const row of firsts.values()) counts.set(row.isNew, (counts.get(row.isNew) ?? 0) + 1);
  const values = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([value]) => value);
  const byReason: Record<string, number> = {};
  for (const { reason } of ours) byReason[reason] = (byReason[reason] ?? 0) + 1;
  const windows: Record<string, number> = { label: 300, click: 150, revenue: 300, other: 1_000 };
  const names2 = (list: readonly Of<'prediction'>[], { subject }: Of<'outcome'>): boolean =>
    list.some((record) =>
      subject.kind === 'prediction'
        ? record.predictionId === subject.predictionId.replace(/#\d+$/, '')
        : subject.kind === 'request'
          ? record.requestId === subject.requestId
          : record.unit === subject.unit,
    );
  const allPredictions = all('prediction');
  const fate = ({ outcome, rows: found }: (typeof matched)[number]): string => {
    const delays = found.map(({ record }) => outcome.timeMs - record.timeMs);
    if (delays.some((delay) => delay <= (windows[outcome.type] ?? 0))) return 'joined';
    if (delays.length > 0) return 'late';
    if (
      names2(
        allPredictions.filter((record) => record.experiment === experiment.name),
        outcome,
      )
    )
      return 'unanalysed';
    return names2(allPredictions, outcome) ? 'elsewhere' : 'orphan';
  };
  const correctedIn = (row: Row): readonly string[] =>
    ['label', 'click', 'revenue'].flatMap((type) =>
      matched
        .filter(
          ({ outcome, rows: found }) =>
            outcome.type === type &&
            found.includes(row) &&
            outcome.timeMs - row.record.timeMs <= (windows[type] as number),
        )
        .slice(0, -1)
        .map(({ outcome }) => outcome.id),
    );
  const fates = matched.map((entry) => ({ id: entry.outcome.id, fate: fate(entry) }));
  const here = fates.filter((entry) => entry.fate !== 'elsewhere');
  const receivedHere = received.filter(({ id }) => here.some((entry) => entry.id === id)).length;
  const times = rows.map(({ record }) => record.timeMs);
  const epochUnits = (variant: string): number =>
    [...firsts.values()].filter(({ record }) => record.assigned === variant).length;
  return {
    format: 'assay-summary',
    version: 1,
    namespace: experiment.namespace,
    experiment: experiment.name,
    control: experiment.control,
    unit: isRequest ? 'request' : 'unit',
    fromMs: times.length === 0 ? null : Math.min(...times),
    toMs: times.length === 0 ? null : Math.max(...times),
    variants: names.map((name) => variantOf(name, () => true)),
    segments: values.map((value) => ({
      segment: 'isNew',
      value,
      variants: names.map((name) => variantOf(name, (row) => row.isNew === value)),
    })),
    epochs: [{ epoch: 1, shares: { a: 0.5, b: 0.5 }, units: { a: epochUnits('a'), b: epochUnits('b') } }],
    health: {
      predictions: ours.length,
      byReason,
      unitsInSeveralVariants: [...firsts.keys()].filter(
        (key) => new Set(rows.filter((row) => row.unitKey === key).map(({ record }) => record.assigned)).size > 1,
      ).length,
      outcomes: {
        received: receivedHere,
        duplicates: receivedHere - here.length,
        joined: fates.filter((entry) => entry.fate === 'joined').length,
        orphans: fates.filter((entry) => entry.fate === 'orphan').length,
        late: fates.filter((entry) => entry.fate === 'late').length,
      },
      namespace: { outcomes: kept.size, orphans: fates.filter((entry) => entry.fate === 'orphan').length },
      corrections: new Set(rows.flatMap(correctedIn)).size,
      uncleanShutdowns: 0,
    },
  };
}
