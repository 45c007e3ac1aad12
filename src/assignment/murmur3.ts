// The one hash of assignment: text -> uint32, the same in every process, browser and port.

/** Size of the bucket space: buckets are integers in [0, 2^32). */
export const bucketCount = 4294967296;

const c1 = 0xcc9e2d51;
const c2 = 0x1b873593;

/**
 * MurmurHash3_x86_32 of the UTF-8 form of `text`: an integer in [0, 2^32).
 *
 * Lone surrogates count as U+FFFD, as in every UTF-8 encoder of the web platform.
 * @param seed integer in [0, 2^32).
 * @see https://github.com/aappleby/smhasher, MurmurHash3.cpp, MurmurHash3_x86_32.
 */
export function murmur3(text: string, seed: number): number {
  const length = text.length;
  const whole = length & ~3;
  let hash = seed | 0;
  let seen = 0;
  let index = 0;
  // Ids are nearly always ASCII, and then a char is a byte; the first other char sends the text to the encoder.
  for (; index < whole; index += 4) {
    const a = text.charCodeAt(index);
    const b = text.charCodeAt(index + 1);
    const c = text.charCodeAt(index + 2);
    const d = text.charCodeAt(index + 3);
    seen |= a | b | c | d;
    hash = mixBlock(hash, a | (b << 8) | (c << 16) | (d << 24));
  }
  let tail = 0;
  for (let shift = 0; index < length; index += 1, shift += 8) {
    const unit = text.charCodeAt(index);
    seen |= unit;
    tail |= unit << shift;
  }
  if (seen > 127) return murmur3Bytes(utf8Bytes(text), seed);
  return finish(hash ^ scramble(tail), length);
}

function murmur3Bytes(bytes: readonly number[], seed: number): number {
  const length = bytes.length;
  const whole = length & ~3;
  let hash = seed | 0;
  let index = 0;
  for (; index < whole; index += 4) {
    hash = mixBlock(
      hash,
      bytes[index]! | (bytes[index + 1]! << 8) | (bytes[index + 2]! << 16) | (bytes[index + 3]! << 24),
    );
  }
  let tail = 0;
  for (let shift = 0; index < length; index += 1, shift += 8) tail |= bytes[index]! << shift;
  return finish(hash ^ scramble(tail), length);
}

function scramble(block: number): number {
  const k = Math.imul(block, c1);
  return Math.imul((k << 15) | (k >>> 17), c2);
}

function mixBlock(hash: number, block: number): number {
  const h = hash ^ scramble(block);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(hash: number, byteLength: number): number {
  let h = hash ^ byteLength;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

// By hand, because TextEncoder allocates twice and this folder depends on nothing.
function utf8Bytes(text: string): readonly number[] {
  const bytes: number[] = [];
  for (let index = 0; index < text.length; index += 1) {
    let point = text.codePointAt(index)!;
    if (point > 0xffff) index += 1;
    else if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 63));
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
    else bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 63), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
  }
  return bytes;
}
