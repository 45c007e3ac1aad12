import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { metric, plan, prediction, write } from './analytics-records.fixture.ts';
import { openDuckdbAnalytics } from './duckdb-analytics.ts';
import { createStandingSummaries } from './standing-summaries.ts';

const root = mkdtempSync(join(tmpdir(), 'assay-standing-'));
afterAll(() => rm(root, { recursive: true, force: true }));

async function openOn(name: string, promptMs: number) {
  const directory = join(root, name);
  await write(directory, [[prediction('1')]]);
  const openWriters = new Set<string>();
  const analytics = await openDuckdbAnalytics({ directory, keep: true });
  return { directory, standing: createStandingSummaries({ analytics, openWriters, promptMs }) };
}
const asked = plan([metric('latency', 'attempt_ms')]);

describe('a standing summary', () => {
  it('has everything in it while it is made quickly', async () => {
    const { directory, standing } = await openOn('quick', 600_000);
    await standing.summarise(asked);
    await write(directory, [[prediction('2')]]);
    const { summary } = await standing.summarise(asked);
    expect(summary.health).toMatchObject({ predictions: 2 });
    expect(summary.health?.asOfMs).toBeUndefined();
    await standing.close();
  });

  it('is the last one, and says as of when, where making it takes long; the next round brings it up to date', async () => {
    const { directory, standing } = await openOn('slow', 0);
    await standing.summarise(asked);
    await write(directory, [[prediction('2')]]);
    // Asked at once, thus before ten times the time that the first one took.
    const { summary } = await standing.summarise(asked);
    expect(summary.health).toMatchObject({ predictions: 1, asOfMs: asked.nowMs });
    await standing.round();
    expect((await standing.summarise(asked)).summary.health?.predictions).toBe(2);
    await standing.close();
  });

  it('is made anew for another plan of the same experiment', async () => {
    const { standing } = await openOn('changed', 0);
    await standing.summarise(asked);
    const { summary } = await standing.summarise(plan([metric('failures', 'failed')]));
    expect(summary.variants[0]?.metrics).toHaveProperty('failures');
    await standing.close();
  });
});
