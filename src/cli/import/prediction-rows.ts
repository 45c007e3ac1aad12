// Which prediction record does a row of a warehouse export stand for? As the gateway would have written it, had it been there.
import { createHash } from 'node:crypto';
import type { Table, TableRow } from '../../adapters/table-rows.ts';
import type { Json, PredictionRecord, Scalar } from '../../evidence/index.ts';
import type { Experiment } from '../../experiment/index.ts';
import { type RowFault, tellRowFaults } from './row-faults.ts';
import { cellText, cellTime, cellValue, type MappingTarget, type RowMapping } from './row-mapping.ts';

/** What of a prediction a table of this experiment can hold: what the experiment captures under its own names. */
export function predictionTarget({ capture }: Experiment): MappingTarget {
  const captured = capture.filter(({ name }) => name !== 'prediction').map(({ name }) => name);
  const members = [
    ...['time', 'variant', 'unit', 'predictionId', 'requestId', 'row', 'prediction', 'served', 'status', 'latencyMs'],
    ...['callerMs', 'error', 'epoch', 'propensity'],
  ];
  return {
    members: [...members, ...captured.filter((name) => !members.includes(name))],
    prefixes: ['context.', 'captured.'],
  };
}

/** How to read predictions from a table. */
export interface PredictionReading {
  readonly table: Table;
  /** For messages. */
  readonly path: string;
  readonly mapping: RowMapping;
  readonly experiment: Experiment;
  readonly hashUnit: (id: string) => string;
}

/**
 * The prediction records of a table, in its order; the same file gives the same records.
 *
 * @throws AssayError `input-invalid` after the last row, or the 20th fault, naming file, row, column, value and rule.
 */
export async function* readPredictionRows(reading: PredictionReading): AsyncGenerator<PredictionRecord> {
  const faults: RowFault[] = [];
  const convert = createConversion(reading);
  for await (const row of reading.table.rows(reading.mapping.columns)) {
    const before = faults.length;
    const record = convert(row, faults);
    if (faults.length >= 20) break;
    if (faults.length === before) yield record;
  }
  tellRowFaults(faults);
}

function createConversion({ path, mapping, experiment, hashUnit }: PredictionReading) {
  const names = experiment.variants.map(({ name }) => name);
  const total = experiment.variants.reduce((sum, { weight }) => sum + weight, 0);
  const shares = new Map(experiment.variants.map(({ name, weight }) => [name, weight / total]));
  const isRequestUnit = experiment.unit.sources.some(({ kind }) => kind === 'request');
  const seed = `${experiment.namespace}/${experiment.name}`;

  return (row: TableRow, faults: RowFault[]): PredictionRecord => {
    const given = mapping.read(row);
    const refuse = (member: string, rule: string): undefined => {
      const column = mapping.columnOf(member);
      const place = `${path} row ${row.row}${column === undefined ? '' : `, column ${column}`}`;
      const shown = given[member] === undefined ? 'missing' : JSON.stringify(given[member]).slice(0, 60);
      faults.push({ line: row.row, place, text: `${place}: ${member} is ${shown}, must be ${rule}` });
      return undefined;
    };
    const number = (
      member: string,
      rule: { readonly isGood: (value: number) => boolean; readonly text: string },
    ): number | undefined => {
      const value = cellValue(given[member]);
      if (value === undefined) return undefined;
      return typeof value === 'number' && rule.isGood(value) ? value : refuse(member, rule.text);
    };
    const count = (least: number) => ({
      isGood: (value: number) => Number.isInteger(value) && value >= least && value < 2 ** 31,
      text: `a whole number >= ${least}`,
    });
    const duration = { isGood: (value: number) => value >= 0, text: 'a number of milliseconds >= 0' };
    const variant = (member: string): string | undefined => {
      const name = cellText(given[member]);
      return typeof name === 'string' && names.includes(name) ? name : refuse(member, `one of: ${names.join(', ')}`);
    };
    const label = (member: string): string | undefined => {
      const text = cellText(given[member]);
      if (text === undefined) return undefined;
      // What follows a # would be read as the row of a batch.
      const isGood =
        typeof text === 'string' && text.length <= 512 && !(member === 'predictionId' && /#\d+$/.test(text));
      return isGood ? text : refuse(member, 'a text of at most 512 characters that does not end in # and digits');
    };

    const timeMs = timeMsOf(given.time) ?? refuse('time', 'ISO 8601, or epoch seconds or milliseconds');
    const assigned = variant('variant') ?? '';
    const served = given.served === undefined ? assigned : variant('served');
    const unit = label('unit');
    if (unit === undefined && given.unit === undefined && !isRequestUnit)
      refuse('unit', 'the unit id as callers send it');
    const latencyMs = number('latencyMs', duration);
    const status = number('status', {
      isGood: (value) => Number.isInteger(value) && value >= 100 && value <= 599,
      text: 'an HTTP status',
    });
    const error = label('error');
    const failure = error ?? (status !== undefined && status >= 500 ? 'status' : null);
    // Without its time a failed attempt would count as one that took none.
    if (failure !== null && latencyMs === undefined) refuse('latencyMs', 'given where the attempt failed');
    const value = cellValue(given.prediction);
    if (typeof value === 'object') refuse('prediction', 'a number, text or boolean');
    const predictionId =
      label('predictionId') ??
      `import-${createHash('sha256')
        .update(JSON.stringify([seed, row.row, given]))
        .digest('hex')
        .slice(0, 32)}`;
    return {
      kind: 'prediction',
      timeMs: timeMs ?? 0,
      namespace: experiment.namespace,
      experiment: experiment.name,
      revision: 1,
      epoch: number('epoch', count(0)) ?? 1,
      predictionId,
      requestId: label('requestId') ?? predictionId,
      row: number('row', count(0)) ?? 0,
      unit: unit === undefined || isRequestUnit ? null : hashUnit(unit),
      assigned,
      served: served ?? null,
      reason: 'split',
      propensity:
        number('propensity', { isGood: (share) => share > 0 && share <= 1, text: 'a share in (0, 1]' }) ??
        shares.get(assigned) ??
        1,
      attempts:
        latencyMs === undefined ? [] : [{ variant: assigned, status: status ?? null, latencyMs, error: failure }],
      context: scalarsOf(partsOf(given, { prefix: 'context.', experiment, from: 'request' })),
      prediction: typeof value === 'object' || value === undefined ? null : value,
      captured: partsOf(given, { prefix: 'captured.', experiment, from: 'reply' }),
      status: status ?? null,
      callerMs: number('callerMs', duration) ?? null,
      streaming: false,
    };
  };
}

function timeMsOf(cell: Json | undefined): number | undefined {
  const time = cellTime(cell);
  const timeMs = typeof time === 'string' ? Date.parse(time) : time;
  return typeof timeMs === 'number' && timeMs >= 0 && timeMs <= 8.64e15 ? timeMs : undefined;
}

/** What the table names with a prefix, and what the experiment captures under its own name. */
function partsOf(
  given: Readonly<Record<string, Json>>,
  part: { readonly prefix: string; readonly experiment: Experiment; readonly from: 'request' | 'reply' },
): Readonly<Record<string, Json>> {
  const { prefix, experiment, from } = part;
  const named = Object.entries(given).flatMap(([name, cell]) =>
    name.startsWith(prefix) ? [[name.slice(prefix.length), cellValue(cell)] as const] : [],
  );
  const captured = experiment.capture.flatMap(({ name, from: side }) =>
    side === from && name !== 'prediction' && given[name] !== undefined
      ? [[name, cellValue(given[name])] as const]
      : [],
  );
  return Object.fromEntries([...captured, ...named]) as Readonly<Record<string, Json>>;
}

function scalarsOf(members: Readonly<Record<string, Json>>): Readonly<Record<string, Scalar>> {
  return Object.fromEntries(
    Object.entries(members).map(([name, value]) => [name, typeof value === 'object' ? JSON.stringify(value) : value]),
  );
}
