// What stands where in a protocol buffers message? Walks and changes top-level fields as bytes, so that nothing else of a message is read or written anew.

/** Wire type of a field: 0 varint, 1 eight bytes, 2 bytes with their length before them, 5 four bytes. */
type WireType = 0 | 1 | 2 | 5;

/** One field where it stands. */
export interface WireField {
  readonly number: number;
  readonly type: WireType;
  /** Where its tag begins. */
  readonly start: number;
  /** Its value, [from, to); a length before it is not part of it. */
  readonly from: number;
  readonly to: number;
}

/**
 * The top-level fields of a message in the order in which they stand; null when the bytes are no sound message. Groups,
 * which no message of the protocol has, count as unsound.
 */
export function readFields(bytes: Buffer): readonly WireField[] | null {
  const fields: WireField[] = [];
  let at = 0;
  while (at < bytes.length) {
    const start = at;
    const tag = readVarint(bytes, at);
    if (tag === null || tag.high !== 0) return null;
    const number = tag.low >>> 3;
    const type = tag.low & 7;
    if (number === 0) return null;
    let from = tag.next;
    let to: number;
    if (type === 2) {
      const length = readVarint(bytes, from);
      if (length === null || length.high !== 0) return null;
      from = length.next;
      to = from + length.low;
    } else if (type === 0) {
      const value = readVarint(bytes, from);
      if (value === null) return null;
      to = value.next;
    } else if (type === 1) to = from + 8;
    else if (type === 5) to = from + 4;
    else return null;
    if (to > bytes.length) return null;
    fields.push({ number, type, start, from, to });
    at = to;
  }
  return fields;
}

/** A varint of up to 64 bits. */
export interface Varint {
  /** The lower and the upper 32 bits, each unsigned. */
  readonly low: number;
  readonly high: number;
  /** Where the next byte stands. */
  readonly next: number;
}

/** The varint at `at`; null when it does not end within ten bytes or the buffer. */
export function readVarint(bytes: Buffer, at: number): Varint | null {
  let low = 0;
  let high = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = bytes[at];
    if (byte === undefined) return null;
    at += 1;
    const bits = byte & 0x7f;
    if (shift < 28) low |= bits << shift;
    else if (shift === 28) {
      low |= (bits & 0x0f) << 28;
      high |= bits >>> 4;
    } else high |= bits << (shift - 32);
    if (byte < 0x80) return { low: low >>> 0, high: high >>> 0, next: at };
  }
  return null;
}

/** The text of a field; the last one counts where it stands several times. Empty where it stands nowhere. */
export function textField(bytes: Buffer, fields: readonly WireField[], number: number): string {
  const field = fields.findLast((each) => each.number === number && each.type === 2);
  return field === undefined ? '' : bytes.toString('utf8', field.from, field.to);
}

/** A field that holds a text or bytes. */
export function bytesField(number: number, value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

/** A field that holds a small number, or true as 1. */
export function numberField(number: number, value: number): Buffer {
  return Buffer.concat([varint(number * 8), varint(value)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/**
 * The message with some text fields set, put first in the order of their numbers; an empty text leaves the field out, as
 * proto3 does. All other bytes stay as they are. Null for unsound messages.
 */
export function setTextFields(bytes: Buffer, texts: ReadonlyMap<number, string>): Buffer | null {
  const fields = readFields(bytes);
  if (fields === null) return null;
  const parts: Buffer[] = [];
  for (const [number, text] of [...texts].sort(([a], [b]) => a - b)) {
    if (text !== '') parts.push(bytesField(number, text));
  }
  let from = 0;
  for (const field of fields) {
    if (!texts.has(field.number)) continue;
    if (field.start > from) parts.push(bytes.subarray(from, field.start));
    from = field.to;
  }
  if (from < bytes.length) parts.push(bytes.subarray(from));
  return Buffer.concat(parts);
}

const prefixBytes = 5;

/** A message as it stands in a stream: not compressed, its length before it. */
export function frameMessage(message: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(prefixBytes + message.length);
  framed.writeUInt8(0, 0);
  framed.writeUInt32BE(message.length, 1);
  message.copy(framed, prefixBytes);
  return framed;
}

/** The messages of a stream; what is left of one that is cut off is passed over. */
export function unframeMessages(bytes: Buffer): readonly Buffer[] {
  const messages: Buffer[] = [];
  let at = 0;
  while (at + prefixBytes <= bytes.length) {
    const end = at + prefixBytes + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) break;
    messages.push(bytes.subarray(at + prefixBytes, end));
    at = end;
  }
  return messages;
}
