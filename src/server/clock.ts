// What time is it, for records and latencies?

/** Epoch milliseconds that never jump with the wall clock: differences of it are latencies. */
export const now = (): number => performance.timeOrigin + performance.now();
