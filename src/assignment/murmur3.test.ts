import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { murmur3 } from './murmur3.ts';

// Made by vectors.fixture.py, an implementation in Python that first checks itself against published values.
const vectors = JSON.parse(readFileSync(new URL('./vectors.fixture.json', import.meta.url), 'utf8')) as {
  readonly hashes: readonly { readonly text: string; readonly seed: number; readonly hash: number }[];
};

describe('murmur3', () => {
  it('agrees with the vectors of the independent Python implementation', () => {
    expect(vectors.hashes.length).toBeGreaterThan(50);
    for (const { text, seed, hash } of vectors.hashes)
      expect([text, seed, murmur3(text, seed)]).toEqual([text, seed, hash]);
  });

  it('agrees with published values of MurmurHash3_x86_32', () => {
    // https://en.wikipedia.org/wiki/MurmurHash#Test_vectors
    expect(murmur3('', 1)).toBe(0x514e28b7);
    expect(murmur3('', 0xffffffff)).toBe(0x81f16f39);
    expect(murmur3('test', 0x9747b28c)).toBe(0x704b81dc);
    expect(murmur3('Hello, world!', 0x9747b28c)).toBe(0x24884cba);
    expect(murmur3('The quick brown fox jumps over the lazy dog', 0x9747b28c)).toBe(0x2fa826cd);
  });

  it('hashes the UTF-8 bytes of any text', () => {
    // The runtime's own encoder and a hash written over its bytes are the reference here.
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(0xffffffff), (text, seed) => {
        expect(murmur3(text, seed)).toBe(hashBytes(new TextEncoder().encode(text), seed));
      }),
      { numRuns: 1000 },
    );
  });

  it('counts every lone surrogate as U+FFFD', () => {
    expect(murmur3('a\ud800b', 7)).toBe(murmur3('a\ufffdb', 7));
    expect(murmur3('\udc00\ud800', 7)).toBe(murmur3('\ufffd\ufffd', 7));
    expect(murmur3('end\ud83e', 7)).toBe(murmur3('end\ufffd', 7));
  });

  it('gives an integer in [0, 2^32) for every seed', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(0xffffffff), (text, seed) => {
        const hash = murmur3(text, seed);
        expect(Number.isInteger(hash) && hash >= 0 && hash < 2 ** 32).toBe(true);
      }),
    );
  });
});

// With BigInt, so that no 32-bit trick of the implementation under test is repeated.
function hashBytes(bytes: Uint8Array, seed: number): number {
  const mask = 0xffffffffn;
  let h = BigInt(seed);
  for (let index = 0; index < bytes.length; index += 4) {
    let k = 0n;
    for (const [place, byte] of bytes.slice(index, index + 4).entries()) k |= BigInt(byte) << BigInt(8 * place);
    k = (k * 0xcc9e2d51n) & mask;
    k = ((k << 15n) | (k >> 17n)) & mask;
    h ^= (k * 0x1b873593n) & mask;
    if (index + 4 <= bytes.length) h = ((((h << 13n) | (h >> 19n)) & mask) * 5n + 0xe6546b64n) & mask;
  }
  h ^= BigInt(bytes.length);
  h = ((h ^ (h >> 16n)) * 0x85ebca6bn) & mask;
  h = ((h ^ (h >> 13n)) * 0xc2b2ae35n) & mask;
  return Number(h ^ (h >> 16n));
}
