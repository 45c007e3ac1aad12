// What are the page's pictures drawn from? The last hour, the split and maturity over time, latency, and who answered.
import type { Hono } from 'hono';
import type { DetailAnswer, DetailQuestion } from '../adapters/evidence-detail.ts';
import {
  type DistributionsAnswer,
  type NowAnswer,
  paths,
  type SeriesAnswer,
  type ServedAnswer,
  type SplitCellsAnswer,
} from '../api/index.ts';
import type { ExperimentService, ExperimentState } from '../control/index.ts';
import type { Report } from '../decision/index.ts';
import type { Insufficient } from '../evidence/index.ts';
import { nameOf, tagged } from './page-requests.ts';
import { lookOf, lookSeries, type PastReports, withReported } from './past-reports.ts';
import { splitCells } from './split-cells.ts';
import { type Arrivals, splitSeries } from './split-series.ts';
import type { StandingReports } from './standing-reports.ts';
import { timelineOf } from './timeline.ts';

/** What the pictures need. */
export interface PageDetailOptions {
  readonly service: ExperimentService;
  readonly standing: Pick<StandingReports, 'recent' | 'last' | 'looks'>;
  readonly past: PastReports;
  readonly detail: (question: Omit<DetailQuestion, 'directory'>) => Promise<DetailAnswer>;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

const hourMs = 3_600_000;
/** Stretches of time that a reader thinks in. */
const stretchesMs: readonly number[] = [
  10_000,
  60_000,
  300_000,
  900_000,
  hourMs,
  3 * hourMs,
  6 * hourMs,
  12 * hourMs,
  24 * hourMs,
  168 * hourMs,
];
const mostPoints = 400;
/** So many stretches of time are looked through for a broken split. */
const mostCellStretches = 48;
/** A p95 of fewer attempts is the largest of them. */
const fewAttempts = 20;
/** With fewer, a curve would show steps that mean nothing. */
const fewForCurve = 5;

/** 190 even steps to the 95th percentile, then ever finer ones: a tail is read on a scale of its own. */
const curveQuantiles: readonly number[] = [
  ...Array.from({ length: 190 }, (_, step) => (step + 1) * 0.005),
  ...Array.from({ length: 40 }, (_, step) => 0.951 + step * 0.001),
  ...Array.from({ length: 9 }, (_, step) => 0.991 + step * 0.001),
  0.9995,
  0.9999,
  1,
];
const tableQuantiles: readonly number[] = [0.5, 0.95, 0.99];

/** Mounts the endpoints behind the pictures. */
export function mountPageDetail(app: Hono, options: PageDetailOptions): void {
  const { service, standing, past, now } = options;
  const ask = (state: ExperimentState, part: DetailQuestion['part']): Promise<DetailAnswer> => {
    const { name, namespace, unit } = state.experiment;
    const byRequest = unit.sources.some(({ kind }) => kind === 'request');
    return options.detail({ namespace, experiment: name, byRequest, part });
  };

  app.get(`${paths.experiments}/:name/now`, async (context) => {
    const { name, namespace } = nameOf(context);
    const state = service.get(name, namespace);
    const toMs = now();
    const fromMs = toMs - hourMs;
    const { variants = [] } = await ask(state, { kind: 'now', sinceMs: fromMs });
    const answer: NowAnswer = {
      asOf: new Date(toMs).toISOString(),
      fromMs,
      toMs,
      variants: variantNames(state).map((variant) => {
        const row = variants.find((each) => each.variant === variant) ?? {};
        const attempts = count(row.attempts);
        const requests = count(row.requests);
        // A run of less than an hour is divided by what it ran.
        const spanMs = Math.min(toMs - fromMs, toMs - Math.max(fromMs, state.startedAtMs ?? fromMs));
        return {
          variant,
          isControl: variant === state.experiment.control,
          requests,
          requestsPerSecond: spanMs <= 0 ? 0 : (requests / spanMs) * 1_000,
          failed: count(row.failed),
          callerFailed: count(row.caller_failed),
          fallback: count(row.fallback),
          p50Ms: attempts === 0 ? none('no attempt in the last hour') : count(row.p50),
          p95Ms:
            attempts < fewAttempts ? none(`${attempts} of ${fewAttempts} attempts in the last hour`) : count(row.p95),
          ...(typeof row.last_ms === 'number' ? { lastAt: new Date(row.last_ms).toISOString() } : {}),
        };
      }),
      guardrails: guardrailsOf(standing.last(name, namespace)?.report),
      onBreach: onBreachText(state),
    };
    return tagged(context, answer);
  });

  app.get(`${paths.experiments}/:name/series`, async (context) => {
    const { name, namespace } = nameOf(context);
    const { report, madeMs } = await standing.recent(name, namespace);
    const state = service.get(name, namespace);
    const spanMs = (state.endedAtMs ?? now()) - (state.startedAtMs ?? now());
    const everyMs = stretchOf(spanMs, mostPoints);
    const seriesMs = report.series?.[0]?.everyMs;
    const arrivals = arrivalsOf(await ask(state, { kind: 'arrivals', everyMs }));
    const bySeries =
      seriesMs === undefined || seriesMs === everyMs
        ? arrivals
        : arrivalsOf(await ask(state, { kind: 'arrivals', everyMs: seriesMs }));
    const history = service.history(name, namespace);
    const answer: SeriesAnswer = {
      asOf: new Date(madeMs).toISOString(),
      split:
        arrivals.length === 0
          ? none('no unit has come in yet')
          : splitSeries(arrivals, { everyMs, epochs: state.epochs }),
      looks: withReported(
        report,
        lookSeries([...past.looks(history), ...standing.looks(name, namespace), lookOf(report, madeMs)]),
      ),
      maturity: maturityOf(state, { report, arrivals: bySeries, nowMs: madeMs }),
      levels: report.series ?? [],
      flags: timelineOf(history)
        // Verdicts and proposals change nothing that a line shows, and they come and go.
        .filter(({ kind }) => kind !== 'verdict' && kind !== 'propose')
        .map(({ at, kind, text }) => ({ at, kind, text }))
        .toReversed(),
    };
    return tagged(context, answer);
  });

  app.get(`${paths.experiments}/:name/split-cells`, async (context) => {
    const { name, namespace } = nameOf(context);
    const state = service.get(name, namespace);
    const nowMs = now();
    const everyMs = stretchOf((state.endedAtMs ?? nowMs) - (state.startedAtMs ?? nowMs), mostCellStretches);
    // What a reply or the history decides is no cut of who comes in.
    const segments = state.experiment.segments.filter((segment) =>
      state.experiment.capture.some((capture) => capture.name === segment),
    );
    const { units = [] } = await ask(state, { kind: 'cells', everyMs, segments });
    const found = splitCells(
      units.map((row) => ({
        atMs: count(row.at_ms),
        epoch: count(row.epoch),
        revision: count(row.revision),
        variant: String(row.variant),
        segment: String(row.segment),
        value: String(row.value),
        units: count(row.units),
      })),
      { everyMs, variants: variantNames(state), epochs: state.epochs },
    );
    const answer: SplitCellsAnswer = { asOf: new Date(nowMs).toISOString(), ...found };
    return tagged(context, answer, found);
  });

  app.get(`${paths.experiments}/:name/distributions`, async (context) => {
    const { name, namespace } = nameOf(context);
    const state = service.get(name, namespace);
    const quantiles = [...curveQuantiles, ...tableQuantiles];
    const { variants = [] } = await ask(state, { kind: 'latency', quantiles });
    const criteria = standing.last(name, namespace)?.report.criteria ?? [];
    const timed = state.experiment.metrics
      .filter(({ definition }) => definition.kind === 'quantile' && definition.expression === 'attempt_ms')
      .map((metric) => metric.name);
    const answer: DistributionsAnswer = {
      asOf: new Date(now()).toISOString(),
      variants: variantNames(state).map((variant) => {
        const row = variants.find((each) => each.variant === variant) ?? {};
        const n = count(row.n);
        const ms = (row.ms ?? []) as readonly number[];
        return {
          variant,
          isControl: variant === state.experiment.control,
          n,
          points:
            n < fewForCurve
              ? none(n === 0 ? 'no attempt yet' : `${n} attempts; a curve needs ${fewForCurve}`)
              : curveQuantiles.map((share, index) => ({ ms: ms[index] ?? 0, share })),
          quantiles: tableQuantiles.map((q, index) => ({
            q,
            // At least one attempt must lie beyond it.
            ms:
              n * (1 - q) < 1
                ? none(`${n} attempts; p${q * 100} needs ${Math.ceil(1 / (1 - q) - 1e-9)}`)
                : (ms[curveQuantiles.length + index] ?? 0),
          })),
        };
      }),
      limits: criteria.flatMap(({ text, limit }) =>
        typeof limit === 'number' && timed.some((metric) => text.startsWith(metric)) ? [{ text, value: limit }] : [],
      ),
    };
    return tagged(context, answer, { ...answer, asOf: '' });
  });

  app.get(`${paths.experiments}/:name/served`, async (context) => {
    const { name, namespace } = nameOf(context);
    const state = service.get(name, namespace);
    const { cells = [], reasons = [], assignments = [], mirror = [] } = await ask(state, { kind: 'served' });
    const totals = new Map<string, number>();
    for (const { assigned, predictions } of cells)
      totals.set(String(assigned), (totals.get(String(assigned)) ?? 0) + count(predictions));
    const answer: ServedAnswer = {
      asOf: new Date(now()).toISOString(),
      variants: variantNames(state),
      cells: cells.map(({ assigned, served, predictions }) => ({
        assigned: String(assigned),
        served: String(served),
        predictions: count(predictions),
        share: count(predictions) / (totals.get(String(assigned)) ?? 1),
      })),
      reasons:
        reasons.length === 0
          ? none(`no fallback in ${[...totals.values()].reduce((sum, each) => sum + each, 0)} predictions`)
          : reasons.map(({ assigned, reason, predictions }) => ({
              assigned: String(assigned),
              reason: String(reason),
              predictions: count(predictions),
            })),
      assignments: assignments.map(({ reason, predictions }) => ({
        reason: String(reason),
        predictions: count(predictions),
      })),
      mirror:
        mirror.length === 0
          ? none(state.experiment.mirror === undefined ? 'the experiment mirrors nothing' : 'nothing was mirrored yet')
          : mirror.map((row) => ({
              variant: String(row.variant),
              sent: count(row.sent),
              failed: count(row.failed),
              compared: count(row.compared),
              agreed: count(row.agreed),
            })),
    };
    return tagged(context, answer, { ...answer, asOf: '' });
  });
}

/** The narrowest stretch of time of which at most so many lie in a span. */
function stretchOf(spanMs: number, most: number): number {
  return stretchesMs.find((each) => spanMs / each <= most) ?? 168 * hourMs;
}

const none = (reason: string): Insufficient => ({ kind: 'insufficient', reason });
const count = (value: unknown): number => (typeof value === 'number' ? value : 0);

/** The control first, then as the file has them. */
function variantNames({ experiment }: ExperimentState): readonly string[] {
  const others = experiment.variants.map(({ name }) => name).filter((name) => name !== experiment.control);
  return [experiment.control, ...others];
}

function arrivalsOf({ units = [] }: DetailAnswer): readonly Arrivals[] {
  return units.map((row) => ({
    atMs: count(row.at_ms),
    epoch: count(row.epoch),
    variant: String(row.variant),
    units: count(row.units),
  }));
}

function guardrailsOf(report: Report | undefined): NowAnswer['guardrails'] {
  return (report?.criteria ?? [])
    .filter(({ role }) => role === 'guardrail')
    .map(({ text, variant, outcome, estimate, limit }) => ({ text, variant, outcome, estimate, limit }));
}

function onBreachText({ experiment }: ExperimentState): string {
  const { guardrails, onBreach } = experiment.decision;
  if (guardrails.length === 0) return 'no guardrail is declared';
  return { 'roll-back': 'rollback armed (automatic)', pause: 'pause armed (automatic)', notify: 'only notified' }[
    onBreach
  ];
}

/** Per stretch of first exposures: units with a value, units whose window is open, units whose window ended without one. */
function maturityOf(
  { experiment }: ExperimentState,
  {
    report,
    arrivals,
    nowMs,
  }: { readonly report: Report; readonly arrivals: readonly Arrivals[]; readonly nowMs: number },
): SeriesAnswer['maturity'] {
  const waits = experiment.metrics.filter(({ definition }) => JSON.stringify(definition).includes('outcome.'));
  return (report.series ?? []).flatMap(({ metric, variant, everyMs, points }) => {
    const windowMs = waits.find(({ name }) => name === metric)?.windowMs;
    if (windowMs === undefined) return [];
    const arrived = new Map(points.map(({ at, n }) => [Date.parse(at), n]));
    const totals = new Map<number, number>();
    for (const each of arrivals)
      if (each.variant === variant) totals.set(each.atMs, (totals.get(each.atMs) ?? 0) + each.units);
    const stretches = [...totals].toSorted(([a], [b]) => a - b);
    const counted = stretches.map(([atMs, units]) => {
      const here = Math.min(units, arrived.get(atMs) ?? 0);
      const isOpen = atMs + everyMs + windowMs > nowMs;
      return {
        at: new Date(atMs).toISOString(),
        arrived: here,
        waiting: isOpen ? units - here : 0,
        never: isOpen ? 0 : units - here,
      };
    });
    const lastOpen = stretches.findLast(([,], index) => (counted[index]?.waiting ?? 0) > 0);
    return [
      {
        metric,
        variant,
        everyMs,
        windowMs,
        points: counted,
        ...(lastOpen === undefined
          ? {}
          : { allMatureAt: new Date(Math.min(lastOpen[0] + everyMs, nowMs) + windowMs).toISOString() }),
      },
    ];
  });
}
