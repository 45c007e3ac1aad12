// What must every control log keep, wherever it lives? One suite, run by the tests of each implementation.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AssayError } from '../errors.ts';
import { parseExperimentFile } from '../experiment/index.ts';
import { type ControlEvent, type ControlLog, type ControlLogEntry, digestOf } from './index.ts';

/** One place that can hold a log: `open` gives it, and gives the same one again after a close where it outlasts that. */
export interface ControlLogPlace {
  open(now: () => number): Promise<ControlLog>;
}

const experiment = parseExperimentFile(`
apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: one}
spec:
  route: {model: m}
  unit: request
  control: a
  variants:
    - {name: a, weight: 1, upstream: {url: "http://127.0.0.1:1"}}
    - {name: b, weight: 1, upstream: {url: "http://127.0.0.1:2"}}
`);

/** An event to append in tests; `reason` tells it from others. */
export function sampleEvent(reason: string): ControlEvent {
  return { kind: 'create', author: 'ann', reason, namespace: 'default', experiment: 'one', specification: experiment };
}

/** Declares the suite for one implementation; `makePlace` gives a fresh, empty place. */
export function testControlLog(name: string, makePlace: () => Promise<ControlLogPlace>): void {
  describe(`${name} keeps the contract of a control log`, () => {
    let log: ControlLog;
    let clock: number;
    beforeEach(async () => {
      clock = 1000;
      log = await (await makePlace()).open(() => clock++);
    });
    afterEach(() => log.close());

    test('an empty log holds nothing', async () => {
      expect(await log.read()).toEqual([]);
    });

    test('what is appended is read back in order, numbered, timed and chained', async () => {
      for (const [index, reason] of ['first', 'second ü ✓ "quoted"\nline', 'third'].entries())
        await log.append(sampleEvent(reason), index);
      const entries = await log.read();
      expect(entries.map(({ revision, timeMs }) => [revision, timeMs])).toEqual([
        [1, 1000],
        [2, 1001],
        [3, 1002],
      ]);
      expect(entries.map((entry) => entry.event)).toEqual(
        ['first', 'second ü ✓ "quoted"\nline', 'third'].map(sampleEvent),
      );
      let previous = '0'.repeat(64);
      for (const { hash, ...body } of entries) {
        expect(body.previous).toBe(previous);
        expect(hash).toBe(digestOf(body));
        previous = hash;
      }
    });

    test('append gives the entry that is read back', async () => {
      const entry: ControlLogEntry = await log.append(sampleEvent('first'), 0);
      expect(await log.read()).toEqual([entry]);
    });

    test('an append by somebody who has not seen the last entry is refused and leaves no trace', async () => {
      await log.append(sampleEvent('first'), 0);
      for (const stale of [0, 2]) {
        const refused = log.append(sampleEvent('late'), stale);
        await expect(refused).rejects.toThrow(AssayError);
        await expect(refused).rejects.toMatchObject({ code: 'revision-conflict', retryable: true });
      }
      expect((await log.read()).length).toBe(1);
      expect((await log.append(sampleEvent('second'), 1)).revision).toBe(2);
    });

    test('of appends at once with one expected revision, exactly one wins', async () => {
      const results = await Promise.allSettled(
        Array.from({ length: 10 }, (_, i) => log.append(sampleEvent(`rival ${i}`), 0)),
      );
      expect(results.filter((result) => result.status === 'fulfilled').length).toBe(1);
      expect((await log.read()).length).toBe(1);
    });

    test('what the caller does to its event afterwards does not reach the log', async () => {
      const event = { ...sampleEvent('before') };
      await log.append(event, 0);
      (event as { reason: string }).reason = 'after';
      expect((await log.read())[0]?.event.reason).toBe('before');
    });
  });
}
