import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { metric, outcome, plan } from '../analytics-records.fixture.ts';
import { openDuckdbAnalytics } from '../duckdb-analytics.ts';
import { compactSegments } from './compact-segments.ts';
import { readManifest } from './manifest.ts';
import { sealLogs } from './seal-logs.ts';
import { newDirectory, readAll, removeDirectories, writeLog } from './store-directory.fixture.ts';
import { verifyEvidence } from './verify-evidence.ts';

afterAll(removeDirectories);

// Made once by scripts/make-format-fixture.ts. It is never made again: what it holds must be readable by every version.
const fixture = JSON.parse(await readFile(new URL('./format-1.fixture.json', import.meta.url), 'utf8')) as {
  readonly files: Readonly<Record<string, string>>;
  readonly records: readonly { readonly writer: string; readonly sequence: number }[];
};

describe('a data directory that format 1 left', () => {
  async function unpack(): Promise<string> {
    const directory = newDirectory();
    for (const [path, content] of Object.entries(fixture.files)) {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), Buffer.from(content, 'base64'));
    }
    return directory;
  }
  const byPlace = <T extends { readonly writer: string; readonly sequence: number }>(records: readonly T[]) =>
    [...records].sort((a, b) => (a.writer === b.writer ? a.sequence - b.sequence : a.writer < b.writer ? -1 : 1));

  it('is whole, and every record in it is what it was', async () => {
    const directory = await unpack();
    expect(await verifyEvidence({ directory })).toMatchObject({ isWhole: true });
    expect(await readAll(directory)).toEqual(byPlace(fixture.records));
    expect((await readManifest(directory)).erasures).toHaveLength(1);
  });

  it('is gone on with: written to, sealed, merged and reported on', async () => {
    const directory = await unpack();
    await writeLog(directory, [outcome('5')]);
    await sealLogs({ directory, nowMs: 0 });
    await compactSegments({ directory });
    expect(await readAll(directory)).toHaveLength(fixture.records.length + 2);
    const analytics = await openDuckdbAnalytics({ directory });
    const summary = await analytics.summarise(plan([metric('latency', 'attempt_ms')]));
    await analytics.close();
    expect(summary.variants.map(({ variant, units }) => [variant, units])).toEqual([
      ['a', 2],
      ['b', 0],
    ]);
  });
});
