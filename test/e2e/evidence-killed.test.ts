import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { readManifest } from '../../src/adapters/evidence-store/manifest.ts';
import { readEvidence } from '../../src/adapters/evidence-store/read-evidence.ts';
import { sealLogs } from '../../src/adapters/evidence-store/seal-logs.ts';
import { verifyEvidence } from '../../src/adapters/evidence-store/verify-evidence.ts';

const writer = fileURLToPath(new URL('./evidence-writer.mjs', import.meta.url));

/** Ids that a writer printed until it was killed, so many acknowledgements after it began with what `stage` says. */
async function acknowledgedUntilKilled(
  directories: readonly string[],
  moment: { readonly stage: string; readonly acknowledgements: number },
): Promise<readonly string[]> {
  const child = spawn(process.execPath, [writer, '8000', ...directories], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  let left = -1;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
    if (left < 0 && text.includes(moment.stage)) left = moment.acknowledgements;
    else if (left >= 0) left -= text.split('\n').length - 1;
    // By what it did, not by the clock: a slow machine is killed at the same moments.
    if (left < 0 && printed.includes(moment.stage)) child.kill('SIGKILL');
  });
  await new Promise((resolve) => child.on('close', resolve));
  // The last line may be cut off by the kill.
  return printed
    .split('\n')
    .slice(0, -1)
    .filter((line) => line.includes('-'));
}

it('loses and doubles no acknowledged record in 50 kills while logs are written, sealed and merged', async () => {
  const directories: string[] = [];
  for (let count = 0; count < 4; count += 1) directories.push(await mkdtemp(join(tmpdir(), 'assay-killed-')));
  // Two processes at a time, each at work in two directories when it is killed: starting one is most of what a round costs.
  const rounds = 25;
  let segments = 0;
  let merged = 0;
  const lives = [0, 1].map(async (life) => {
    const ours = directories.slice(2 * life, 2 * life + 2);
    const acknowledged: string[] = [];
    for (let round = 0; round < rounds; round += 1)
      acknowledged.push(
        ...(await acknowledgedUntilKilled(ours, {
          // By turns the one directory or the other is hit at this moment, and the other wherever it is then.
          stage: `${(round + life) % 2 === 0 ? 'sealing' : 'merging'} ${(round >> 1) % 2}`,
          acknowledgements: (round * 7 + life * 3) % 13,
        })),
      );
    return [0, 1].map((place) => acknowledged.filter((id) => id.startsWith(`${place}-`)));
  });
  for (const [index, acknowledged] of (await Promise.all(lives)).flat().entries()) {
    const directory = directories[index] as string;
    const found: string[] = [];
    const places = new Set<string>();
    for await (const record of readEvidence(directory)) {
      places.add(`${record.writer}/${record.sequence}`);
      found.push(record.kind === 'outcome' ? record.id : record.kind === 'prediction' ? record.predictionId : '');
    }
    expect(places.size).toBe(found.length);
    const kept = new Set(found);
    expect(kept.size).toBe(found.length);
    expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
    expect(acknowledged.length).toBeGreaterThan(100);
    const { faults } = await verifyEvidence({ directory });
    expect(faults).toEqual([]);
    const manifest = await readManifest(directory);
    segments += manifest.segments.length;
    merged += manifest.segments.filter(({ sources }) => sources.length > 1).length;
    await rm(directory, { recursive: true, force: true });
  }
  // Kills met all the stages.
  expect(segments).toBeGreaterThan(10);
  expect(merged).toBeGreaterThan(0);
}, 300_000);

it('loses nothing when the disk is full in the middle of sealing, and seals when it is not', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'assay-sealing-full-'));
  // Files beyond 7 KB fail with EFBIG, as a full disk fails with ENOSPC: logs fit, merged segments do not.
  const command = `trap '' XFSZ; ulimit -f 7; exec "${process.execPath}" "${writer}" 2000 "${directory}"`;
  const child = spawn('bash', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  let complained = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complained += text;
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect(code).toBe(1);
  expect(complained).toContain('cannot be written');
  const acknowledged = printed.split('\n').filter((line) => line.includes('-'));
  const found = async (): Promise<readonly string[]> => {
    const ids: string[] = [];
    for await (const record of readEvidence(directory))
      ids.push(record.kind === 'outcome' ? record.id : record.kind === 'prediction' ? record.predictionId : '');
    return ids;
  };
  for (const repair of [false, true]) {
    if (repair) await sealLogs({ directory, nowMs: 0 });
    const ids = await found();
    const kept = new Set(ids);
    expect(kept.size).toBe(ids.length);
    expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
    expect((await verifyEvidence({ directory })).faults).toEqual([]);
  }
  expect(acknowledged.length).toBeGreaterThan(20);
  await rm(directory, { recursive: true, force: true });
}, 120_000);
