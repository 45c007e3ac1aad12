import { setImmediate as turnEnd } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type LateWriter, writeSoon } from './write-turn.ts';

describe('writes of one turn', () => {
  const written: string[] = [];
  const writer = (name: string, then: () => void = () => {}): LateWriter => ({
    writeLate: () => {
      written.push(name);
      then();
    },
  });

  it('go out before the next turn, in the order in which they were asked for', async () => {
    written.length = 0;
    for (const name of ['a', 'b', 'c']) writeSoon(writer(name));
    expect(written).toEqual([]);
    await turnEnd();
    expect(written).toEqual(['a', 'b', 'c']);
  });

  it('go out at once when sixteen wait', async () => {
    written.length = 0;
    for (let count = 0; count < 20; count += 1) writeSoon(writer(String(count)));
    expect(written).toHaveLength(16);
    await turnEnd();
    expect(written).toHaveLength(20);
  });

  it('may lead to more of them', async () => {
    written.length = 0;
    writeSoon(writer('a', () => writeSoon(writer('b'))));
    await turnEnd();
    await turnEnd();
    expect(written).toEqual(['a', 'b']);
  });

  it('are not kept back by one that throws', async () => {
    written.length = 0;
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
    await turnEnd();
    await turnEnd();
    await turnEnd();
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
    expect(written).toEqual(['a', 'b', 'c', 'd']);
    expect(faults).toEqual([new Error('b broke')]);
  });
});
