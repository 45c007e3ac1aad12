import { describe, expect, it } from 'vitest';
import { unreadyReasons } from './health.ts';

const sound = { log: { fault: null }, serving: [], loop: { lateMs: 0 } };

describe('readiness', () => {
  it('has no reason against a server whose parts all work', () => {
    expect(unreadyReasons(sound)).toEqual([]);
    expect(unreadyReasons({ ...sound, loop: { lateMs: 9_000 } })).toEqual([]);
  });

  it('names every part that does not', () => {
    expect(
      unreadyReasons({
        log: { fault: 'the disk is full' },
        serving: ['no gateway worker serves'],
        loop: { lateMs: 61_000 },
      }),
    ).toEqual([
      'the disk is full',
      'no gateway worker serves',
      'the decision loop last ticked 61 s too long ago, so no guardrail is watched',
    ]);
    expect(unreadyReasons({ ...sound, serving: null })).toEqual(['the gateway does not listen yet']);
  });
});
