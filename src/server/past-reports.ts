// What did the report say then? Makes it anew from the summaries that were kept with every change of the verdict.
import type { SeriesAnswer } from '../api/index.ts';
import type { ControlLogEntry } from '../control/index.ts';
import { makeReport, type Report } from '../decision/index.ts';
import type { ExperimentSummary } from '../evidence/index.ts';
import type { Experiment } from '../experiment/index.ts';

/** A report of an earlier time. */
export interface PastReport {
  /** When the verdict was kept, epoch milliseconds. */
  readonly atMs: number;
  /** As the file was then. */
  readonly experiment: Experiment;
  readonly report: Report;
  /** Of the entry in the control log: names the report for ever. */
  readonly hash: string;
}

/** The primary criteria and the net value at one look. */
export interface Look {
  readonly atMs: number;
  readonly units: number;
  readonly figures: readonly {
    readonly metric: string;
    readonly variant: string;
    readonly limit?: number;
    readonly estimate: number;
    readonly lower?: number;
    readonly upper?: number;
    readonly fixedLower?: number;
    readonly fixedUpper?: number;
  }[];
}

const mostKept = 500;

/** Reports of kept verdicts, each made once per process. */
export interface PastReports {
  /** The last one that was kept at `atMs` or before; undefined where there is none. */
  at(history: readonly ControlLogEntry[], atMs: number): PastReport | undefined;
  /** The looks at which verdicts were kept, oldest first; at most 200, the newest. */
  looks(history: readonly ControlLogEntry[]): readonly Look[];
}

/** Past reports of one server. */
export function createPastReports(): PastReports {
  const looks = new Map<string, Look | undefined>();
  const lookAt = (history: readonly ControlLogEntry[], place: number): Look | undefined => {
    const hash = history[place]?.hash ?? '';
    if (looks.has(hash)) return looks.get(hash);
    const past = reportOf(history, place);
    const look = past === undefined ? undefined : lookOf(past.report, past.atMs);
    if (looks.size >= mostKept) looks.delete(looks.keys().next().value ?? '');
    looks.set(hash, look);
    return look;
  };
  return {
    at(history, atMs) {
      const place = history.findLastIndex(({ event, timeMs }) => event.kind === 'verdict' && timeMs <= atMs);
      return place < 0 ? undefined : reportOf(history, place);
    },
    looks: (history) =>
      history
        .flatMap(({ event }, place) => (event.kind === 'verdict' ? [place] : []))
        .slice(-200)
        .flatMap((place) => lookAt(history, place) ?? []),
  };
}

function reportOf(history: readonly ControlLogEntry[], place: number): PastReport | undefined {
  const entry = history[place];
  if (entry?.event.kind !== 'verdict') return undefined;
  const { summary, basis } = entry.event;
  const experiment = history
    .slice(0, place)
    .map(({ event }) => (event.kind === 'create' || event.kind === 'revise' ? event.specification : undefined))
    .findLast((each) => each !== undefined);
  if (experiment === undefined || (summary as ExperimentSummary | null)?.format !== 'assay-summary') return undefined;
  const report = makeReport(summary as ExperimentSummary, {
    experiment,
    ...(basis ?? { nowMs: entry.timeMs, planChanges: [] }),
  });
  return { atMs: entry.timeMs, experiment, report, hash: entry.hash };
}

/** What a picture over time keeps of one report. */
export function lookOf(report: Report, atMs: number): Look {
  const criteria = report.criteria.flatMap(({ role, text, variant, estimate, limit, interval, fixedHorizon }) => {
    if (role !== 'primary' || typeof estimate !== 'number') return [];
    return [
      {
        metric: text,
        variant,
        ...(typeof limit === 'number' ? { limit } : {}),
        estimate,
        ...ends(interval, ['lower', 'upper']),
        ...ends(fixedHorizon?.interval, ['fixedLower', 'fixedUpper']),
      },
    ];
  });
  const values = report.values.flatMap(({ variant, net }) =>
    'estimate' in net
      ? [
          {
            metric: 'net_value',
            variant,
            limit: net.threshold,
            estimate: net.estimate,
            ...ends(net.sequential ?? net.interval, ['lower', 'upper']),
            ...ends(net.interval, ['fixedLower', 'fixedUpper']),
          },
        ]
      : [],
  );
  return {
    atMs,
    units: report.variants.reduce((sum, { units }) => sum + units, 0),
    figures: [...criteria, ...values],
  };
}

function ends<const N extends readonly [string, string]>(
  interval: { readonly kind: string } | undefined,
  [low, high]: N,
): { readonly [name in N[number]]?: number } {
  const { lower, upper } = (interval ?? {}) as { readonly lower?: number; readonly upper?: number };
  return {
    ...(lower === undefined || !Number.isFinite(lower) ? {} : { [low]: lower }),
    ...(upper === undefined || !Number.isFinite(upper) ? {} : { [high]: upper }),
  } as { readonly [name in N[number]]?: number };
}

/** Looks by figure, oldest first; looks of the same number of units count once. */
export function lookSeries(looks: readonly Look[]): SeriesAnswer['looks'] {
  const series = new Map<
    string,
    { head: object; points: Map<number, SeriesAnswer['looks'][number]['points'][number]> }
  >();
  for (const { atMs, units, figures } of looks.toSorted((a, b) => a.atMs - b.atMs))
    for (const { metric, variant, limit, ...figure } of figures) {
      const key = JSON.stringify([metric, variant]);
      const found = series.get(key) ?? {
        head: { metric, variant, ...(limit === undefined ? {} : { limit }) },
        points: new Map(),
      };
      found.points.set(units, { at: new Date(atMs).toISOString(), units, ...figure });
      series.set(key, found);
    }
  return [...series.values()].map(({ head, points }) => ({
    ...(head as { metric: string; variant: string }),
    points: thinned([...points.values()].toSorted((a, b) => a.units - b.units)),
  }));
}

/** The series, those of criteria that the report itself follows over time by its own, which cover all of the run. */
export function withReported(report: Report, series: SeriesAnswer['looks']): SeriesAnswer['looks'] {
  const reported = (report.looks ?? [])
    .filter(({ points }) => points.length > 1)
    .map(({ criterion, variant, limit, points }) => ({
      metric: criterion,
      variant,
      limit,
      points: thinned(points).map(({ at, units, estimate, interval }) => ({
        at,
        units,
        estimate,
        ...ends(interval, ['lower', 'upper']),
      })),
    }));
  const isReported = ({ metric, variant }: SeriesAnswer['looks'][number]): boolean =>
    reported.some((each) => each.metric === metric && each.variant === variant);
  return [...reported, ...series.filter((each) => !isReported(each))];
}

/** At most 400 of them, first and last among them. */
function thinned<T>(points: readonly T[]): readonly T[] {
  const most = 400;
  if (points.length <= most) return points;
  const step = (points.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, place) => points[Math.round(place * step)]!);
}
