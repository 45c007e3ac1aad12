// What every evidence log must do, whatever it keeps its records in: one suite, run by each implementation's test.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AssayError } from '../errors.ts';
import type { EvidenceLog } from './ports.ts';
import type { LogRecord, NewRecord } from './record.ts';

/** One log under test and a way to read back what reached it. */
export interface LogUnderTest {
  readonly log: EvidenceLog;
  read(): Promise<readonly LogRecord[]>;
  cleanUp(): Promise<void>;
}

/** A valid outcome record. */
export function outcomeRecord(id: string): NewRecord {
  return {
    kind: 'outcome',
    id,
    timeMs: 1_700_000_000_000,
    receivedMs: 1_700_000_000_500,
    namespace: 'default',
    type: 'label',
    value: true,
    subject: { kind: 'prediction', predictionId: `p-${id}` },
    attributes: { source: 'täglich', nested: [1, null] },
  };
}

/** Runs the suite. @param open an empty, open log. */
export function describeEvidenceLog(name: string, open: () => Promise<LogUnderTest>): void {
  describe(`${name} as an evidence log`, () => {
    let test: LogUnderTest;
    beforeEach(async () => {
      test = await open();
    });
    afterEach(() => test.cleanUp());

    const idsOf = (records: readonly LogRecord[]): readonly string[] =>
      records.flatMap((record) => (record.kind === 'outcome' ? [record.id] : []));

    it('keeps a record as it was given, with its envelope', async () => {
      await test.log.appendDurable([outcomeRecord('a')]);
      expect(await test.read()).toEqual([
        { v: 1, writer: test.log.status().writer, sequence: 1, ...outcomeRecord('a') },
      ]);
    });

    it('numbers records from 1 in the order of both kinds of append', async () => {
      test.log.append([outcomeRecord('a'), outcomeRecord('b')]);
      await test.log.appendDurable([outcomeRecord('c')]);
      test.log.append([outcomeRecord('d')]);
      await test.log.close();
      const records = await test.read();
      expect(idsOf(records)).toEqual(['a', 'b', 'c', 'd']);
      expect(records.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5]);
    });

    it('is not changed by what the caller does to a record afterwards', async () => {
      const record = { ...outcomeRecord('a'), attributes: { tries: 1 } } as {
        attributes: { tries: number };
      } & NewRecord;
      test.log.append([record]);
      record.attributes.tries = 2;
      await test.log.close();
      expect((await test.read())[0]).toMatchObject({ attributes: { tries: 1 } });
    });

    it('ends with a writer-end record when it is closed, once', async () => {
      await test.log.appendDurable([outcomeRecord('a')]);
      await test.log.close();
      await test.log.close();
      const kinds = (await test.read()).map(({ kind }) => kind);
      expect(kinds).toEqual(['outcome', 'writer-end']);
    });

    it('takes nothing after it was closed, and says so', async () => {
      await test.log.close();
      test.log.append([outcomeRecord('a')]);
      const refused = await test.log.appendDurable([outcomeRecord('b')]).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(AssayError);
      expect((refused as AssayError).code).toBe('evidence-not-durable');
      expect(test.log.status().lost).toBe(2);
      expect(idsOf(await test.read())).toEqual([]);
    });

    it('counts what it was given and what is durable', async () => {
      await Promise.all([test.log.appendDurable([outcomeRecord('a')]), test.log.appendDurable([outcomeRecord('b')])]);
      expect(test.log.status()).toMatchObject({ appended: 2, durable: 2, lost: 0, fault: null });
    });

    it('never throws from append: a record that is no JSON is counted as lost', async () => {
      const circular: Record<string, unknown> = {};
      circular.self = circular;
      test.log.append([{ ...outcomeRecord('a'), attributes: circular } as unknown as NewRecord]);
      await test.log.appendDurable([outcomeRecord('b')]);
      await test.log.close();
      expect(test.log.status().lost).toBe(1);
      expect(idsOf(await test.read())).toEqual(['b']);
    });

    it('acknowledges an empty append at once', async () => {
      await test.log.appendDurable([]);
      expect(test.log.status().appended).toBe(0);
    });
  });
}
