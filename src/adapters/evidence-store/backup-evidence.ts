// How is a data directory copied so that the copy is one moment of it, also while a server writes? And how does it come back?
import { constants } from 'node:fs';
import { access, copyFile, link, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { AssayError } from '../../errors.ts';
import { digestFile, makeDirectory, replaceFile, syncDirectory, writeAll } from '../durable-files.ts';
import { type EvidenceSnapshot, hasMoved, takeSnapshot } from './read-evidence.ts';
import { type Verification, verifyEvidence } from './verify-evidence.ts';

/** Options of `backUpEvidence`. */
export interface BackUpOptions {
  readonly directory: string;
  /** Must not exist yet, or be empty. */
  readonly to: string;
  /** Epoch milliseconds. */
  readonly nowMs: number;
  /** False: leave the key of the unit hash out, for a copy that shall not recognise people. Default true. */
  readonly withUnitKey?: boolean;
  readonly onProgress?: (done: { readonly files: number; readonly of: number }) => void;
}

/** One file of a backup. */
interface SavedFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** The list that makes a folder a backup. */
interface BackupList {
  readonly format: 'assay-backup';
  readonly version: 1;
  readonly createdMs: number;
  readonly files: readonly SavedFile[];
}

/** A finished copy, looked through afterwards; it is as whole as the original was. */
export interface Copied {
  readonly files: number;
  readonly bytes: number;
  readonly verification: Verification;
}

const listName = 'backup.json';
const controlLog = 'control.log';
const unitKey = 'unit.key';
const mostTries = 5;

/**
 * Copies segments, manifest, logs, control log and unit key. Segments are linked where the file system can: they never
 * change. The copy appears under its name only when it is whole.
 *
 * @throws AssayError `data-directory-unusable` when `to` is not empty or cannot be written.
 */
export async function backUpEvidence(options: BackUpOptions): Promise<Copied> {
  const to = resolve(options.to);
  await requireEmpty(to);
  const draft = join(dirname(to), `.${basename(to)}.partial`);
  for (let tries = 1; ; tries += 1) {
    await rm(draft, { recursive: true, force: true });
    const snapshot = await takeSnapshot(options.directory);
    try {
      const files = await copySnapshot(options, { snapshot, draft });
      const list: BackupList = { format: 'assay-backup', version: 1, createdMs: options.nowMs, files };
      await replaceFile(join(draft, listName), `${JSON.stringify(list, null, 1)}\n`);
      const verification = await verifyEvidence({ directory: draft });
      await rm(to, { recursive: true, force: true });
      await rename(draft, to);
      await syncDirectory(dirname(to));
      return { files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), verification };
    } catch (fault) {
      await rm(draft, { recursive: true, force: true });
      // A segment that a server merged, or a log that it sealed, while we copied.
      const isGone = (fault as NodeJS.ErrnoException).code === 'ENOENT';
      const next = isGone && (await takeSnapshot(options.directory)).manifest.revision !== snapshot.manifest.revision;
      if (tries < mostTries && (next || (await hasMoved(fault, options.directory, snapshot)))) continue;
      if (fault instanceof AssayError) throw fault;
      throw new AssayError('data-directory-unusable', `${to} cannot be written: ${(fault as Error).message}`, {
        cause: fault,
      });
    }
  }
}

/**
 * Copies a backup into an empty data directory, every file checked against the list.
 *
 * @throws AssayError `input-invalid` when `from` is no backup; `evidence-corrupt` naming a file that has changed since;
 *   `evidence-too-new`; `data-directory-unusable` when the directory is not empty or cannot be written.
 */
export async function restoreEvidence(options: {
  readonly from: string;
  readonly directory: string;
  readonly onProgress?: (done: { readonly files: number; readonly of: number }) => void;
}): Promise<Copied> {
  const { from, directory } = options;
  const { files } = await readList(from);
  const target = resolve(directory);
  await requireEmpty(target);
  try {
    for (const [index, file] of files.entries()) {
      const { bytes, sha256 } = await digestFile(join(from, file.path)).catch((cause: Error) => {
        throw new AssayError('evidence-corrupt', `${join(from, file.path)} cannot be read: ${cause.message}`, {
          cause,
        });
      });
      if (bytes !== file.bytes || sha256 !== file.sha256)
        throw new AssayError('evidence-corrupt', `${join(from, file.path)} is not as it was backed up`);
      await copyWhole(join(from, file.path), join(target, file.path));
      options.onProgress?.({ files: index + 1, of: files.length });
    }
    const verification = await verifyEvidence({ directory: target });
    return { files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), verification };
  } catch (fault) {
    for (const name of await readdir(target).catch(() => []))
      await rm(join(target, name), { recursive: true, force: true });
    if (fault instanceof AssayError) throw fault;
    throw new AssayError('data-directory-unusable', `${target} cannot be written: ${(fault as Error).message}`, {
      cause: fault,
    });
  }
}

async function copySnapshot(
  { directory, withUnitKey = true, onProgress }: BackUpOptions,
  { snapshot, draft }: { readonly snapshot: EvidenceSnapshot; readonly draft: string },
): Promise<readonly SavedFile[]> {
  const { manifest, files } = snapshot;
  const saved: SavedFile[] = [];
  const of = manifest.segments.length + files.length;
  const add = async (path: string): Promise<void> => {
    saved.push({ path, ...(await digestFile(join(draft, path))) });
    onProgress?.({ files: Math.min(saved.length, of), of });
  };
  await makeDirectory(draft);
  for (const { path } of manifest.segments) {
    await linkOrCopy(join(directory, path), join(draft, path));
    await add(path);
  }
  for (const { writer, file, path } of files) {
    const place = `log/${writer}/${file}`;
    await copyPrefix(path, join(draft, place));
    await add(place);
  }
  if (manifest.revision > 0) {
    const { sha256: _, ...rest } = { sha256: '', ...manifest };
    await copyPrefix(join(directory, 'manifest.json'), join(draft, 'manifest.json'));
    const copied = JSON.parse(await readFile(join(draft, 'manifest.json'), 'utf8')) as { readonly revision: number };
    // It was replaced while the rest was copied: the copy would name files it does not have.
    if (copied.revision !== rest.revision) throw Object.assign(new Error('the manifest changed'), { code: 'ENOENT' });
    await add('manifest.json');
  }
  // Last, so that it knows every epoch that the evidence names; an unfinished last line is dropped when it is opened.
  for (const name of withUnitKey ? [controlLog, unitKey] : [controlLog]) {
    if (
      !(await access(join(directory, name)).then(
        () => true,
        () => false,
      ))
    )
      continue;
    await copyPrefix(join(directory, name), join(draft, name), 0o600);
    await add(name);
  }
  return saved;
}

async function readList(from: string): Promise<BackupList> {
  const path = join(from, listName);
  let list: BackupList;
  try {
    list = JSON.parse(await readFile(path, 'utf8')) as BackupList;
  } catch (cause) {
    throw new AssayError('input-invalid', `${from} is no backup: ${(cause as Error).message}`, { cause });
  }
  if (list.format !== 'assay-backup' || !Array.isArray(list.files))
    throw new AssayError('input-invalid', `${path} has format ${JSON.stringify(list.format)}, must be "assay-backup"`);
  if (list.version !== 1)
    throw new AssayError('evidence-too-new', `${path} has version ${JSON.stringify(list.version)}, must be 1`);
  const astray = list.files.find((file) => isAbsolute(file.path) || file.path.split(/[\\/]/).includes('..'));
  if (astray !== undefined)
    throw new AssayError('input-invalid', `${path} names ${astray.path}, must name files below it`);
  return list;
}

async function requireEmpty(directory: string): Promise<void> {
  const names = await readdir(directory).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [];
    throw new AssayError('data-directory-unusable', `${directory} cannot be listed: ${cause.message}`, { cause });
  });
  // The lock is ours.
  const [first] = names.filter((name) => name !== 'lock');
  if (first !== undefined)
    throw new AssayError('data-directory-unusable', `${directory} holds ${first}, must be empty or missing`, {
      fix: 'Choose another directory.',
    });
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  await makeDirectory(dirname(to));
  try {
    await link(from, to);
    await syncDirectory(dirname(to));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw cause;
    await copyWhole(from, to);
  }
}

async function copyWhole(from: string, to: string): Promise<void> {
  await makeDirectory(dirname(to));
  await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  const handle = await open(to, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  await syncDirectory(dirname(to));
}

/** What stands in a growing file now. */
async function copyPrefix(from: string, to: string, mode = 0o666): Promise<void> {
  await makeDirectory(dirname(to));
  const source = await open(from, 'r');
  try {
    const target = await open(to, 'wx', mode);
    try {
      const { size } = await source.stat();
      const chunk = Buffer.alloc(1024 * 1024);
      for (let offset = 0; offset < size; ) {
        const { bytesRead } = await source.read(chunk, 0, Math.min(chunk.length, size - offset), offset);
        if (bytesRead === 0) break;
        await writeAll(target, chunk.subarray(0, bytesRead));
        offset += bytesRead;
      }
      await target.sync();
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
  await syncDirectory(dirname(to));
}
