import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { Analytics, NewRecord } from '../../evidence/index.ts';
import { metric, outcome, plan, prediction } from '../analytics-records.fixture.ts';
import { openDuckdbAnalytics } from '../duckdb-analytics.ts';
import { compactSegments } from './compact-segments.ts';
import { sealedThrough } from './manifest.ts';
import { takeSnapshot } from './read-evidence.ts';
import { sealLogs } from './seal-logs.ts';
import { newDirectory, openLog, removeDirectories } from './store-directory.fixture.ts';
import { verifyEvidence } from './verify-evidence.ts';

afterAll(removeDirectories);

/** Every prediction is a unit of its own with one outcome, so that one that is missing or there twice shows in the numbers. */
function recordsFrom(first: number, count: number): readonly NewRecord[] {
  return Array.from({ length: count }, (_, place) => {
    const id = `${first + place}`;
    return [prediction(id, { unit: id.padStart(16, '0') }), outcome(id)];
  }).flat();
}

const asked = plan([metric('accuracy', 'prediction == outcome.label')]);

describe('a reader that opens a directory while it is written, sealed and merged', () => {
  it('misses no acknowledged record and counts none twice, whatever moves on meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            count: fc.integer({ min: 1, max: 40 }),
            next: fc.constantFrom('roll', 'seal', 'seal', 'merge', 'nothing'),
          }),
          { minLength: 12, maxLength: 24 },
        ),
        async (steps) => {
          const directory = newDirectory();
          // Folders of writers long gone: listing takes a while, in which something moves on.
          for (let gone = 0; gone < 300; gone += 1)
            await mkdir(join(directory, 'log', gone.toString(16).padStart(16, '0')), { recursive: true });
          const log = await openLog(directory);
          let appended = 0;
          let acknowledged = 0;
          const append = async (count: number): Promise<void> => {
            const records = recordsFrom(appended, count);
            appended += count;
            await log.appendDurable(records);
            acknowledged = appended;
          };
          await append(3);
          let isWriting = true;
          const writing = (async () => {
            for (const { count, next } of steps) {
              await append(count);
              if (next !== 'nothing') await log.roll();
              if (next === 'seal' || next === 'merge') await sealLogs({ directory, nowMs: 0, batchBytes: 2_000 });
              if (next === 'merge') await compactSegments({ directory });
            }
          })().finally(() => {
            isWriting = false;
          });
          const ask = async (analytics: Analytics): Promise<void> => {
            const before = acknowledged;
            const { variants, health } = await analytics.summarise(asked);
            const units = variants.reduce((sum, variant) => sum + variant.units, 0);
            expect(health?.predictions).toBe(units);
            expect(health?.outcomes).toMatchObject({ joined: units, duplicates: 0, orphans: 0 });
            expect(units).toBeGreaterThanOrEqual(before);
            expect(units).toBeLessThanOrEqual(appended);
          };
          const following = await openDuckdbAnalytics({ directory, keep: true });
          const readings = (async () => {
            do {
              const opened = await openDuckdbAnalytics({ directory });
              await ask(opened);
              await opened.close();
              await ask(following);
              expect(await verifyEvidence({ directory })).toMatchObject({ isWhole: true });
            } while (isWriting);
          })();
          // Asked far more often than a report could be: what is sealed and what is not meet without a gap or an overlap.
          const { writer } = log.status();
          const snapshots = (async () => {
            do {
              const before = 2 * acknowledged;
              const { manifest, files } = await takeSnapshot(directory);
              const sealed = sealedThrough(manifest, writer);
              const next = Math.min(...files.map(({ first }) => first));
              if (files.length === 0) expect(sealed).toBeGreaterThanOrEqual(before);
              else expect(next).toBe(sealed + 1);
            } while (isWriting);
          })();
          await Promise.all([writing, readings, snapshots]);
          await ask(following);
          expect(acknowledged).toBe(appended);
          await following.close();
          await log.close();
        },
      ),
      { numRuns: 2, interruptAfterTimeLimit: 60_000 },
    );
  }, 120_000);
});
