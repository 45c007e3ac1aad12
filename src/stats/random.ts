// Where does chance come from, when the same seed must give the same story for ever?
import { refuse, requireCount } from './precondition.ts';

/** A seeded source of chance. Not for secrets. */
export interface Random {
  /** In [0, 1), 53 random bits. */
  uniform(): number;
  /** Standard normal. @see Marsaglia & Bray 1964 (polar method) */
  normal(): number;
  /** Whole number in 0..below-1, without modulo bias. @throws RangeError unless below is in 1..2^32 */
  integer(below: number): number;
  /** An independent source named after its purpose; unaffected by what was drawn here. */
  stream(name: string): Random;
}

/**
 * A generator whose whole sequence is given by its seed.
 * Algorithm: sfc32 (Doty-Humphrey, PractRand 0.9), state = four FNV-1a hashes of "seed/stream" finished with
 * murmur3's mixer, 15 outputs thrown away; a stream's state hashes the longer name, so streams do not share sequences.
 */
export function createRandom(seed: number | string): Random {
  if (typeof seed === 'number' && !Number.isFinite(seed)) refuse('seed', seed, 'finite');
  return fromName(String(seed));
}

function fromName(name: string): Random {
  let a = hash(name, 0x811c9dc5);
  let b = hash(name, 0x9e3779b9);
  let c = hash(name, 0x85ebca6b);
  let counter = hash(name, 0xc2b2ae35);
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 15; i += 1) next();
  const uniform = (): number => ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992;
  let spare: number | undefined;
  return {
    uniform,
    normal: () => {
      if (spare !== undefined) {
        const value = spare;
        spare = undefined;
        return value;
      }
      for (;;) {
        const x = 2 * uniform() - 1;
        const y = 2 * uniform() - 1;
        const square = x * x + y * y;
        if (square >= 1 || square === 0) continue;
        const factor = Math.sqrt((-2 * Math.log(square)) / square);
        spare = y * factor;
        return x * factor;
      }
    },
    integer: (below) => {
      requireCount('below', below);
      if (below < 1 || below > 4294967296) refuse('below', below, 'in 1..2^32');
      const limit = 4294967296 - (4294967296 % below);
      for (;;) {
        const value = next();
        if (value < limit) return value % below;
      }
    },
    stream: (child) => fromName(`${name}/${child}`),
  };
}

/** FNV-1a over UTF-16 code units from the given basis, then murmur3's finaliser. */
function hash(text: string, basis: number): number {
  let h = basis;
  for (let i = 0; i < text.length; i += 1) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
}
