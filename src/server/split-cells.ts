// Where is the split off? Counts of units by time, segment and revision, each against its declared shares, the worst first.
import type { SplitCell, SplitCellsAnswer } from '../api/index.ts';
import { adjustPValues, sampleRatio } from '../stats/index.ts';

/** Units whose first exposure is alike in everything that is counted by. */
export interface CellUnits {
  /** Begin of the stretch of time. */
  readonly atMs: number;
  readonly epoch: number;
  readonly revision: number;
  readonly variant: string;
  /** Empty for the whole: every unit stands there once, and once more under each segment. */
  readonly segment: string;
  readonly value: string;
  readonly units: number;
}

/** Options of `splitCells`. */
export interface SplitCellsOptions {
  readonly everyMs: number;
  /** Of the experiment, the control first; others that have units follow. */
  readonly variants: readonly string[];
  /** Expected shares by epoch. */
  readonly epochs: readonly { readonly epoch: number; readonly shares: { readonly [variant: string]: number } }[];
}

type Groups = Extract<SplitCellsAnswer['groups'], readonly unknown[]>;
type Group = Groups[number];
type Place = Pick<SplitCell, 'at' | 'revision' | 'segment' | 'value'>;

interface Cell {
  readonly place: Place;
  readonly units: Record<string, number>;
  /** Units of each variant, had every allocation in it been kept to. */
  readonly expected: Record<string, number>;
}

/** As strict as the check of the whole split. */
const alarmAlpha = 0.001;
/** A smaller expected count is beyond what chi-squared can judge. */
const leastExpected = 5;
const mostCells = 50;

/** Where the split is off. A cell of several allocations is judged by the counts they expect together. */
export function splitCells(
  counts: readonly CellUnits[],
  { everyMs, variants, epochs }: SplitCellsOptions,
): Omit<SplitCellsAnswer, 'asOf'> {
  const sharesOf = new Map(epochs.map(({ epoch, shares }) => [epoch, shares]));
  const usable = counts.filter(({ epoch }) => Object.keys(sharesOf.get(epoch) ?? {}).length > 1);
  if (usable.length === 0)
    return {
      everyMs,
      judged: 0,
      finding: 'No unit has come in yet.',
      groups: { kind: 'insufficient', reason: 'no unit has come in yet' },
    };
  const gather = (rows: readonly CellUnits[], placeOf: (row: CellUnits) => Place): readonly Cell[] => {
    const cells = new Map<string, Cell>();
    for (const row of rows) {
      const place = placeOf(row);
      const key = JSON.stringify(place);
      const cell = cells.get(key) ?? { place, units: {}, expected: {} };
      cell.units[row.variant] = (cell.units[row.variant] ?? 0) + row.units;
      for (const [variant, share] of Object.entries(sharesOf.get(row.epoch) ?? {}))
        cell.expected[variant] = (cell.expected[variant] ?? 0) + row.units * share;
      cells.set(key, cell);
    }
    return [...cells.values()];
  };

  const whole = usable.filter(({ segment }) => segment === '');
  const cut = usable.filter(({ segment }) => segment !== '');
  const at = ({ atMs }: CellUnits): string => new Date(atMs).toISOString();
  const revisions = new Set(whole.map(({ revision }) => revision)).size;
  const plans = [
    { by: 'time', title: 'By time', cells: gather(whole, (row) => ({ at: at(row) })) },
    { by: 'segment', title: 'By segment', cells: gather(cut, ({ segment, value }) => ({ segment, value })) },
    { by: 'revision', title: 'By revision', cells: gather(whole, ({ revision }) => ({ revision })) },
    {
      by: 'crossed',
      title: 'Crossed',
      // Without a segment and with one revision the crossing is the time alone.
      cells:
        cut.length > 0
          ? gather(cut, (row) => ({ at: at(row), revision: row.revision, segment: row.segment, value: row.value }))
          : revisions > 1
            ? gather(whole, (row) => ({ at: at(row), revision: row.revision }))
            : [],
    },
  ] as const;

  const tests = plans.flatMap(({ by, cells }) => cells.flatMap((cell) => testOf(cell, by)));
  const adjusted = adjustPValues(
    tests.map(({ pValue }) => pValue),
    'holm',
  );
  const judged = tests
    .map((test, index) => ({ ...test, adjusted: adjusted[index] ?? 1 }))
    .toSorted((a, b) => a.pValue - b.pValue || b.statistic - a.statistic);
  const groups = plans
    .filter(({ cells }) => cells.length > 0)
    .map(({ by, title, cells }): Group => {
      const own = judged.filter((test) => test.by === by).map((test) => shownCell(test, variants));
      return {
        by,
        title,
        judged: own.length,
        off: own.filter(({ isOff }) => isOff).length,
        tooFew: cells.length - own.length,
        cells: own.slice(0, mostCells),
      };
    });
  return { everyMs, judged: tests.length, finding: findingOf(groups, tests.length), groups };
}

interface Test {
  readonly by: Group['by'];
  readonly cell: Cell;
  readonly statistic: number;
  readonly pValue: number;
}

function testOf(cell: Cell, by: Group['by']): readonly Test[] {
  const names = [...new Set([...Object.keys(cell.expected), ...Object.keys(cell.units)])];
  const wanted = names.map((name) => cell.expected[name] ?? 0);
  if (Math.min(...wanted.filter((count) => count > 0)) < leastExpected) return [];
  const test = sampleRatio(
    names.map((name) => cell.units[name] ?? 0),
    wanted,
  );
  return test.kind === 'insufficient' ? [] : [{ by, cell, statistic: test.statistic, pValue: test.pValue }];
}

function shownCell(
  { cell, adjusted }: { readonly cell: Cell; readonly adjusted: number },
  variants: readonly string[],
): SplitCell {
  const total = Object.values(cell.units).reduce((sum, units) => sum + units, 0);
  return {
    ...cell.place,
    variants: [...new Set([...variants, ...Object.keys(cell.units)])].map((variant) => ({
      variant,
      units: cell.units[variant] ?? 0,
      share: (cell.units[variant] ?? 0) / total,
      expectedShare: (cell.expected[variant] ?? 0) / total,
    })),
    pValue: adjusted,
    isOff: adjusted < alarmAlpha,
  };
}

function findingOf(groups: readonly Group[], judged: number): string {
  if (judged === 0) return 'No part has enough units to be judged by itself.';
  const off = groups.reduce((sum, group) => sum + group.off, 0);
  if (off === 0) return `None of ${judged} parts is off by itself.`;
  const parts = groups.flatMap((group) => (group.by === 'crossed' || group.judged < 2 ? [] : partFinding(group)));
  return parts.length === 0
    ? 'It is off as a whole; there is nothing yet to tell its parts apart by.'
    : parts.join(' ');
}

/** `Off in 2 of 9 stretches of time.`, `Off where page is cart, as declared where page is home.` */
function partFinding({ by, judged, off, cells }: Group): readonly string[] {
  if (off === 0) return [`No ${partWords[by]} is off by itself.`];
  if (by === 'time') return [`Off in ${off} of ${judged} stretches of time.`];
  const where = (isOff: boolean): string => {
    const names = cells.filter((cell) => cell.isOff === isOff).map(placeText);
    return names.length <= mostNamed ? names.join(', ') : `${names.slice(0, mostNamed).join(', ')} and others`;
  };
  return [
    off === judged
      ? `Off everywhere: where ${where(true)}.`
      : `Off where ${where(true)}; as declared where ${where(false)}.`,
  ];
}

const mostNamed = 4;
const partWords = {
  time: 'stretch of time',
  segment: 'value of a segment',
  revision: 'revision',
  crossed: 'cell',
} as const;

function placeText({ segment, value, revision }: SplitCell): string {
  return segment === undefined ? `the revision is ${revision}` : `${segment} is ${value}`;
}
