// A data directory as weeks of traffic would leave it, made in seconds: sealed segments of one experiment, with clicks and revenue.
import { mkdir } from 'node:fs/promises';
import { ensureManifest, type Segment, writeManifest } from '../../src/adapters/evidence-store/manifest.ts';
import { openSegmentSession, writeSegment } from '../../src/adapters/evidence-store/segment-file.ts';

/** How much there is. */
export interface EvidenceSize {
  readonly predictions: number;
  readonly outcomes: number;
  readonly units: number;
  /** Ids that count up compress; random ones do not. */
  readonly ids?: 'counter' | 'random';
}

/** Begin of the traffic, epoch milliseconds. */
export const startMs = 1_700_006_400_000;
const dayMs = 86_400_000;
/** Traffic of this many days, then one more week. */
const days = 21;
/** When the report is asked for: most windows have ended. */
export const reportMs: number = startMs + (days + 7) * dayMs;
const writer = 'be4c000000000001';

const scramble = (value: string): string => `hash(${value})`;
const hex = (value: string): string => `lower(lpad(to_hex(${value}), 16, '0'))`;
const uniform = (value: string): string => `(${scramble(value)} % 1000003 / 1000003.0)`;

const idOf = (ids: EvidenceSize['ids'], prefix: string, place: string): string =>
  ids === 'random'
    ? `concat(${hex(scramble(`${place} + 77`))}, ${hex(scramble(`${place} + 99`))})`
    : `concat('${prefix}', lpad(CAST(${place} AS VARCHAR), 12, '0'))`;

/** Predictions number `from` to `to` (exclusive); the number is also their place in time. */
function predictionRows({ predictions, units, ids }: EvidenceSize, from: number, to: number): string {
  const unit = `(${scramble('i')} % ${units})`;
  return (
    `(SELECT '${writer}' AS writer, i + 1 AS sequence, CAST(${startMs} + floor(i * ${(days * dayMs) / predictions}) AS DOUBLE) AS "timeMs", ` +
    `'default' AS namespace, 'bench' AS experiment, 1.0::DOUBLE AS revision, 1.0::DOUBLE AS epoch, ${idOf(ids, 'p-', 'i')} AS "predictionId", ` +
    `${idOf(ids, 'p-', 'i')} AS "requestId", 0.0::DOUBLE AS "row", ${hex(scramble(`${unit} + 5`))} AS unit, ` +
    `CASE WHEN ${uniform(`${unit} + 3`)} < 0.5 THEN 'a' ELSE 'b' END AS assigned, assigned AS served, 'split' AS reason, 0.5::DOUBLE AS propensity, ` +
    `[{'variant': assigned, 'status': 200.0::DOUBLE, 'latencyMs': round(8 + 40 * ${uniform('i + 11')}, 3)::DOUBLE, 'error': CAST(NULL AS VARCHAR)}] AS attempts, ` +
    `CAST(CASE WHEN ${unit} % 10 < 3 THEN '{"isNew":true}' ELSE '{"isNew":false}' END AS JSON) AS context, CAST('1' AS JSON) AS prediction, CAST('{}' AS JSON) AS captured, ` +
    `200.0::DOUBLE AS status, round(9 + 42 * ${uniform('i + 11')}, 3)::DOUBLE AS "callerMs", FALSE AS streaming, CAST(NULL AS VARCHAR) AS whole FROM range(${from}, ${to}) t(i))`
  );
}

/** Outcomes number `from` to `to` (exclusive) of the same units over the same days and the week before. */
function outcomeRows({ predictions, outcomes, units, ids }: EvidenceSize, from: number, to: number): string {
  const unit = `(${scramble('j + 31')} % ${units})`;
  const at = `CAST(${startMs - 7 * dayMs} + floor(j * ${((days + 7) * dayMs) / outcomes}) AS DOUBLE)`;
  return (
    `(SELECT '${writer}' AS writer, ${predictions} + j + 1 AS sequence, ${at} AS "timeMs", ${idOf(ids, 'o-', 'j + 1000000000')} AS id, ` +
    `${at} AS "receivedMs", 'default' AS namespace, CASE WHEN j % 10 < 7 THEN 'click' WHEN j % 10 < 8 THEN 'convert' ELSE 'revenue' END AS type, ` +
    `CAST(CASE WHEN j % 10 < 8 THEN '1' ELSE CAST(1 + ${scramble('j')} % 5000 / 100.0 AS VARCHAR) END AS JSON) AS "value", ` +
    `{'kind': 'unit', 'predictionId': CAST(NULL AS VARCHAR), 'requestId': CAST(NULL AS VARCHAR), 'unit': ${hex(scramble(`${unit} + 5`))}} AS subject, ` +
    `CAST('{}' AS JSON) AS attributes, CAST(NULL AS VARCHAR) AS whole FROM range(${from}, ${to}) t(j))`
  );
}

/** Writes segments of at most a million rows and the manifest. */
export async function makeEvidence(directory: string, size: EvidenceSize): Promise<readonly Segment[]> {
  await mkdir(directory, { recursive: true });
  const manifest = await ensureManifest(directory);
  const session = await openSegmentSession(directory, 2);
  const segments: Segment[] = [];
  try {
    for (const kind of ['predictions', 'outcomes'] as const) {
      const rows = kind === 'predictions' ? predictionRows : outcomeRows;
      const total = size[kind];
      const pieces = Math.max(1, Math.ceil(total / 1_000_000));
      for (let piece = 0; piece < pieces; piece += 1) {
        const segment = await writeSegment(session, {
          directory,
          kind,
          ...(kind === 'predictions' ? { namespace: 'default', experiment: 'bench' } : {}),
          day: `piece-${piece}`,
          from: rows(size, Math.floor((piece * total) / pieces), Math.floor(((piece + 1) * total) / pieces)),
          revision: 1,
          sealedMs: reportMs,
        });
        if (segment !== undefined) segments.push(segment);
      }
    }
  } finally {
    await session.close();
  }
  await writeManifest(directory, {
    ...manifest,
    segments,
    writers: { [writer]: { ranges: [[1, size.predictions + size.outcomes]], ended: true, erased: 0, expired: 0 } },
  });
  return segments;
}
