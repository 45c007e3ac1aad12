// Under which key are unit ids hashed before they reach the log, and where does it live?
import { createHmac, randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AssayError } from '../errors.ts';
import type { UnitHasher } from '../evidence/index.ts';

/** Options of `openUnitHasher`. */
export interface UnitKeyOptions {
  /** The data directory; the key stands in `unit.key` beneath it and is made on first use. */
  readonly directory: string;
  /** `ASSAY_UNIT_KEY` (64 hex digits) or `ASSAY_UNIT_KEY_FILE` (a file that holds them) go before the directory's key. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const keyBytes = 32;
/** Half of the units whose hashes are kept; an id has at most 512 bytes. */
const rememberedUnits = 8192;

/**
 * The hasher of this data directory: the first 64 bits of HMAC-SHA-256 (RFC 2104), hex.
 *
 * Whoever has the log but not the key cannot tell whether an id is in it. A lost key makes old units unrecognisable, nothing else.
 * @throws AssayError `usage-invalid` for a malformed key in the environment.
 * @throws AssayError `file-unreadable`, `data-directory-unusable` when the key can be neither read nor made.
 */
export async function openUnitHasher(options: UnitKeyOptions): Promise<UnitHasher> {
  const key = await readKey(options);
  const hash = (id: string): string => createHmac('sha256', key).update(id, 'utf8').digest('hex').slice(0, 16);
  return { hashUnit: remembering(hash) };
}

/** Units come back, and a hash costs as much as all else that is decided about a request: those seen of late are kept, in memory only. */
function remembering(hash: (id: string) => string): (id: string) => string {
  let recent = new Map<string, string>();
  let before = new Map<string, string>();
  return (id) => {
    const known = recent.get(id);
    if (known !== undefined) return known;
    const made = before.get(id) ?? hash(id);
    if (recent.size >= rememberedUnits) {
      before = recent;
      recent = new Map();
    }
    recent.set(id, made);
    return made;
  };
}

async function readKey({ directory, environment }: UnitKeyOptions): Promise<Buffer> {
  const given = environment.ASSAY_UNIT_KEY;
  if (given !== undefined && given !== '') return parseKey(given, 'ASSAY_UNIT_KEY');
  const file = environment.ASSAY_UNIT_KEY_FILE;
  if (file !== undefined && file !== '') return parseKey(await read(file), file);
  const path = join(directory, 'unit.key');
  try {
    return parseKey(await readFile(path, 'utf8'), path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw unlessOurs(cause, path);
  }
  try {
    await make(path, directory);
  } catch (cause) {
    throw new AssayError('data-directory-unusable', `${path} cannot be written: ${(cause as Error).message}`, {
      cause,
    });
  }
  return parseKey(await read(path), path);
}

/** Whole or not at all, and never over another process's key. */
async function make(path: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const draft = `${path}.${randomBytes(4).toString('hex')}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(`${randomBytes(keyBytes).toString('hex')}\n`);
    await handle.sync();
    await link(draft, path).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EEXIST') throw cause;
    });
  } finally {
    await handle.close();
    await rm(draft, { force: true });
  }
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw unlessOurs(cause, path);
  }
}

function parseKey(text: string, place: string): Buffer {
  const hex = text.trim();
  if (new RegExp(`^[0-9a-fA-F]{${keyBytes * 2}}$`).test(hex)) return Buffer.from(hex, 'hex');
  // The text itself is a secret, even a broken one.
  throw new AssayError('usage-invalid', `${place} has ${hex.length} characters, must be ${keyBytes * 2} hex digits`);
}

function unlessOurs(cause: unknown, path: string): AssayError {
  if (cause instanceof AssayError) return cause;
  return new AssayError('file-unreadable', `${path} cannot be read: ${(cause as Error).message}`, { cause });
}
