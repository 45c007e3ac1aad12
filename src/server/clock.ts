// What time is it, for records and latencies?

/** It never changes, and to ask for it costs as much as the clock itself. */
const originMs = performance.timeOrigin;

/** Epoch milliseconds that never jump with the wall clock: differences of it are latencies. */
export const now = (): number => originMs + performance.now();
