// How evidence stands on disk: a header, then frames of length, checksum and a batch of NDJSON lines.
import { crc32 } from 'node:zlib';

/** Magic, version and checksum at the start of every file, bytes. */
export const headerBytes = 16;
/** Length and checksum before every payload, bytes. */
const frameHeadBytes = 8;
/** No payload is longer; a longer length field is a fault. */
export const maxPayloadBytes: number = 32 * 1024 * 1024;
/** Rises when a reader of the old format could misread the new one. */
const formatVersion = 1;
const magic = 'ASSAYLOG';
const openingBrace = 0x7b;
const lineEnd = 0x0a;

/** The first bytes of a file. */
export function encodeHeader(): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.write(magic, 'latin1');
  header.writeUInt32LE(formatVersion, 8);
  header.writeUInt32LE(crc32(header.subarray(0, 12)), 12);
  return header;
}

/** Undefined for a good header, else what is wrong with it, in the grammar "x is y, must be z". */
export function headerFault(
  header: Buffer,
): { readonly code: 'evidence-corrupt' | 'evidence-too-new'; readonly text: string } | undefined {
  const damaged = (text: string) => ({ code: 'evidence-corrupt', text }) as const;
  if (header.toString('latin1', 0, 8) !== magic) return damaged('its first bytes are not those of an evidence log');
  if (header.readUInt32LE(12) !== crc32(header.subarray(0, 12)))
    return damaged('its header does not match its checksum');
  const version = header.readUInt32LE(8);
  if (version === formatVersion) return undefined;
  return { code: 'evidence-too-new', text: `its format version is ${version}, must be ${formatVersion}` };
}

/** One frame. @param payload NDJSON lines, each with its line end; at most `maxPayloadBytes`. */
export function encodeFrame(payload: string): Buffer {
  const length = Buffer.byteLength(payload);
  const frame = Buffer.allocUnsafe(frameHeadBytes + length);
  frame.writeUInt32LE(length, 0);
  // As many bytes as characters: all of them ASCII, and those need no encoder.
  frame.write(payload, frameHeadBytes, length === payload.length ? 'latin1' : 'utf8');
  frame.writeUInt32LE(frameChecksum(frame), 4);
  return frame;
}

/** The checksum covers the length too, so that a wrong length is a wrong frame. */
function frameChecksum(frame: Buffer): number {
  return crc32(frame.subarray(frameHeadBytes), crc32(frame.subarray(0, 4)));
}

/** What stands at a place in a file. */
export type FrameAt =
  | { readonly kind: 'frame'; readonly payload: Buffer; readonly bytes: number }
  /** The bytes end before the frame does. */
  | { readonly kind: 'short'; readonly bytes: number }
  | { readonly kind: 'wrong' };

/** The frame at the start of `bytes`. */
export function frameAt(bytes: Buffer): FrameAt {
  if (bytes.length < frameHeadBytes) return { kind: 'short', bytes: frameHeadBytes };
  const length = bytes.readUInt32LE(0);
  if (length === 0 || length > maxPayloadBytes) return { kind: 'wrong' };
  const end = frameHeadBytes + length;
  if (bytes.length < end) return { kind: 'short', bytes: end };
  if (bytes.readUInt32LE(4) !== frameChecksum(bytes.subarray(0, end))) return { kind: 'wrong' };
  return { kind: 'frame', payload: bytes.subarray(frameHeadBytes, end), bytes: end };
}

/** Offset of the first whole frame that starts after the first byte; undefined when there is none: the bytes are a torn tail. */
export function findFrame(bytes: Buffer): number | undefined {
  // A payload starts with a brace and ends with a line end: few places need a checksum.
  for (
    let brace = bytes.indexOf(openingBrace, frameHeadBytes + 1);
    brace !== -1;
    brace = bytes.indexOf(openingBrace, brace + 1)
  ) {
    const start = brace - frameHeadBytes;
    const end = brace + bytes.readUInt32LE(start);
    if (end > bytes.length || bytes[end - 1] !== lineEnd) continue;
    if (frameAt(bytes.subarray(start)).kind === 'frame') return start;
  }
  return undefined;
}
