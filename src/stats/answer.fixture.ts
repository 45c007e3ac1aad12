// What do the tests of this folder ask of an answer? That there is one, where its interval ends, and how near it comes.
import { expect } from 'vitest';
import type { Insufficient, Interval } from './interval.ts';

/** Fails unless a number agrees with another one relatively; each file says how well, and may say less in one place. */
export function nearWithin(usual: number): (got: unknown, want: number, tolerance?: number) => void {
  return (got, want, tolerance = usual) => {
    const isSame = got === want;
    if (!isSame) expect(Math.abs((got as number) / want - 1), `${got} against ${want}`).toBeLessThan(tolerance);
  };
}

/** The answer, which must not be "not enough to say". */
export function sure<T>(result: T): Exclude<T, Insufficient | undefined> {
  if (result === undefined) throw new Error('absent');
  const { kind, reason } = result as Partial<Insufficient>;
  if (kind === 'insufficient') throw new Error(reason);
  return result as Exclude<T, Insufficient | undefined>;
}

/** Both ends of an interval, or of an answer's; there must be two. */
export function ends(answer: Interval | { readonly interval: Interval }): [number, number] {
  const interval = 'interval' in answer ? answer.interval : answer;
  if (interval.kind !== 'bounded') throw new Error(interval.kind);
  return [interval.lower, interval.upper];
}
