import { createHmac } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openUnitHasher } from './unit-key.ts';

describe('the unit key', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'assay-key-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('is made on first use, readable by its owner only, and stays', async () => {
    const first = await openUnitHasher({ directory: join(directory, 'data'), environment: {} });
    const path = join(directory, 'data', 'unit.key');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(directory, 'data'))).toEqual(['unit.key']);
    const second = await openUnitHasher({ directory: join(directory, 'data'), environment: {} });
    expect(second.hashUnit('alice')).toBe(first.hashUnit('alice'));
    expect(first.hashUnit('alice')).toMatch(/^[0-9a-f]{16}$/);
    expect(first.hashUnit('alice')).not.toBe(first.hashUnit('bob'));
  });

  it('gives the first 64 bits of HMAC-SHA-256, agreeing with RFC 4231 test case 2', async () => {
    const key = Buffer.alloc(32);
    key.write('Jefe');
    // HMAC pads keys with zeros to the block length, so the RFC's key "Jefe" and this one are the same.
    const environment = { ASSAY_UNIT_KEY: key.toString('hex') };
    const hasher = await openUnitHasher({ directory, environment });
    expect(hasher.hashUnit('what do ya want for nothing?')).toBe('5bdcc146bf60754e');
    expect(await readdir(directory)).toEqual([]);
  });

  it('can come from a file of secrets', async () => {
    const file = join(directory, 'secret');
    await writeFile(file, `${'ab'.repeat(32)}\n`);
    const hasher = await openUnitHasher({ directory, environment: { ASSAY_UNIT_KEY_FILE: file } });
    const expected = createHmac('sha256', Buffer.from('ab'.repeat(32), 'hex'))
      .update('ü')
      .digest('hex')
      .slice(0, 16);
    expect(hasher.hashUnit('ü')).toBe(expected);
  });

  it('is one key for processes that start together', async () => {
    const hashers = await Promise.all(Array.from({ length: 8 }, () => openUnitHasher({ directory, environment: {} })));
    expect(new Set(hashers.map((hasher) => hasher.hashUnit('alice'))).size).toBe(1);
  });

  it('refuses a malformed key without repeating it', async () => {
    const opened = openUnitHasher({ directory, environment: { ASSAY_UNIT_KEY: 'secret' } });
    await expect(opened).rejects.toMatchObject({
      code: 'usage-invalid',
      message: 'ASSAY_UNIT_KEY has 6 characters, must be 64 hex digits',
    });
    await writeFile(join(directory, 'unit.key'), 'torn');
    await expect(openUnitHasher({ directory, environment: {} })).rejects.toThrow('must be 64 hex digits');
  });

  it('names the file that cannot be read or written', async () => {
    const file = join(directory, 'none');
    const unreadable = openUnitHasher({ directory, environment: { ASSAY_UNIT_KEY_FILE: file } });
    await expect(unreadable).rejects.toMatchObject({ code: 'file-unreadable' });
    await writeFile(file, '');
    const unusable = openUnitHasher({ directory: join(file, 'below'), environment: {} });
    await expect(unusable).rejects.toThrow(join(file, 'below', 'unit.key'));
    expect((await readFile(file, 'utf8')).length).toBe(0);
  });
});
