// Did the split hold all along? Shares over time with the band they would keep to, were they as declared, however often one looks.
import type { SeriesAnswer } from '../api/index.ts';
import { watchSampleRatio } from '../stats/index.ts';

type SplitSeries = Extract<SeriesAnswer['split'], { readonly points: unknown }>;

/** Units that came in during one stretch under one allocation. */
export interface Arrivals {
  readonly atMs: number;
  readonly epoch: number;
  readonly variant: string;
  readonly units: number;
}

/** Options of `splitSeries`. */
export interface SplitSeriesOptions {
  readonly everyMs: number;
  /** Expected shares by epoch. */
  readonly epochs: readonly { readonly epoch: number; readonly shares: { readonly [variant: string]: number } }[];
}

const bandAlpha = 0.05;

/** The points of the split's picture, oldest first; a new allocation counts anew. */
export function splitSeries(arrivals: readonly Arrivals[], { everyMs, epochs }: SplitSeriesOptions): SplitSeries {
  const sharesOf = new Map(epochs.map(({ epoch, shares }) => [epoch, shares]));
  const points: SplitSeries['points'][number][] = [];
  let counting = '';
  let totals: Record<string, number> = {};
  for (const cell of cellsOf(arrivals)) {
    const expected = sharesOf.get(cell.epoch) ?? {};
    const names = Object.keys(expected);
    if (names.length < 2) continue;
    // Coverage alone changes no share: its epochs go on counting.
    const allocation = JSON.stringify(Object.entries(expected).sort());
    if (allocation !== counting) {
      counting = allocation;
      totals = {};
    }
    for (const [variant, units] of Object.entries(cell.units)) totals[variant] = (totals[variant] ?? 0) + units;
    const all = Object.values(totals).reduce((sum, units) => sum + units, 0);
    points.push({
      at: new Date(cell.atMs).toISOString(),
      epoch: cell.epoch,
      units: cell.units,
      share: Object.fromEntries(names.map((name) => [name, (totals[name] ?? 0) / all])),
      band: Object.fromEntries(names.map((name) => [name, bandOf(all, expected[name] ?? 0)])),
      expected,
    });
  }
  return { everyMs, points };
}

interface Cell {
  readonly atMs: number;
  readonly epoch: number;
  readonly units: Record<string, number>;
}

function cellsOf(arrivals: readonly Arrivals[]): readonly Cell[] {
  const cells = new Map<string, Cell>();
  for (const { atMs, epoch, variant, units } of arrivals) {
    const key = `${epoch} ${atMs}`;
    const cell = cells.get(key) ?? { atMs, epoch, units: {} };
    cell.units[variant] = (cell.units[variant] ?? 0) + units;
    cells.set(key, cell);
  }
  return [...cells.values()].toSorted((a, b) => a.epoch - b.epoch || a.atMs - b.atMs);
}

/** Shares of `total` units that the sequential test of the split does not reject, 95 times of 100 at every look. */
function bandOf(total: number, share: number): { readonly lower: number; readonly upper: number } {
  const limit = -Math.log(bandAlpha);
  const isInside = (count: number): boolean => {
    const watched = watchSampleRatio([count, total - count], [share, 1 - share]);
    return watched.kind === 'insufficient' || watched.logE < limit;
  };
  const centre = Math.min(total, Math.max(0, Math.round(total * share)));
  return { lower: edge(centre, 0, isInside) / total, upper: edge(centre, total, isInside) / total };
}

/** The last count from `inside` towards `outside` that is inside: the evidence against the split only grows on the way. */
function edge(inside: number, outside: number, isInside: (count: number) => boolean): number {
  if (isInside(outside)) return outside;
  let near = inside;
  let far = outside;
  while (Math.abs(far - near) > 1) {
    const middle = Math.trunc((near + far) / 2);
    if (isInside(middle)) near = middle;
    else far = middle;
  }
  return near;
}
