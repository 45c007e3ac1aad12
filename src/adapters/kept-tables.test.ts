import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { AnalysisPlan, NewRecord } from '../evidence/index.ts';
import { metric, outcome, plan, prediction, t0, write } from './analytics-records.fixture.ts';
import { openDuckdbAnalytics } from './duckdb-analytics.ts';
import { eraseUnit } from './evidence-store/erase-unit.ts';
import { sealLogs } from './evidence-store/seal-logs.ts';
import { expectClose } from './expect-close.fixture.ts';

const root = mkdtempSync(join(tmpdir(), 'assay-kept-tables-'));
afterAll(() => rm(root, { recursive: true, force: true }));

const erased = 'feedfacecafebeef';
const named = (predictionId: string) => ({ kind: 'prediction', predictionId }) as const;
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

  it('move a unit to an earlier exposure that comes late, and leave it where it is for a later one', async () => {
    const spent = { name: 'spent', definition: { kind: 'sum', expression: 'outcome.revenue' }, windowMs: 400 } as const;
    const failures = metric('failures', 'failed');
    const paid = (id: string, at: number) =>
      outcome(id, { at, type: 'revenue', value: 3, subject: { kind: 'unit', unit: 'u' } });
    const visit = (id: string, at: number, assigned: string) =>
      prediction(id, { at, assigned, unit: 'u', context: { isNew: assigned === 'a' } });
    count += 1;
    const directory = join(root, String(count));
    const kept = await openDuckdbAnalytics({ directory, keep: true });
    const variantOf = async (records: readonly NewRecord[]): Promise<string | undefined> => {
      await write(directory, [records]);
      const anew = await openDuckdbAnalytics({ directory });
      const asked = plan([spent, failures], { segments: ['isNew'], sensitivity: ['exclude-mixed'] });
      const found = await kept.summarise(asked);
      expectClose(found, await anew.summarise(asked), 'summary', 1e-12);
      await anew.close();
      return found.variants.find(({ units }) => units > 0)?.variant;
    };
    expect(await variantOf([visit('1', 500, 'a'), paid('1', 300)])).toBe('a');
    expect(await variantOf([visit('2', 700, 'b')])).toBe('a');
    expect(await variantOf([visit('3', 200, 'b')])).toBe('b');
    expect(await variantOf([paid('2', 250), visit('4', 900, 'a')])).toBe('b');
    // At the very same moment the order of (writer, sequence) decides, and writers have random names.
    for (let tie = 0; tie < 6; tie += 1) await variantOf([visit(`t${tie}`, 200, tie % 2 === 0 ? 'a' : 'b')]);
    expect(await variantOf([{ ...visit('5', 100, 'a'), reason: 'forced' }, visit('6', 150, 'a')])).toBe('a');
    await kept.close();
  });

  it('give a known unit the outcome that was waiting for a later prediction of it', async () => {
    const spent = { name: 'spent', definition: { kind: 'sum', expression: 'outcome.revenue' }, windowMs: 900 } as const;
    await withState(async ({ directory, ask }) => {
      const visit = (id: string, at: number) => prediction(id, { at, unit: 'u' });
      await write(directory, [
        [visit('10', 0), outcome('early', { at: 300, type: 'revenue', value: 7, subject: named('11') })],
      ]);
      await ask(plan([spent, metric('failures', 'failed')]));
      await write(directory, [[visit('11', 200)]]);
      await ask(plan([spent, metric('failures', 'failed')]));
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
