import { setImmediate as turnEnd } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type LateWriter, writeSoon } from './write-turn.ts';

const written: string[] = [];
const writer = (name: string, then: () => void = () => {}): LateWriter => ({
  writeLate: () => {
    written.push(name);
    then();
  },
});

/** Lets turns pass, the last one with so many writes. */
async function afterTurnWith(writes: number): Promise<void> {
  await turnEnd();
  for (let count = 0; count < writes; count += 1) writeSoon(writer('before'));
  await turnEnd();
  written.length = 0;
}

describe('writes of one turn', () => {
  it('go out at once after a turn with few of them', async () => {
    await afterTurnWith(7);
    writeSoon(writer('a'));
    writeSoon(writer('b'));
    expect(written).toEqual(['a', 'b']);
    await turnEnd();
    expect(written).toEqual(['a', 'b']);
  });

  it('go out together after a turn with many, before the next turn and in the order in which they were asked for', async () => {
    await afterTurnWith(8);
    for (const name of ['a', 'b', 'c']) writeSoon(writer(name));
    expect(written).toEqual([]);
    await turnEnd();
    expect(written).toEqual(['a', 'b', 'c']);
  });

  it('go out when sixteen wait', async () => {
    await afterTurnWith(8);
    for (let count = 0; count < 20; count += 1) writeSoon(writer(String(count)));
    expect(written).toHaveLength(16);
    await turnEnd();
    expect(written).toHaveLength(20);
  });

  it('may lead to more of them', async () => {
    await afterTurnWith(8);
    writeSoon(writer('a', () => writeSoon(writer('b'))));
    await turnEnd();
    await turnEnd();
    expect(written).toEqual(['a', 'b']);
  });

  it('are not kept back by one that throws', async () => {
    await afterTurnWith(8);
    const faults: unknown[] = [];
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (fault) => faults.push(fault));
    for (const name of ['a', 'b', 'c', 'd'])
      writeSoon(
        writer(name, () => {
          if (name === 'b') throw new Error('b broke');
        }),
      );
    for (let turn = 0; turn < 4; turn += 1) await turnEnd();
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
    expect(written).toEqual(['a', 'b', 'c', 'd']);
    expect(faults).toEqual([new Error('b broke')]);
  });
});
