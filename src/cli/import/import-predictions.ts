// `assay import predictions`: gives an experiment the predictions it had before Assay stood in front of it.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type DataDirectoryLock, lockDataDirectory } from '../../adapters/data-directory-lock.ts';
import { createSegmentReceiver } from '../../adapters/evidence-store/receive-segment.ts';
import { encodeFrame, encodeHeader } from '../../adapters/log-frames.ts';
import { openTable } from '../../adapters/table-rows.ts';
import { openUnitHasher } from '../../adapters/unit-key.ts';
import { AssayError } from '../../errors.ts';
import { encodeRecord, type NewRecord } from '../../evidence/index.ts';
import { type Experiment, parseExperimentFile } from '../../experiment/index.ts';
import { readExperimentTexts } from '../experiment-files.ts';
import { say, sayJson } from '../terminal.ts';
import { createProgress, type Progress } from './import-progress.ts';
import { type PredictionReading, predictionTarget, readPredictionRows } from './prediction-rows.ts';
import { type MappingOptions, mapRows } from './row-mapping.ts';

/** What the command line says. */
export interface ImportPredictionsOptions extends MappingOptions {
  /** The experiment's file. */
  readonly file: string;
  readonly data: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const frameCharacters = 1024 * 1024;
const segmentCharacters = 64 * 1024 * 1024;

/**
 * Checks every row, then writes them as one writer's log. The writer is named after file, mapping and experiment, so that the
 * same import once more changes nothing, also after one that was broken off.
 *
 * @throws AssayError `usage-invalid`, `file-unreadable`, `input-invalid`, `data-directory-locked`, `evidence-not-durable`.
 */
export async function importPredictionsCommand(path: string, options: ImportPredictionsOptions): Promise<void> {
  const experiment = await readExperiment(options.file);
  const table = await openTable(path);
  let lock: DataDirectoryLock | undefined;
  try {
    // A rehearsal needs no directory, and makes none.
    if (!options.dryRun) lock = await lockDataDirectory(options.data);
    const mapping = mapRows(options, predictionTarget(experiment), { path, columns: table.columns });
    const { hashUnit } = options.dryRun
      ? { hashUnit: (id: string) => id }
      : await openUnitHasher({ directory: options.data, environment: process.env });
    const reading: PredictionReading = { table, path, mapping, experiment, hashUnit };
    let rows = 0;
    for await (const _ of readPredictionRows(reading)) rows += 1;
    if (rows === 0) throw new AssayError('input-invalid', `${path} has no rows, must have at least one`);
    const writer = options.dryRun ? '' : await writerOf(path, reading);
    const isRepeat = options.dryRun ? false : await writeAll(reading, { writer, rows, data: options.data });
    if (options.json) sayJson({ rows, writer, isRepeat, isRehearsal: options.dryRun === true });
    else if (options.dryRun) say(`${rows} predictions are right; nothing was written`);
    else if (isRepeat) say(`${rows} predictions were imported before; nothing changed`);
    else say(`${rows} predictions of ${experiment.name} are durable in ${options.data}`);
  } finally {
    await table.close();
    await lock?.release();
  }
}

async function readExperiment(path: string): Promise<Experiment> {
  const [found, another] = await readExperimentTexts([path]);
  if (found === undefined || another !== undefined)
    throw new AssayError('usage-invalid', `--file is ${path}, must be the file of one experiment`);
  return parseExperimentFile(found.text, { file: found.file });
}

async function writerOf(path: string, { mapping, experiment, hashUnit }: PredictionReading): Promise<string> {
  const digest = createHash('sha256');
  for await (const chunk of createReadStream(path)) digest.update(chunk as Buffer);
  const { namespace, name } = experiment;
  // Under another unit key the same rows are other records.
  digest.update(JSON.stringify([namespace, name, mapping.key, hashUnit('assay import')]));
  return digest.digest('hex').slice(0, 16);
}

/** True when all of it was there before. */
async function writeAll(
  reading: PredictionReading,
  { writer, rows, data }: { readonly writer: string; readonly rows: number; readonly data: string },
): Promise<boolean> {
  const receiver = createSegmentReceiver({ directory: data, isOwn: () => false });
  const progress = createProgress(rows, 'predictions');
  try {
    let isRepeat = true;
    for await (const { first, bytes } of segmentsOf(reading, { writer, progress })) {
      const received = await receiver.receive({
        writer,
        first,
        bytes: [bytes] as unknown as AsyncIterable<Uint8Array>,
      });
      isRepeat &&= received.isRepeat;
    }
    return isRepeat;
  } finally {
    progress.stop();
  }
}

/** The log files of this import: always cut at the same places. */
async function* segmentsOf(
  reading: PredictionReading,
  { writer, progress }: { readonly writer: string; readonly progress: Progress },
): AsyncGenerator<{ readonly first: number; readonly bytes: Uint8Array }> {
  let sequence = 0;
  let first = 1;
  let frames: Buffer[] = [encodeHeader()];
  let characters = 0;
  let payload: string[] = [];
  let payloadCharacters = 0;
  let lastMs = 0;
  const add = (record: NewRecord): void => {
    sequence += 1;
    const line = `${encodeRecord(record, { v: 1, writer, sequence })}\n`;
    payload.push(line);
    payloadCharacters += line.length;
    if (payloadCharacters >= frameCharacters) endFrame();
  };
  const endFrame = (): void => {
    if (payload.length > 0) frames.push(encodeFrame(payload.join('')));
    characters += payloadCharacters;
    payload = [];
    payloadCharacters = 0;
  };
  const segment = (): { readonly first: number; readonly bytes: Uint8Array } => {
    endFrame();
    const made = { first, bytes: Buffer.concat(frames) };
    first = sequence + 1;
    frames = [encodeHeader()];
    characters = 0;
    return made;
  };
  for await (const record of readPredictionRows(reading)) {
    lastMs = record.timeMs;
    add(record);
    progress.update(sequence);
    if (characters >= segmentCharacters) yield segment();
  }
  // A log that was ended on purpose is no unclean shutdown.
  add({ kind: 'writer-end', timeMs: lastMs });
  yield segment();
}
