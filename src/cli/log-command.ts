// `assay log`: checks, merges, expires, erases, copies and restores the evidence of a data directory.
import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import cliProgress from 'cli-progress';
import { lockDataDirectory } from '../adapters/data-directory-lock.ts';
import { backUpEvidence, type Copied, restoreEvidence } from '../adapters/evidence-store/backup-evidence.ts';
import { compactSegments } from '../adapters/evidence-store/compact-segments.ts';
import { eraseUnit } from '../adapters/evidence-store/erase-unit.ts';
import { retainEvidence } from '../adapters/evidence-store/retain-evidence.ts';
import { type SealedLogs, sealLogs } from '../adapters/evidence-store/seal-logs.ts';
import { type Verification, verifyEvidence } from '../adapters/evidence-store/verify-evidence.ts';
import { openUnitHasher } from '../adapters/unit-key.ts';
import { AssayError } from '../errors.ts';
import { bytesText, parseBytes, parseDuration } from './quantity.ts';
import { exitCode, note, say, sayJson } from './terminal.ts';

interface LogOptions {
  readonly data: string;
  readonly json?: boolean;
}

/** `assay log verify`: exit 2 when something is wrong. */
export async function verifyCommand({ data, json }: LogOptions): Promise<void> {
  await requireDirectory(data);
  const found = await withProgress((files) => verifyEvidence({ directory: data, onProgress: files }));
  if (json) sayJson(found);
  else sayVerification(found);
  failOn(found);
}

/** `assay log compact`. */
export async function compactCommand({ data, json }: LogOptions): Promise<void> {
  await alone(data, async () => {
    const sealed = await sealAll(data);
    const merged = await compactSegments({ directory: data });
    const { files, records, damaged } = sealed;
    if (json) sayJson({ sealed: { files, records }, ...merged, damaged });
    else {
      say(`sealed   ${records} records of ${files} log files`);
      say(`merged   ${merged.before} segments into ${merged.after}, ${bytesText(merged.bytesAfter)}`);
    }
    tellDamage(sealed);
  });
}

/** `assay log retain`. */
export async function retainCommand(
  options: LogOptions & { keep?: string; maxBytes?: string; longestWindow?: string; dryRun?: boolean },
): Promise<void> {
  const { data, json, keep, maxBytes, longestWindow, dryRun } = options;
  if (keep === undefined && maxBytes === undefined)
    throw new AssayError('usage-invalid', 'neither --keep nor --max-bytes is given, must be at least one', {
      fix: 'For example: assay log retain --keep 90d --longest-window 7d',
    });
  const limits = {
    ...(keep === undefined ? {} : { keepMs: parseDuration(keep, '--keep') }),
    ...(maxBytes === undefined ? {} : { maxBytes: parseBytes(maxBytes, '--max-bytes') }),
    ...(longestWindow === undefined ? {} : { longestWindowMs: parseDuration(longestWindow, '--longest-window') }),
  };
  await alone(data, async () => {
    const sealed = dryRun ? undefined : await sealAll(data);
    const done = await retainEvidence({ directory: data, nowMs: Date.now(), isRehearsal: dryRun === true, ...limits });
    if (json) sayJson({ ...done, isRehearsal: dryRun === true });
    else {
      const verb = dryRun ? 'would go' : 'went';
      say(`${verb.padEnd(8)} ${done.rows} records in ${done.segments} segments, ${bytesText(done.bytes)}`);
      for (const each of done.expired)
        say(
          `         ${each.rows} ${each.kind}${each.experiment === undefined ? '' : ` of ${each.experiment}`}, ` +
            `${dayOf(each.fromMs)} to ${dayOf(each.toMs)}`,
        );
      say(`left     ${bytesText(done.bytesLeft)}`);
      if (done.bytesTooMany > 0) say(`         ${bytesText(done.bytesTooMany)} more than asked: the rest may not go`);
    }
    if (sealed !== undefined) tellDamage(sealed);
  });
}

/** `assay log erase`. A second run finds nothing and changes nothing. */
export async function eraseCommand(options: LogOptions & { unit?: string; unitKey?: string }): Promise<void> {
  const { data, json, unit, unitKey } = options;
  if ((unit === undefined) === (unitKey === undefined))
    throw new AssayError('usage-invalid', 'one of --unit and --unit-key must be given, and only one', {
      fix: 'For example: assay log erase --unit user-17',
    });
  await alone(data, async () => {
    const key = unitKey ?? (await hashedUnit(data, unit ?? ''));
    const sealed = await sealAll(data);
    // What cannot be sealed cannot be searched: better no erasure than half of one that looks whole.
    const [damage] = sealed.damaged;
    if (damage !== undefined) throw new AssayError('evidence-corrupt', `nothing was erased: ${damage}`);
    const done = await withProgress((files) =>
      eraseUnit({
        directory: data,
        unit: key,
        nowMs: Date.now(),
        onProgress: ({ rewritten, of }) => files({ files: rewritten, of }),
      }),
    );
    // A cache may hold the unit; it is made again from what is left.
    for (const name of ['state.duckdb', 'state.duckdb.wal']) await rm(join(data, name), { force: true });
    if (json) {
      sayJson(done);
      return;
    }
    const total = Object.values(done.rows).reduce((sum, rows) => sum + rows, 0);
    if (total === 0 && done.erasedBeforeMs !== null)
      say(`nothing of this unit is left; it was erased at ${new Date(done.erasedBeforeMs).toISOString()}`);
    else if (total === 0) say('nothing of this unit is here');
    else {
      const kinds = Object.entries({ ...done.rows, bodies: done.bodies }).filter(([, rows]) => rows > 0);
      say(`erased   ${kinds.map(([kind, rows]) => `${rows} ${kind}`).join(', ')} from ${done.segments} segments`);
      say('Backups made before still hold them.');
    }
  });
}

/** `assay log backup`. */
export async function backupCommand(options: LogOptions & { to: string; withoutUnitKey?: boolean }): Promise<void> {
  const { data, json, to, withoutUnitKey } = options;
  await requireDirectory(data);
  const done = await withProgress((files) =>
    backUpEvidence({
      directory: data,
      to,
      nowMs: Date.now(),
      withUnitKey: withoutUnitKey !== true,
      onProgress: files,
    }),
  );
  sayCopied(done, { json, verb: 'copied' });
}

/** `assay log restore`. */
export async function restoreCommand(options: LogOptions & { from: string }): Promise<void> {
  const { data, json, from } = options;
  const lock = await lockDataDirectory(data);
  try {
    const done = await withProgress((files) => restoreEvidence({ from, directory: data, onProgress: files }));
    sayCopied(done, { json, verb: 'restored' });
  } finally {
    await lock.release();
  }
}

async function requireDirectory(data: string): Promise<void> {
  await access(data).catch((cause: Error) => {
    throw new AssayError('file-unreadable', `data directory ${data} cannot be read: ${cause.message}`, { cause });
  });
}

/** With the directory for ourselves: no server writes to it meanwhile. */
async function alone(data: string, work: () => Promise<void>): Promise<void> {
  await requireDirectory(data);
  const lock = await lockDataDirectory(data);
  try {
    await work();
  } finally {
    await lock.release();
  }
}

/** Never makes a key: hashing under a new one would find nobody and say that nobody is here. */
async function hashedUnit(data: string, unit: string): Promise<string> {
  const given = process.env.ASSAY_UNIT_KEY || process.env.ASSAY_UNIT_KEY_FILE;
  if (!given)
    await access(join(data, 'unit.key')).catch((cause: Error) => {
      throw new AssayError('file-unreadable', `${join(data, 'unit.key')} cannot be read: ${cause.message}`, {
        cause,
        fix: 'Give the key in ASSAY_UNIT_KEY or ASSAY_UNIT_KEY_FILE, or the hashed unit with --unit-key.',
      });
    });
  return (await openUnitHasher({ directory: data, environment: process.env })).hashUnit(unit);
}

function sealAll(data: string): Promise<SealedLogs> {
  return withProgress((files) => sealLogs({ directory: data, nowMs: Date.now(), onProgress: files }));
}

function tellDamage({ damaged }: SealedLogs): void {
  for (const text of damaged) note(`damaged  ${text}`);
  if (damaged.length > 0) process.exitCode = exitCode.failure;
}

function failOn({ isWhole, faults }: Verification): void {
  if (isWhole) return;
  for (const text of faults) note(`wrong    ${text}`);
  process.exitCode = exitCode.failure;
}

function sayVerification(found: Verification): void {
  say(`segments ${found.segments}, ${found.sealedRows} records, ${bytesText(found.sealedBytes)}`);
  say(`logs     ${found.logFiles} files`);
  say();
  say(
    `${'writer'.padEnd(18)}${['sealed', 'logged', 'erased', 'expired', 'missing'].map((title) => title.padStart(11)).join('')}`,
  );
  for (const each of found.writers) {
    const counts = [each.sealed, each.logged, each.erased, each.expired, each.missing];
    const remarks = [
      ...(each.ended ? [] : ['no end: alive, or ended in a crash']),
      ...(each.tailBytes > 0 ? [`${each.tailBytes} bytes after the last whole frame`] : []),
    ];
    say(
      `${each.writer.padEnd(18)}${counts.map((count) => String(count).padStart(11)).join('')}  ${remarks.join('; ')}`.trimEnd(),
    );
  }
  say();
  say(found.isWhole ? 'everything is whole' : `${found.faults.length} faults`);
}

function sayCopied(
  { files, bytes, verification }: Copied,
  { json, verb }: { readonly json: boolean | undefined; readonly verb: string },
): void {
  if (json) sayJson({ files, bytes, verification });
  else {
    say(`${verb.padEnd(8)} ${files} files, ${bytesText(bytes)}`);
    say(verification.isWhole ? 'the copy was read through and is whole' : 'the copy is as damaged as the original');
  }
  failOn(verification);
}

const dayOf = (timeMs: number): string =>
  Math.abs(timeMs) <= 8.64e15 ? new Date(timeMs).toISOString().slice(0, 10) : 'undated';

/** Shows on a terminal how far the work is. */
async function withProgress<T>(
  work: (step: (done: { readonly files: number; readonly of: number }) => void) => Promise<T>,
): Promise<T> {
  const bar = new cliProgress.SingleBar({
    format: '{bar} {value} of {total} files',
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
  });
  let isShown = false;
  try {
    return await work(({ files, of }) => {
      if (!process.stderr.isTTY) return;
      if (!isShown) bar.start(of, 0);
      isShown = true;
      bar.update(files);
    });
  } finally {
    if (isShown) bar.stop();
  }
}
