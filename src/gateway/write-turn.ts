// When do small writes go to their sockets? Together at the end of a turn of the event loop: the other sides are woken once for
// several of them, and to wake a sleeping process is what a write costs most.

/** Something with a write to do. */
export interface LateWriter {
  /** Writes now; a socket that has gone is passed over. */
  writeLate(): void;
}

/** Nobody waits for more writes of others than this. */
const mostWaiting = 16;

let waiting: LateWriter[] = [];
let isScheduled = false;

/** Has `writer` write before the event loop waits again, in the order of these calls. */
export function writeSoon(writer: LateWriter): void {
  waiting.push(writer);
  if (waiting.length >= mostWaiting) writeAll();
  else if (!isScheduled) {
    isScheduled = true;
    setImmediate(onTurnEnd);
  }
}

function onTurnEnd(): void {
  isScheduled = false;
  writeAll();
}

function writeAll(): void {
  const writers = waiting;
  waiting = [];
  let next = 0;
  try {
    while (next < writers.length) writers[next++]!.writeLate();
  } finally {
    // One that throws must not silence those behind it.
    if (next < writers.length) for (const writer of writers.slice(next)) writeSoon(writer);
  }
}
