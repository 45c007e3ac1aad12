// A variant that fails too often is taken out, tried again one request at a time, and let in when it is well.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEjection, type Ejection, type EjectionRules } from './ejection.ts';

const rules: EjectionRules = { failureRate: 0.5, minRequests: 10, windowMs: 1000, coolDownMs: 5000 };
const start = 1_700_000_000_000;

/** One attempt that begins and ends at the same moment. */
function attempt(ejection: Ejection, verdict: 'ok' | 'failed' | 'neutral', nowMs: number, random = 0) {
  const entry = ejection.enter(nowMs);
  if (entry === 'refused') return 'refused';
  return ejection.leave(entry, { verdict, nowMs, random: () => random });
}

function ejectedAt(nowMs: number): Ejection {
  const ejection = createEjection(rules);
  for (let count = 0; count < 10; count += 1) attempt(ejection, 'failed', nowMs);
  expect(ejection.state(nowMs).kind).toBe('ejected');
  return ejection;
}

describe('a variant is taken out', () => {
  it('with the attempt by which its share of failures reaches the rate, not before', () => {
    const ejection = createEjection(rules);
    const changes = Array.from({ length: 12 }, (_none, at) =>
      attempt(ejection, at % 2 === 0 ? 'ok' : 'failed', start + at),
    );
    expect(changes).toEqual([...Array(9).fill('none'), 'ejected', 'refused', 'refused']);
    expect(ejection.state(start + 12)).toEqual({ kind: 'ejected', untilMs: start + 9 + 5000 });
  });

  it('never for fewer attempts than asked for, however many of them fail', () => {
    const ejection = createEjection(rules);
    for (let at = 0; at < 9; at += 1) expect(attempt(ejection, 'failed', start)).toBe('none');
  });

  it('never for failures that lie outside of the window', () => {
    const ejection = createEjection(rules);
    for (let at = 0; at < 200; at += 1) expect(attempt(ejection, 'failed', start + at * 125)).toBe('none');
    expect(ejection.state(start + 200 * 125)).toEqual({ kind: 'in' });
  });

  it('never for attempts that were given up', () => {
    const ejection = createEjection(rules);
    for (let at = 0; at < 100; at += 1) expect(attempt(ejection, 'neutral', start)).toBe('none');
  });

  it('once only by attempts that were under way together', () => {
    const ejection = createEjection(rules);
    const entries = Array.from({ length: 30 }, () => ejection.enter(start));
    const changes = entries.map((entry) =>
      ejection.leave(entry as 'normal', { verdict: 'failed', nowMs: start + 5, random: () => 0 }),
    );
    expect(changes.filter((change) => change === 'ejected')).toHaveLength(1);
  });
});

describe('an ejected variant', () => {
  it('gets nothing until its cool-down is over, then one probe at a time', () => {
    const ejection = ejectedAt(start);
    expect(ejection.enter(start + 4999)).toBe('refused');
    expect(ejection.enter(start + 5000)).toBe('probe');
    expect(ejection.state(start + 5000)).toEqual({ kind: 'probing' });
    expect(ejection.enter(start + 5001)).toBe('refused');
    expect(ejection.leave('probe', { verdict: 'ok', nowMs: start + 5100, random: () => 0 })).toBe('readmitted');
    expect(ejection.state(start + 5100)).toEqual({ kind: 'in' });
    expect(ejection.enter(start + 5100)).toBe('normal');
  });

  it('is judged afresh after its readmission', () => {
    const ejection = ejectedAt(start);
    expect(attempt(ejection, 'ok', start + 5000)).toBe('readmitted');
    for (let count = 0; count < 9; count += 1) expect(attempt(ejection, 'failed', start + 5001)).toBe('none');
    expect(attempt(ejection, 'failed', start + 5001)).toBe('ejected');
    expect(ejection.state(start + 5001)).toEqual({ kind: 'ejected', untilMs: start + 5001 + 5000 });
  });

  it('stays out twice as long after each failed probe, up to ten times', () => {
    const ejection = ejectedAt(start);
    let nowMs = start + 5000;
    const waits: number[] = [];
    for (let count = 0; count < 6; count += 1) {
      expect(attempt(ejection, 'failed', nowMs)).toBe('ejected-again');
      const state = ejection.state(nowMs);
      if (state.kind !== 'ejected') throw new Error('it must be out');
      waits.push(state.untilMs - nowMs);
      nowMs = state.untilMs;
    }
    expect(waits).toEqual([10_000, 20_000, 40_000, 50_000, 50_000, 50_000]);
  });

  it('gets up to a tenth of its cool-down on top, by chance', () => {
    const ejection = createEjection(rules);
    for (let count = 0; count < 10; count += 1) attempt(ejection, 'failed', start, 0.5);
    expect(ejection.state(start)).toEqual({ kind: 'ejected', untilMs: start + 5250 });
  });

  it('waits for the next probe when one was given up', () => {
    const ejection = ejectedAt(start);
    expect(attempt(ejection, 'neutral', start + 5000)).toBe('none');
    expect(attempt(ejection, 'ok', start + 5001)).toBe('readmitted');
  });

  it('learns nothing from attempts that began before it was taken out', () => {
    const ejection = createEjection(rules);
    const early = ejection.enter(start);
    for (let count = 0; count < 10; count += 1) attempt(ejection, 'failed', start);
    expect(ejection.leave(early as 'normal', { verdict: 'ok', nowMs: start + 5000, random: () => 0 })).toBe('none');
    expect(ejection.enter(start + 4000)).toBe('refused');
  });
});

describe('whatever happens', () => {
  const step = fc.record({
    waitMs: fc.integer({ min: 0, max: 3000 }),
    verdict: fc.constantFrom('ok', 'failed', 'neutral'),
    holdMs: fc.integer({ min: 0, max: 4000 }),
  });

  it('at most one probe is under way, nobody enters during a cool-down, and the variant can always come back', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const ejection = createEjection({ failureRate: 0.3, minRequests: 3, windowMs: 2000, coolDownMs: 1000 });
        let nowMs = start;
        let underWay: { entry: 'normal' | 'probe'; endsMs: number; verdict: 'ok' | 'failed' | 'neutral' }[] = [];
        const endDue = (): void => {
          for (const each of underWay.filter(({ endsMs }) => endsMs <= nowMs))
            ejection.leave(each.entry, { verdict: each.verdict, nowMs, random: () => 0.5 });
          underWay = underWay.filter(({ endsMs }) => endsMs > nowMs);
        };
        for (const { waitMs, verdict, holdMs } of steps) {
          nowMs += waitMs;
          endDue();
          const before = ejection.state(nowMs);
          const entry = ejection.enter(nowMs);
          if (before.kind === 'ejected') expect(entry).toBe('refused');
          if (before.kind === 'in') expect(entry).toBe('normal');
          if (entry !== 'refused') underWay.push({ entry, endsMs: nowMs + holdMs, verdict });
          expect(underWay.filter((each) => each.entry === 'probe').length).toBeLessThanOrEqual(1);
        }
        nowMs += 60_000;
        endDue();
        const after = ejection.state(nowMs);
        nowMs = after.kind === 'ejected' ? after.untilMs : nowMs;
        const entry = ejection.enter(nowMs);
        expect(entry).not.toBe('refused');
        ejection.leave(entry as 'normal', { verdict: 'ok', nowMs, random: () => 0 });
        expect(ejection.state(nowMs)).toEqual({ kind: 'in' });
      }),
    );
  });
});
