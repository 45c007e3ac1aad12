// What every engine of its own process must give: what was delivered when it was killed is in it once, and what goes here goes there.
import { afterAll, expect, it } from 'vitest';
import type { Analytics, NewRecord } from '../evidence/index.ts';
import { metric, outcome, plan, prediction, t0 } from './analytics-records.fixture.ts';
import { openDuckdbAnalytics } from './duckdb-analytics.ts';
import { type AnalyticsEngine, createEngineAnalytics } from './engine-analytics.ts';
import { eraseUnit } from './evidence-store/erase-unit.ts';
import { sealLogs } from './evidence-store/seal-logs.ts';
import { newDirectory, openLog, removeDirectories } from './evidence-store/store-directory.fixture.ts';
import { expectClose } from './expect-close.fixture.ts';

/** A database server that a test may kill. */
export interface EngineServer {
  readonly url: string;
  start(): Promise<void>;
  /** As a crash would end it. */
  kill(): Promise<void>;
  /** Kills it and removes its files. */
  remove(): Promise<void>;
}

/** Tests of how evidence gets into an engine. @param open the engine in a place of its own; the same name gives the same place. */
export function deliveryContract(server: () => EngineServer, open: (name: string) => Promise<AnalyticsEngine>): void {
  afterAll(removeDirectories);
  const asked = plan([metric('latency', 'attempt_ms'), metric('label', 'outcome.label')]);

  it('has every record once after it was killed in the middle of a delivery', async () => {
    const directory = newDirectory();
    await append(directory, recordsFrom(0));
    await sealLogs({ directory, nowMs: t0 });
    await append(directory, recordsFrom(500));
    for (const killedAt of [1, 3, 7]) {
      await append(directory, recordsFrom(1_000 * killedAt));
      const engine = await open('killed');
      let deliveries = 0;
      const analytics = createEngineAnalytics({
        directory,
        batchRows: 100,
        engine: {
          ...engine,
          deliver: async (delivery) => {
            deliveries += 1;
            const delivering = engine.deliver(delivery);
            if (deliveries === killedAt) await Promise.all([server().kill(), delivering.catch(() => undefined)]);
            return delivering;
          },
        },
      });
      await expect(analytics.catchUp()).rejects.toMatchObject({ code: 'analysis-failed', retryable: true });
      await server().start();
      // The same analytics finds its server again.
      await analytics.catchUp();
      await expectSame(analytics, directory);
      await analytics.close();
    }
    const later = createEngineAnalytics({ directory, engine: await open('killed') });
    expect(await later.catchUp()).toEqual({ records: 0 });
    await later.close();
  }, 120_000);

  it('forgets what is erased, and only that', async () => {
    const directory = newDirectory();
    await append(directory, recordsFrom(0));
    const analytics = createEngineAnalytics({ directory, engine: await open('erased') });
    await expectSame(analytics, directory);
    await sealLogs({ directory, nowMs: t0 });
    expect(await analytics.catchUp()).toEqual({ records: 0 });
    await eraseUnit({ directory, unit: unitOf(1), nowMs: t0 });
    await expectSame(analytics, directory);
    const { variants } = await analytics.summarise(asked);
    expect(variants.reduce((sum, { units }) => sum + units, 0)).toBe(49);
    await analytics.close();
  }, 60_000);

  async function expectSame(analytics: Analytics, directory: string): Promise<void> {
    const reference = await openDuckdbAnalytics({ directory });
    const found = await analytics.summarise(asked);
    expectClose(found, await reference.summarise(asked));
    await reference.close();
  }
}

function unitOf(number: number): string {
  return number.toString(16).padStart(16, '0');
}

/** 500 predictions of 50 units, each with its outcome. */
function recordsFrom(start: number): readonly NewRecord[] {
  return Array.from({ length: 500 }, (_, place) => start + place).flatMap((number) => [
    prediction(`p${number}`, {
      at: number,
      unit: unitOf(number % 50),
      assigned: number % 2 === 0 ? 'a' : 'b',
      attempts: [{ variant: number % 2 === 0 ? 'a' : 'b', status: 200, latencyMs: number % 97, error: null }],
    }),
    outcome(`o${number}`, {
      at: number + 5,
      subject: { kind: 'prediction', predictionId: `p${number}` },
      value: number % 3,
    }),
  ]);
}

async function append(directory: string, records: readonly NewRecord[]): Promise<void> {
  const log = await openLog(directory);
  for (let start = 0; start < records.length; start += 50) await log.appendDurable(records.slice(start, start + 50));
  await log.close();
}
