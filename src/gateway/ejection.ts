// When is a failing variant taken out, and when is it let in again? A state machine for one variant; time and chance are arguments.
import type { Resilience } from '../experiment/index.ts';

/** When a variant is taken out, and for how long. */
export type EjectionRules = NonNullable<Resilience['ejection']>;

/** Where a variant stands. */
export type EjectionState =
  | { readonly kind: 'in' }
  /** @param untilMs epoch milliseconds; from then on one request at a time tries whether it is well again. */
  | { readonly kind: 'ejected'; readonly untilMs: number }
  | { readonly kind: 'probing' };

/** How an attempt ended, as far as the variant's health is concerned. An attempt that was given up says nothing. */
export type AttemptVerdict = 'ok' | 'failed' | 'neutral';

/** What the end of an attempt changed. */
export type EjectionChange = 'none' | 'ejected' | 'ejected-again' | 'readmitted';

/** The ejection of one variant. Every `enter` that is not refused must be followed by one `leave`. */
export interface Ejection {
  /** Whether an attempt may be made now; a `probe` decides over the readmission. */
  enter(nowMs: number): 'normal' | 'probe' | 'refused';
  /** @param end `random` is uniform on [0, 1) and spreads the cool-down, so that several gateways do not probe at once. */
  leave(
    entry: 'normal' | 'probe',
    end: { readonly verdict: AttemptVerdict; readonly nowMs: number; readonly random: () => number },
  ): EjectionChange;
  state(nowMs: number): EjectionState;
}

/** The window is counted in this many slices; an attempt is forgotten between `windowMs` and one slice more. */
const slices = 10;

/** A cool-down is doubled after every failed probe, up to this many times the first. */
const longestCoolDown = 10;

/** Share of a cool-down that is drawn on top of it. */
const jitter = 0.1;

/** A variant that is in, with nothing known about it. */
export function createEjection(rules: EjectionRules): Ejection {
  const sliceMs = rules.windowMs / slices;
  /** Attempts and failures by slice; `number` says which stretch of time a place holds. */
  const window = Array.from({ length: slices + 1 }, () => ({ number: -1, all: 0, failed: 0 }));
  let untilMs: number | null = null;
  let isProbing = false;
  let factor = 1;

  const eject = (nowMs: number, random: () => number): void => {
    untilMs = nowMs + rules.coolDownMs * Math.min(factor, longestCoolDown) * (1 + jitter * random());
    factor *= 2;
  };

  const note = (nowMs: number, isFailure: boolean): void => {
    const number = Math.floor(nowMs / sliceMs);
    const slice = window[number % window.length]!;
    if (slice.number !== number) {
      slice.number = number;
      slice.all = 0;
      slice.failed = 0;
    }
    slice.all += 1;
    if (isFailure) slice.failed += 1;
  };

  const isBeyond = (nowMs: number): boolean => {
    const oldest = Math.floor(nowMs / sliceMs) - slices;
    let all = 0;
    let failed = 0;
    for (const slice of window) {
      if (slice.number < oldest) continue;
      all += slice.all;
      failed += slice.failed;
    }
    return all >= rules.minRequests && failed >= rules.failureRate * all;
  };

  return {
    enter(nowMs) {
      if (untilMs === null) return 'normal';
      if (nowMs < untilMs || isProbing) return 'refused';
      isProbing = true;
      return 'probe';
    },
    leave(entry, { verdict, nowMs, random }) {
      if (entry === 'probe') {
        isProbing = false;
        if (verdict === 'neutral') return 'none';
        if (verdict === 'failed') {
          eject(nowMs, random);
          return 'ejected-again';
        }
        untilMs = null;
        factor = 1;
        for (const slice of window) slice.number = -1;
        return 'readmitted';
      }
      // An attempt that began before the ejection says nothing about the time after it.
      if (untilMs !== null || verdict === 'neutral') return 'none';
      note(nowMs, verdict === 'failed');
      if (verdict === 'ok' || !isBeyond(nowMs)) return 'none';
      eject(nowMs, random);
      return 'ejected';
    },
    state(nowMs) {
      if (untilMs === null) return { kind: 'in' };
      return nowMs < untilMs ? { kind: 'ejected', untilMs } : { kind: 'probing' };
    },
  };
}
