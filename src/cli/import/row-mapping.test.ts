import { describe, expect, it } from 'vitest';
import { cellText, cellTime, cellValue, mapRows } from './row-mapping.ts';

const target = {
  members: ['id', 'predictionId', 'unit', 'row'],
  prefixes: ['attributes.'],
  alternatives: ['predictionId', 'unit'],
  onlyMapped: ['row'],
};
const table = { path: 'x.csv', columns: ['id', 'prediction_id', 'unit', 'row', 'shop'] };

describe('a cell', () => {
  it('is a number, a truth value or text as it is written', () => {
    const read = ['1', '-2.5e3', '.5', '0', 'TRUE', 'false', '007', '1.', '', '+', 'a1', 3, null].map((cell) =>
      cellValue(cell),
    );
    expect(read).toEqual([1, -2500, 0.5, 0, true, false, '007', '1.', '', '+', 'a1', 3, null]);
    expect([cellText(17), cellText('17'), cellText(undefined)]).toEqual(['17', '17', undefined]);
  });

  it('is a time in the ways warehouses write it, UTC where no zone stands', () => {
    const same = [
      '2026-11-22 10:15:00',
      '2026-11-22T10:15:00Z',
      '2026-11-22 10:15:00 UTC',
      '2026-11-22 11:15:00+01',
      '2026-11-22 11:15+0100',
      1_795_342_500,
      '1795342500',
      1_795_342_500_000,
    ].map((cell) => new Date(cellTime(cell) as string | number).toISOString());
    expect(new Set(same)).toEqual(new Set(['2026-11-22T10:15:00.000Z']));
    expect(cellTime('2026-11-22')).toBe('2026-11-22T00:00Z');
    expect(cellTime('soon')).toBe('soon');
  });
});

describe('a mapping', () => {
  it('finds columns by their names, and by what it is told before', () => {
    const byName = mapRows({ map: [], set: [] }, { ...target, alternatives: [] }, table);
    expect(['id', 'predictionId', 'unit', 'row'].map(byName.columnOf)).toEqual([
      'id',
      'prediction_id',
      'unit',
      undefined,
    ]);
    const told = mapRows({ map: ['unit=shop,attributes.x=id'], set: ['id=7'] }, target, table);
    expect(told.read({ row: 2, cells: { shop: 's', id: 'i', prediction_id: 'p' } })).toEqual({
      id: '7',
      unit: 's',
      'attributes.x': 'i',
    });
    expect(told.columns.toSorted()).toEqual(['id', 'shop']);
  });

  it.each([
    [['unit=nope'], [], 'column "nope" is not in x.csv, must be one of: id, prediction_id'],
    [['who=shop'], [], '--map names "who", must be one of: id, predictionId, unit, row, attributes.NAME'],
    [['unit'], [], '--map is "unit", must be NAME=COLUMN'],
    [['unit=shop'], ['unit=3'], '"unit" is named twice'],
    [['attributes.=shop'], [], '--map names "attributes."'],
  ])('refuses %j %j', (map, set, message) => {
    expect(() => mapRows({ map, set }, target, table)).toThrow(message);
  });
});
