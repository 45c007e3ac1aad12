import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { limitTime } from './time-limit.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('a time limit', () => {
  it('ends when its time is over, whatever garbage was collected before', async () => {
    const { signal } = limitTime(new AbortController().signal, 100);
    for (let turn = 0; turn < 3; turn += 1) {
      await sleep(10);
      collectGarbage();
    }
    await expect.poll(() => signal.aborted, { timeout: 10_000 }).toBe(true);
    expect((signal.reason as Error).name).toBe('TimeoutError');
  });

  it('ends with the signal that was given, before or after', () => {
    const outer = new AbortController();
    const { signal } = limitTime(outer.signal, 60_000);
    expect(signal.aborted).toBe(false);
    outer.abort('enough');
    expect([signal.aborted, signal.reason]).toEqual([true, 'enough']);
    expect(limitTime(outer.signal, 60_000).signal.aborted).toBe(true);
  });

  it('never ends once it is released', async () => {
    const outer = new AbortController();
    const { signal, release } = limitTime(outer.signal, 20);
    release();
    outer.abort();
    await sleep(60);
    expect(signal.aborted).toBe(false);
  });
});
