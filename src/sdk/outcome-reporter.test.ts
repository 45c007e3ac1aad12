import { describe, expect, it } from 'vitest';
import { AssayError, type ErrorCode } from '../errors.ts';
import type { OutcomeInput } from './client.ts';
import { createOutcomeReporter, type OutcomeReporter, type OutcomeReporterOptions } from './outcome-reporter.ts';

interface Rig {
  readonly reporter: OutcomeReporter;
  readonly batches: (readonly OutcomeInput[])[];
  readonly faults: [string, readonly OutcomeInput[]][];
}

/** A reporter whose server answers as told. */
function rig(
  answer: (batch: readonly OutcomeInput[], tries: number) => ErrorCode | undefined,
  options: Partial<OutcomeReporterOptions> = {},
): Rig {
  const batches: (readonly OutcomeInput[])[] = [];
  const faults: [string, readonly OutcomeInput[]][] = [];
  const reporter = createOutcomeReporter({
    client: {
      reportOutcomes: async (batch) => {
        batches.push(batch);
        const code = answer(batch, batches.length);
        if (code !== undefined) throw new AssayError(code, 'no');
        return { accepted: batch.length };
      },
    },
    maxDelayMs: 5,
    maxPauseMs: 5,
    onFault: (fault, dropped) => faults.push([fault.code, dropped]),
    ...options,
  });
  return { reporter, batches, faults };
}

const click = (id: string) => ({ id, type: 'click', value: true, unit: 'u' });
const idsOf = (batches: readonly (readonly OutcomeInput[])[]): readonly string[] =>
  batches.flatMap((batch) => batch.map(({ id }) => id));

describe('an outcome reporter', () => {
  it('collects what comes, sends it together, and names and dates what has no id and no time', async () => {
    const { reporter, batches } = rig(() => undefined);
    for (let at = 0; at < 3; at += 1) expect(reporter.report({ type: 'click', value: true, unit: 'u' })).toBe(true);
    expect(await reporter.close()).toBe(0);
    expect(batches).toHaveLength(1);
    expect(new Set(idsOf(batches)).size).toBe(3);
    expect(batches[0]?.[0]).toMatchObject({ id: expect.stringMatching(/^[0-9a-f]{32}$/), time: expect.any(Number) });
    expect(reporter.status()).toEqual({ waiting: 0, sent: 3, dropped: 0 });
  });

  it('sends by itself when the time is up or the batch is full', async () => {
    const { reporter, batches } = rig(() => undefined, { maxBatch: 2 });
    const arrived = (count: number) => expect.poll(() => idsOf(batches).length).toBe(count);
    reporter.report(click('1'));
    await arrived(1);
    for (const id of ['2', '3', '4']) reporter.report(click(id));
    await arrived(4);
    expect(batches.every(({ length }) => length <= 2)).toBe(true);
    await reporter.close();
  });

  it('sends the same ids again until the server is back', async () => {
    const { reporter, batches, faults } = rig((_, tries) => (tries < 4 ? 'evidence-not-durable' : undefined));
    reporter.report(click('1'));
    await reporter.flush();
    expect(idsOf(batches)).toEqual(['1', '1', '1', '1']);
    expect(faults).toEqual(Array.from({ length: 3 }, () => ['evidence-not-durable', []]));
    expect(reporter.status()).toEqual({ waiting: 0, sent: 1, dropped: 0 });
  });

  it('gives up only the outcome that is wrong, not its neighbours', async () => {
    const isWrong = (batch: readonly OutcomeInput[]) =>
      batch.some(({ id }) => id === '5') ? ('outcome-invalid' as const) : undefined;
    const { reporter, faults } = rig(isWrong);
    for (let id = 0; id < 10; id += 1) reporter.report(click(String(id)));
    await reporter.flush();
    expect(reporter.status()).toEqual({ waiting: 0, sent: 9, dropped: 1 });
    expect(faults).toMatchObject([['outcome-invalid', [{ id: '5' }]]]);
  });

  it('drops what is too much, and says at the end what it could not send', async () => {
    const { reporter } = rig(() => 'server-unreachable', { maxQueue: 2, maxPauseMs: 60_000 });
    expect(['1', '2', '3'].map((id) => reporter.report(click(id)))).toEqual([true, true, false]);
    void reporter.flush();
    expect(await reporter.close()).toBe(2);
    expect(reporter.report(click('4'))).toBe(false);
    expect(reporter.status()).toEqual({ waiting: 2, sent: 0, dropped: 2 });
  });
});
