import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { AnalysisPlan } from '../evidence/index.ts';
import { metric, outcome, plan, prediction, t0, write } from './analytics-records.fixture.ts';
import { openDuckdbAnalytics } from './duckdb-analytics.ts';
import { eraseUnit } from './evidence-store/erase-unit.ts';
import { sealLogs } from './evidence-store/seal-logs.ts';
import { expectClose } from './expect-close.fixture.ts';

const root = mkdtempSync(join(tmpdir(), 'assay-kept-tables-'));
afterAll(() => rm(root, { recursive: true, force: true }));

const erased = 'feedfacecafebeef';
let count = 0;
/** Asks for each plan of a state file that outlives every question, and compares with an engine that knows nothing. */
async function withState(
  use: (it: { readonly directory: string; readonly ask: (asked: AnalysisPlan) => Promise<number> }) => Promise<void>,
): Promise<void> {
  count += 1;
  const directory = join(root, String(count));
  await write(directory, [
    [
      prediction('1', { unit: erased }),
      prediction('2', { assigned: 'b', prediction: 0 }),
      prediction('3', { at: 5_000 }),
      outcome('1'),
      outcome('2', { at: 900 }),
    ],
  ]);
  await use({
    directory,
    ask: async (asked) => {
      const kept = await openDuckdbAnalytics({ directory, stateFile: join(root, `${count}.duckdb`) });
      const anew = await openDuckdbAnalytics({ directory });
      const found = await kept.summarise(asked);
      expectClose(found, await anew.summarise(asked), 'summary', 1e-12);
      await kept.close();
      await anew.close();
      return found.health?.predictions ?? 0;
    },
  });
}
const accuracy = metric('accuracy', 'prediction == outcome.label', 500);

describe('kept tables', () => {
  it('follow a plan that changes', async () => {
    await withState(async ({ ask }) => {
      await ask(plan([accuracy]));
      await ask(plan([{ ...accuracy, windowMs: 2_000 }]));
      await ask(plan([accuracy, metric('latency', 'attempt_ms')], { segments: ['new_unit'] }));
      const more = plan([accuracy]);
      await ask({ ...more, epochs: [...more.epochs, { epoch: 2, shares: { a: 0.1, b: 0.9 } }] });
    });
  });

  it('follow a clock that is set back', async () => {
    await withState(async ({ ask }) => {
      expect(await ask(plan([accuracy], { nowMs: t0 + 100_000 }))).toBe(3);
      expect(await ask(plan([accuracy], { nowMs: t0 + 1_000 }))).toBe(2);
      expect(await ask(plan([accuracy], { nowMs: t0 + 100_000 }))).toBe(3);
    });
  });

  it('answer a question that was overtaken as the one before it', async () => {
    await withState(async ({ directory }) => {
      const kept = await openDuckdbAnalytics({ directory, keep: true });
      const later = await kept.summarise(plan([accuracy], { nowMs: t0 + 5_400 }));
      expect(await kept.summarise(plan([accuracy], { nowMs: t0 + 4_900 }))).toEqual(later);
      await kept.close();
    });
  });

  it('forget who was erased', async () => {
    await withState(async ({ directory, ask }) => {
      expect(await ask(plan([accuracy]))).toBe(3);
      await sealLogs({ directory, nowMs: t0 });
      expect(await ask(plan([accuracy]))).toBe(3);
      await eraseUnit({ directory, unit: erased, nowMs: t0 });
      expect(await ask(plan([accuracy]))).toBe(2);
      await write(directory, [[prediction('4')]]);
      expect(await ask(plan([accuracy]))).toBe(3);
    });
  });
});
