// Data directories for tests of the store: made for a test, gone after it, with logs written by the real writer.
import { mkdtempSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogRecord, NewRecord } from '../../evidence/index.ts';
import { createCountingObserver } from '../counting-observer.ts';
import { type FileEvidenceLog, type FileEvidenceLogOptions, openEvidenceLog } from '../file-evidence-log.ts';
import { readEvidence } from './read-evidence.ts';

const made: string[] = [];

/** A new, empty directory. */
export function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'assay-store-'));
  made.push(directory);
  return directory;
}

/** For `afterAll`. */
export async function removeDirectories(): Promise<void> {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true, force: true });
}

/** An open log. */
export function openLog(directory: string, options: Partial<FileEvidenceLogOptions> = {}): Promise<FileEvidenceLog> {
  return openEvidenceLog({
    directory,
    now: () => 1_700_000_000_000,
    observer: createCountingObserver({ now: Date.now }),
    ...options,
  });
}

/** Appends the records under one new writer and closes the log. */
export async function writeLog(
  directory: string,
  records: readonly NewRecord[],
  options: Partial<FileEvidenceLogOptions> = {},
): Promise<string> {
  const log = await openLog(directory, options);
  for (const record of records) await log.appendDurable([record]);
  await log.close();
  return log.status().writer;
}

/** All records, in the order of (writer, sequence). */
export async function readAll(directory: string): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const record of readEvidence(directory)) records.push(record);
  return records.sort((a, b) => (a.writer === b.writer ? a.sequence - b.sequence : a.writer < b.writer ? -1 : 1));
}

/** Paths below a folder of the directory, with `/`; empty when it is not there. */
export async function filesIn(directory: string, folder: string): Promise<readonly string[]> {
  const entries = await readdir(join(directory, folder), { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}
