// When do small writes go to their sockets? At once with little to do, together at the end of a turn of the event loop under load: the
// other sides are woken once for several of them, and to wake a sleeping process is what a write costs most.

/** Something with a write to do. */
export interface LateWriter {
  /** Writes now; a socket that has gone is passed over. */
  writeLate(): void;
}

/** With fewer writes than this in a turn nobody waits for the others: wakings are then rare anyway, and time is what counts. */
const fewWrites = 8;

/** Nobody waits for more writes of others than this. */
const mostWaiting = 16;

let waiting: LateWriter[] = [];
let isScheduled = false;
let writesOfTurn = 0;
let writesOfLastTurn = 0;

/** Has `writer` write before the event loop waits again, in the order of these calls; at once where there is little to write. */
export function writeSoon(writer: LateWriter): void {
  writesOfTurn += 1;
  if (!isScheduled) {
    isScheduled = true;
    setImmediate(onTurnEnd);
  }
  if (writesOfLastTurn < fewWrites) writer.writeLate();
  else if (waiting.push(writer) >= mostWaiting) writeAll();
}

function onTurnEnd(): void {
  isScheduled = false;
  writesOfLastTurn = writesOfTurn;
  writesOfTurn = 0;
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
    for (const writer of writers.slice(next)) setImmediate(() => writer.writeLate());
  }
}
