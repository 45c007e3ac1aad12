import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../stats/index.ts';
import { type CellUnits, splitCells } from './split-cells.ts';

const hourMs = 3_600_000;
const begin = Date.parse('2026-11-20T00:00:00Z');
const even = { everyMs: hourMs, variants: ['a', 'b'], epochs: [{ epoch: 1, shares: { a: 0.5, b: 0.5 } }] };

/** Units of one place: once as a part of the whole, once more under the segment. */
function rows(a: number, b: number, where: Partial<CellUnits> & { readonly page?: string } = {}): readonly CellUnits[] {
  const { page, ...rest } = where;
  const place = { atMs: begin, epoch: 1, revision: 1, ...rest };
  const cuts = page === undefined ? [] : [{ segment: 'page', value: page }];
  return [{ segment: '', value: '' }, ...cuts].flatMap((cut) => [
    { ...place, ...cut, variant: 'a', units: a },
    { ...place, ...cut, variant: 'b', units: b },
  ]);
}

function groupsOf(found: ReturnType<typeof splitCells>): Extract<typeof found.groups, readonly unknown[]> {
  if ('kind' in found.groups) throw new Error(found.groups.reason);
  return found.groups;
}

describe('where the split is off', () => {
  it('is the page and the hour that lose units, before those that lose none', () => {
    const found = splitCells(
      [
        ...rows(100, 100, { page: 'home' }),
        ...rows(98, 104, { page: 'cart' }),
        ...rows(101, 99, { page: 'home', atMs: begin + hourMs, revision: 2 }),
        ...rows(110, 30, { page: 'cart', atMs: begin + hourMs, revision: 2 }),
      ],
      even,
    );
    const groups = groupsOf(found);
    expect(groups.map(({ by, judged, off }) => [by, judged, off])).toEqual([
      ['time', 2, 1],
      ['segment', 2, 1],
      ['revision', 2, 1],
      ['crossed', 4, 1],
    ]);
    expect(groups.at(-1)?.cells[0]).toMatchObject({
      at: '2026-11-20T01:00:00.000Z',
      revision: 2,
      segment: 'page',
      value: 'cart',
      variants: [
        { variant: 'a', units: 110, expectedShare: 0.5 },
        { variant: 'b', units: 30, expectedShare: 0.5 },
      ],
      isOff: true,
    });
    expect(found.finding).toBe(
      'Off in 1 of 2 stretches of time. Off where page is cart; as declared where page is home. ' +
        'Off where the revision is 2; as declared where the revision is 1.',
    );
  });

  it('has the p-value of Pearson’s chi-squared, as that of the worst of all judged cells', () => {
    // scipy.stats.chisquare([30, 70]).pvalue = 6.334248366623996e-05; one cell by time and one by revision: Holm doubles it.
    const [time] = groupsOf(splitCells(rows(30, 70), even));
    expect(time?.cells[0]?.pValue).toBeCloseTo(2 * 6.334248366623996e-5, 12);
  });

  it('leaves cells to the whole whose smallest expected count is below 5', () => {
    const found = splitCells([...rows(50, 50), ...rows(9, 0, { atMs: begin + hourMs })], even);
    expect(groupsOf(found)[0]).toMatchObject({ by: 'time', judged: 1, tooFew: 1, off: 0 });
    expect(found.finding).toBe('None of 2 parts is off by itself.');
    expect(splitCells(rows(4, 5), even).finding).toBe('No part has enough units to be judged by itself.');
  });

  it('expects of several allocations together what each of them asked for', () => {
    const epochs = [...even.epochs, { epoch: 2, shares: { a: 0.9, b: 0.1 } }];
    const found = splitCells([...rows(100, 100), ...rows(180, 20, { epoch: 2 })], { ...even, epochs });
    expect(groupsOf(found)[0]?.cells[0]?.variants).toEqual([
      { variant: 'a', units: 280, share: 0.7, expectedShare: 0.7 },
      { variant: 'b', units: 120, share: 0.3, expectedShare: 0.3 },
    ]);
  });

  it('marks units of a variant that no allocation gives any', () => {
    const found = splitCells([...rows(50, 50), { ...rows(1, 0)[0]!, variant: 'ghost' }], even);
    expect(groupsOf(found)[0]?.cells[0]).toMatchObject({ pValue: 0, isOff: true });
    expect(found.finding).toBe('It is off as a whole; there is nothing yet to tell its parts apart by.');
  });

  it('says so before anybody came', () => {
    expect(splitCells([], even)).toMatchObject({ judged: 0, groups: { kind: 'insufficient' } });
  });

  it('raises an alarm in far fewer than 1 of 100 sound experiments', () => {
    const random = createRandom(8);
    const draw = (): readonly CellUnits[] => {
      const units = 40 + random.integer(100);
      const b = Array.from({ length: units }, () => (random.uniform() < 0.5 ? 1 : 0)).reduce(
        (sum: number, x) => sum + x,
        0,
      );
      return rows(units - b, b, { page: `p${random.integer(4)}`, atMs: begin + random.integer(6) * hourMs });
    };
    const alarms = Array.from({ length: 400 }, () =>
      groupsOf(splitCells(Array.from({ length: 12 }, draw).flat(), even)).some(({ off }) => off > 0),
    ).filter(Boolean).length;
    // Promised: 0.001. P(more than 4 of 400) = 6e-5 then.
    expect(alarms).toBeLessThanOrEqual(4);
  });

  it('counts every unit once in each group, whatever came', () => {
    const unit = fc.record({
      hour: fc.integer({ min: 0, max: 3 }),
      page: fc.constantFrom('x', 'y'),
      revision: fc.constantFrom(1, 2),
      a: fc.integer({ min: 10, max: 300 }),
      b: fc.integer({ min: 10, max: 300 }),
    });
    fc.assert(
      fc.property(fc.array(unit, { minLength: 1, maxLength: 20 }), (all) => {
        const found = splitCells(
          all.flatMap(({ a, b, hour, ...place }) => rows(a, b, { ...place, atMs: begin + hour * hourMs })),
          even,
        );
        const total = all.reduce((sum, { a, b }) => sum + a + b, 0);
        for (const { cells } of groupsOf(found)) {
          const counted = cells.flatMap(({ variants }) => variants.map(({ units }) => units));
          expect(counted.reduce((sum, units) => sum + units, 0)).toBe(total);
          const pValues = cells.map(({ pValue }) => pValue);
          expect(pValues).toEqual(pValues.toSorted((x, y) => x - y));
        }
      }),
    );
  });
});
