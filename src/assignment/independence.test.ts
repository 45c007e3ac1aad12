// The statistical proof of docs/decisions/0002-assignment-hash.md: ids, salts and limits are fixed, so it never flickers.
import { beforeAll, describe, expect, it } from 'vitest';
import { allocate } from './allocation.ts';
import { assign, prepareAssignment } from './assignment.ts';
import { type UnitIdKind, unitIdKinds } from './unit-ids.fixture.ts';

// R: qchisq(1e-3, c(1, 3), lower = FALSE).
const critical1 = 10.82756617;
const critical3 = 16.2662362;
// R: qchisq(1e-3 / 1104, df = 225, lower = FALSE); 276 pairs x 4 kinds of ids = 1104 tables.
const criticalTable = 341.1415046;
// R: qnorm(1e-3 / 2208 / 2, lower = FALSE); 1104 pairs x 2 shares = 2208 scores.
const criticalScore = 5.045262752;

const salts = [
  ...['exp-1', 'exp-2', 'exp-11', 'a', 'b', 'A', 'ns1', 'ns2'],
  ...['default/exp-1', 'default/exp-2', 'größe-1', 'größe-2'],
];

const prepared = (salt: string, coverage: number, weights: readonly number[]) =>
  prepareAssignment({
    salt,
    coverage,
    control: '0',
    variants: weights.map((_, index) => ({ name: `${index}` })),
    unit: { sources: [{ kind: 'header' }], orElse: 'control' },
    allocation: { kind: 'fixed', ranges: allocate(weights.map((weight, index) => ({ variant: `${index}`, weight }))) },
  });

describe.each(unitIdKinds)('$kind ids', ({ makeId }: UnitIdKind) => {
  it('meet their shares over a million units', () => {
    const count = 1_000_000;
    const weights = [70, 20, 7, 3];
    const rule = prepared('default/exp-1', 0.25, weights);
    const seen = new Float64Array(weights.length);
    let covered = 0;
    for (let index = 0; index < count; index += 1) {
      const answer = assign(rule, makeId(index));
      if (answer.reason !== 'split') continue;
      covered += 1;
      seen[Number(answer.variant)]! += 1;
    }
    const coverageStatistic = (covered - count * 0.25) ** 2 / (count * 0.25 * 0.75);
    expect(coverageStatistic).toBeLessThan(critical1);
    const expected = weights.map((weight) => (covered * weight) / 100);
    const statistic = expected.reduce((sum, value, index) => sum + (seen[index]! - value) ** 2 / value, 0);
    expect(statistic).toBeLessThan(critical3);
  });

  describe('over all pairs of coverage and split of twelve experiments with like names', () => {
    const count = 100_000;
    let streams: readonly Uint32Array[] = [];

    beforeAll(() => {
      const rules = salts.map((salt) => prepared(salt, 1, [1, 1]));
      const coverage = salts.map(() => new Uint32Array(count));
      const split = salts.map(() => new Uint32Array(count));
      for (let index = 0; index < count; index += 1) {
        const id = makeId(index);
        for (const [place, rule] of rules.entries()) {
          const answer = assign(rule, id);
          coverage[place]![index] = answer.coverageBucket!;
          split[place]![index] = answer.splitBucket!;
        }
      }
      streams = [...coverage, ...split];
    });

    it('give independent 16 x 16 tables', () => {
      const sixteenths = streams.map((stream) => Uint8Array.from(stream, (bucket) => bucket >>> 28));
      let worst = 0;
      forAllPairs(sixteenths, (x, y) => {
        worst = Math.max(worst, independenceStatistic(x, y));
      });
      expect(worst).toBeLessThan(criticalTable);
    });

    it('keep P(B < 0.1 | A < 0.1) and P(B < 0.01 | A < 0.01) where they belong', () => {
      for (const share of [0.1, 0.01]) {
        const inside = streams.map((stream) => Uint8Array.from(stream, (bucket) => Number(bucket < share * 2 ** 32)));
        let worst = 0;
        forAllPairs(inside, (x, y) => {
          worst = Math.max(worst, Math.abs(jointScore(x, y)));
        });
        expect(worst).toBeLessThan(criticalScore);
      }
    });
  });
});

describe('the measure itself', () => {
  it('condemns FNV-1a of the id with the name behind it, modulo 1000', () => {
    const streams = ['exp-1', 'exp-2'].map((name) =>
      Uint32Array.from({ length: 100_000 }, (_, index) => fnv1a(`${index}${name}`) % 1000),
    );
    const [x, y] = streams.map((stream) => Uint8Array.from(stream, (bucket) => Number(bucket < 100)));
    expect(Math.abs(jointScore(x!, y!))).toBeGreaterThan(5 * criticalScore);
    const [a, b] = streams.map((stream) => Uint8Array.from(stream, (bucket) => (bucket * 16) / 1000));
    expect(independenceStatistic(a!, b!)).toBeGreaterThan(5 * criticalTable);
  });
});

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}

function forAllPairs(columns: readonly Uint8Array[], visit: (x: Uint8Array, y: Uint8Array) => void): void {
  for (const [index, x] of columns.entries()) for (const y of columns.slice(index + 1)) visit(x, y);
}

/** Pearson's chi-squared of independence over a 16 x 16 table: 225 degrees of freedom. */
function independenceStatistic(x: Uint8Array, y: Uint8Array): number {
  const cells = new Float64Array(256);
  for (let index = 0; index < x.length; index += 1) cells[x[index]! * 16 + y[index]!]! += 1;
  const rows = new Float64Array(16);
  const columns = new Float64Array(16);
  for (const [cell, seen] of cells.entries()) {
    rows[cell >> 4]! += seen;
    columns[cell & 15]! += seen;
  }
  let statistic = 0;
  for (const [cell, seen] of cells.entries()) {
    const expected = (rows[cell >> 4]! * columns[cell & 15]!) / x.length;
    statistic += (seen - expected) ** 2 / expected;
  }
  return statistic;
}

/** How many standard deviations the joint count lies from what independence expects, margins given. */
function jointScore(x: Uint8Array, y: Uint8Array): number {
  let [inX, inY, inBoth] = [0, 0, 0];
  for (let index = 0; index < x.length; index += 1) {
    inX += x[index]!;
    inY += y[index]!;
    inBoth += x[index]! & y[index]!;
  }
  const expected = (inX * inY) / x.length;
  return (inBoth - expected) / Math.sqrt(expected * (1 - inX / x.length) * (1 - inY / x.length));
}
