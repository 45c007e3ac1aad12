import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { outcome } from '../adapters/analytics-records.fixture.ts';
import { createCountingObserver } from '../adapters/counting-observer.ts';
import {
  filesIn,
  newDirectory,
  openLog,
  readAll,
  removeDirectories,
  writeLog,
} from '../adapters/evidence-store/store-directory.fixture.ts';
import { type RetentionSettings, startEvidenceUpkeep } from './evidence-upkeep.ts';

afterAll(removeDirectories);

function upkeepOf(directory: string, retention: RetentionSettings = {}, shipSealed?: () => Promise<void>) {
  const observer = createCountingObserver({ now: Date.now });
  const told: string[] = [];
  const events: unknown[] = [];
  const upkeep = startEvidenceUpkeep({
    directory,
    observer,
    retention,
    ...(shipSealed === undefined ? {} : { shipSealed }),
    longestWindowMs: () => 1_000,
    tell: (sentence, { name, fields }) => {
      told.push(sentence);
      events.push([name, fields]);
    },
  });
  return { upkeep, observer, told, events };
}

describe('the upkeep of a running server', () => {
  it('seals what is closed and leaves what is being written', async () => {
    const directory = newDirectory();
    await writeLog(directory, [outcome('1')]);
    const log = await openLog(directory);
    await log.appendDurable([outcome('2')]);
    const { upkeep } = upkeepOf(directory);
    await upkeep.round();
    expect((await filesIn(directory, 'log')).filter((name) => name.endsWith('.log'))).toHaveLength(1);
    expect(await filesIn(directory, 'seg')).toHaveLength(2);
    await log.appendDurable([outcome('3')]);
    await log.close();
    expect((await readAll(directory)).filter(({ kind }) => kind === 'outcome')).toHaveLength(3);
    await upkeep.close();
  });

  it('leaves logs alone that go to another server', async () => {
    const directory = newDirectory();
    await writeLog(directory, [outcome('1')]);
    let rounds = 0;
    const { upkeep } = upkeepOf(directory, {}, async () => {
      rounds += 1;
    });
    await upkeep.round();
    await upkeep.close();
    expect(rounds).toBe(2);
    expect(await filesIn(directory, 'log')).toHaveLength(1);
  });

  it('lets old evidence go, says so, and says when more may not go', async () => {
    const directory = newDirectory();
    await writeLog(directory, [outcome('old')]);
    await writeLog(directory, [outcome('young', { receivedMs: Date.now() })]);
    const { upkeep, told, events, observer } = upkeepOf(directory, { keepMs: 86_400_000, maxBytes: 1 });
    await upkeep.round();
    await upkeep.close();
    expect(told).toEqual([expect.stringMatching(/^retention: \d+ records in \d+ bytes have gone$/)]);
    expect(events).toEqual([['evidence-removed', { records: expect.any(Number), bytes: expect.any(Number) }]]);
    expect((await readAll(directory)).flatMap((record) => (record.kind === 'outcome' ? [record.id] : []))).toEqual([
      'young',
    ]);
    expect(observer.faults()).toEqual([expect.objectContaining({ message: expect.stringContaining('bytes more') })]);
  });

  it('keeps every log while segments cannot be written, says why, and goes on when they can', async () => {
    const directory = newDirectory();
    await writeLog(directory, [outcome('1')]);
    await mkdir(join(directory, 'seg'));
    await writeFile(join(directory, 'seg', 'outcomes'), 'in the way');
    const { upkeep, observer } = upkeepOf(directory);
    await upkeep.round();
    expect(observer.faults()).toEqual([
      expect.objectContaining({
        code: 'data-directory-unusable',
        message: expect.stringContaining('evidence could not be sealed'),
      }),
    ]);
    expect(await readAll(directory)).toHaveLength(2);
    await rm(join(directory, 'seg', 'outcomes'));
    await upkeep.round();
    await upkeep.close();
    expect(await readAll(directory)).toHaveLength(2);
    expect(await readdir(join(directory, 'log'))).toEqual([]);
  });
});
