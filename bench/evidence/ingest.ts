// What does durability cost beside the disk itself? The log under many senders, then the same records by a bare loop.
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openEvidenceLog } from '../../src/adapters/file-evidence-log.ts';
import { readLog } from '../../src/adapters/read-evidence-log.ts';
import type { LogRecord, NewRecord } from '../../src/evidence/index.ts';

/** A prediction as the gateway records it. */
export function benchRecord(place: number): NewRecord {
  const unit = ((place * 2_654_435_761) % 4_294_967_296).toString(16).padStart(16, '0');
  const variant = place % 2 === 0 ? 'a' : 'b';
  return {
    kind: 'prediction',
    timeMs: 1_700_006_400_000 + place,
    namespace: 'default',
    experiment: 'bench',
    revision: 1,
    epoch: 1,
    predictionId: `p-${place}`,
    requestId: `p-${place}`,
    row: 0,
    unit,
    assigned: variant,
    served: variant,
    reason: 'split',
    propensity: 0.5,
    attempts: [{ variant, status: 200, latencyMs: 12.345, error: null }],
    context: { isNew: place % 3 === 0 },
    prediction: 1,
    captured: {},
    status: 200,
    callerMs: 13.21,
    streaming: false,
  };
}

/** One turn of both. */
export interface IngestTurn {
  readonly rows: number;
  readonly rowsPerFlush: number;
  readonly rate: number;
  readonly bareRate: number;
  readonly acksMs: readonly number[];
}

/**
 * Senders that wait for each acknowledgement before they send again, for `seconds`; then a loop that makes lines of the same
 * records and writes and flushes them in the same pieces, with nobody to answer.
 */
export async function ingestTurn(
  directory: string,
  load: { readonly senders: number; readonly seconds: number },
): Promise<IngestTurn> {
  const log = await openEvidenceLog({
    directory,
    now: Date.now,
    observer: { count: () => undefined, fault: () => undefined },
  });
  // Made before, because the bare loop finds its records made too.
  const made = Array.from({ length: 4_096 }, (_, place) => [benchRecord(place)]);
  const acksMs: number[] = [];
  let rows = 0;
  const startedMs = performance.now();
  const endMs = startedMs + load.seconds * 1_000;
  const sender = async (): Promise<void> => {
    for (let sentMs = performance.now(); sentMs < endMs; sentMs = performance.now()) {
      const place = rows % made.length;
      rows += 1;
      await log.appendDurable(made[place] as readonly NewRecord[]);
      acksMs.push(performance.now() - sentMs);
    }
  };
  await Promise.all(Array.from({ length: load.senders }, sender));
  const seconds = (performance.now() - startedMs) / 1_000;
  await log.close();

  const flushes: LogRecord[][] = [];
  for await (const piece of readLog(directory)) {
    if (piece.kind !== 'frame') continue;
    const lines = piece.payload.toString('utf8').trimEnd().split('\n');
    flushes.push(lines.map((line) => JSON.parse(line) as LogRecord));
  }
  rmSync(join(directory, 'log'), { recursive: true });
  const path = join(directory, 'bare');
  const file = openSync(path, 'ax');
  const bareMs = performance.now();
  for (const records of flushes) {
    writeSync(file, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
    fdatasyncSync(file);
  }
  const bareSeconds = (performance.now() - bareMs) / 1_000;
  closeSync(file);
  rmSync(path);
  return { rows, rowsPerFlush: rows / flushes.length, rate: rows / seconds, bareRate: rows / bareSeconds, acksMs };
}
