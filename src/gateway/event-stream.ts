// Where does one server-sent event end and the next begin? Cuts a byte stream into events without losing or changing a byte.

/** Longest event that is kept together, bytes; a longer one passes in pieces whose data nobody reads. */
const maxEventBytes = 1024 * 1024;

/** One event, or a piece of one that is too long. */
export interface StreamEvent {
  /** Every byte of it, its blank line included: all `raw` one after another are the stream. */
  readonly raw: Buffer;
  /** Its data lines joined by line feeds; null when it has none. */
  readonly data: string | null;
  /** Where the data stands within `raw`, bytes [from, to), when it is one line. */
  readonly dataAt: { readonly from: number; readonly to: number } | null;
  /** True for what still belongs to the event before: the line feed of a CR LF that was split between chunks. */
  readonly isTail: boolean;
}

/** Cuts chunks into events; lines end with LF, CR LF or CR (WHATWG HTML section 9.2.6). */
export interface EventSplitter {
  /** The events that end within this chunk. */
  push(chunk: Buffer): readonly StreamEvent[];
  /** What is left when the stream ends; null when nothing is. */
  end(): StreamEvent | null;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** A splitter for one stream; O(bytes). */
export function createEventSplitter(): EventSplitter {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let lineBytes = 0;
  let isAfterCr = false;
  /** The event has ended, by a CR; a line feed that follows at once still belongs to it. */
  let mayHaveTail = false;
  let isFirst = true;
  let isTooLong = false;

  const take = (last: Buffer): StreamEvent => {
    const raw = pending.length === 0 ? last : Buffer.concat([...pending, last], pendingBytes + last.length);
    const isUnread = isTooLong || raw.length > maxEventBytes;
    const event = isUnread ? { raw, ...noData } : { raw, ...readData(raw, isFirst), isTail: false };
    pending = [];
    pendingBytes = 0;
    isFirst = false;
    return event;
  };

  return {
    push(chunk) {
      const events: StreamEvent[] = [];
      let start = 0;
      for (let at = 0; at < chunk.length; at += 1) {
        const byte = chunk[at]!;
        if (byte === lineFeed && isAfterCr) {
          isAfterCr = false;
          if (!mayHaveTail) continue;
          mayHaveTail = false;
          if (start === at) {
            // The event left with the chunk before, or just now at this chunk's edge.
            const before = events.pop();
            if (before === undefined) events.push({ raw: chunk.subarray(at, at + 1), ...noData, isTail: true });
            else events.push({ ...before, raw: joined(before.raw, chunk, at) });
            start = at + 1;
          }
          continue;
        }
        mayHaveTail = false;
        isAfterCr = byte === carriageReturn;
        if (byte !== lineFeed && !isAfterCr) {
          lineBytes += 1;
          continue;
        }
        const isBlank = lineBytes === 0;
        lineBytes = 0;
        if (!isBlank) continue;
        events.push(take(chunk.subarray(start, at + 1)));
        start = at + 1;
        isTooLong = false;
        mayHaveTail = isAfterCr;
      }
      if (start < chunk.length) {
        const rest = start === 0 ? chunk : chunk.subarray(start);
        if (isTooLong || pendingBytes + rest.length > maxEventBytes) {
          isTooLong = true;
          events.push(take(rest));
        } else {
          pending.push(rest);
          pendingBytes += rest.length;
        }
      }
      return events;
    },
    end: () => (pendingBytes === 0 ? null : take(Buffer.alloc(0))),
  };
}

const noData = { data: null, dataAt: null, isTail: false };

/** The event with its line feed: both lie side by side in the chunk unless the event began in an earlier one. */
function joined(raw: Buffer, chunk: Buffer, at: number): Buffer {
  const isBeside = raw.buffer === chunk.buffer && raw.byteOffset + raw.length === chunk.byteOffset + at;
  return isBeside
    ? chunk.subarray(at - raw.length, at + 1)
    : Buffer.concat([raw, chunk.subarray(at, at + 1)], raw.length + 1);
}

function readData(raw: Buffer, isFirst: boolean): Pick<StreamEvent, 'data' | 'dataAt'> {
  let found: { readonly from: number; readonly to: number } | null = null;
  let lines: string[] | null = null;
  const hasMark = isFirst && raw.length > 2 && raw[0] === 0xef && raw[1] === 0xbb && raw[2] === 0xbf;
  let from = hasMark ? 3 : 0;
  for (let at = from; at <= raw.length; at += 1) {
    if (at < raw.length && raw[at] !== lineFeed && raw[at] !== carriageReturn) continue;
    const place = dataOf(raw, from, at);
    if (place !== null) {
      if (found !== null) {
        lines ??= [raw.toString('utf8', found.from, found.to)];
        lines.push(raw.toString('utf8', place.from, place.to));
      }
      found = place;
    }
    if (raw[at] === carriageReturn && raw[at + 1] === lineFeed) at += 1;
    from = at + 1;
  }
  if (lines !== null) return { data: lines.join('\n'), dataAt: null };
  return found === null ? noData : { data: raw.toString('utf8', found.from, found.to), dataAt: found };
}

const field = Buffer.from('data');

/** Where the value of a `data` line stands; null for other lines. */
function dataOf(raw: Buffer, from: number, to: number): { readonly from: number; readonly to: number } | null {
  if (to - from < 4 || raw.compare(field, 0, 4, from, from + 4) !== 0) return null;
  if (to - from === 4) return { from: to, to };
  if (raw[from + 4] !== 0x3a) return null;
  return { from: raw[from + 5] === 0x20 && from + 5 < to ? from + 6 : from + 5, to };
}
