// How long may something take that somebody may also call off? One signal for both.

/** A signal, and the end of the waiting. */
export interface TimeLimit {
  /** Aborts when the time is over, or with the signal that was given. */
  readonly signal: AbortSignal;
  /** Lets go of timer and signal; the work is over. */
  release(): void;
}

/**
 * Limits work to `ms` milliseconds and to `outer`. `AbortSignal.any` with a timeout would say the same, but nothing holds that timeout: on Node 20 the
 * next garbage collection takes it, and the time is never over.
 */
export function limitTime(outer: AbortSignal, ms: number): TimeLimit {
  const controller = new AbortController();
  const onTime = (): void => controller.abort(new DOMException(`not done within ${ms} ms`, 'TimeoutError'));
  // A longer timer fires at once.
  const timer = setTimeout(onTime, Math.min(ms, 2 ** 31 - 1));
  const onOuter = (): void => controller.abort(outer.reason);
  const release = (): void => {
    clearTimeout(timer);
    outer.removeEventListener('abort', onOuter);
  };
  controller.signal.addEventListener('abort', release, { once: true });
  if (outer.aborted) onOuter();
  else outer.addEventListener('abort', onOuter, { once: true });
  return { signal: controller.signal, release };
}
