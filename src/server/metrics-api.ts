// `GET /metrics`: everything the processes of this server tell of themselves, for Prometheus.

import { readFileSync } from 'node:fs';
import type { Hono } from 'hono';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { type ExperimentFigures, experimentFamilies } from '../adapters/prometheus-experiments.ts';
import { type Exposition, exposeMetrics, type MetricFamily } from '../adapters/prometheus-exposition.ts';
import { gauge, requestFamilies, type ServingFigures } from '../adapters/prometheus-requests.ts';
import { paths } from '../api/index.ts';
import type { ExperimentService, ExperimentState } from '../control/index.ts';
import { experimentLabel } from '../experiment/index.ts';
import type { StandingReports } from './standing-reports.ts';

/** What `createMetrics` reads at every scrape. */
interface MetricsOptions {
  readonly service: Pick<ExperimentService, 'list'>;
  readonly standing: Pick<StandingReports, 'last' | 'refresh'>;
  readonly serving: () => Promise<ServingFigures>;
  /** Epoch milliseconds of the decision loop's last tick; null while there is none. */
  readonly lastTickMs: () => number | null;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** Gives one exposition in the form the Accept header asks for. */
export type ReadMetrics = (accept: string) => Promise<Exposition>;

/** Scrapes make reports fresh, but no oftener than this, however many scrape. */
const refreshMs = 10_000;

const version: string = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;

/** The metrics of one server. A scrape shows the latest reports and never waits for one; it begins new ones for the next. */
export function createMetrics(options: MetricsOptions): ReadMetrics {
  const { service, standing, now } = options;
  // Of the process that answers; gateway workers are processes of their own, and the system's tools watch those.
  const own = new Registry();
  collectDefaultMetrics({ register: own });
  let refreshedMs = Number.NEGATIVE_INFINITY;
  return async (accept) => {
    if (now() - refreshedMs >= refreshMs) {
      refreshedMs = now();
      standing.refresh();
    }
    const states = service.list();
    const shadowed = states.flatMap(({ experiment: { namespace, name, mirror } }) =>
      mirror === undefined ? [] : [experimentLabel(namespace, name)],
    );
    const families = [
      ...requestFamilies(await options.serving(), shadowed),
      ...experimentFamilies(states.map((state) => figuresOf(state, standing))),
      ...serverFamilies(options),
    ];
    return exposeMetrics(families, { accept, extra: [own] });
  };
}

/** Adds the route. */
export function mountMetrics(app: Hono, read: ReadMetrics): void {
  app.get(paths.metrics, async (context) => {
    const { contentType, text } = await read(context.req.header('accept') ?? '');
    return context.body(text, 200, { 'content-type': contentType });
  });
}

function serverFamilies({ lastTickMs }: MetricsOptions): readonly MetricFamily[] {
  const tick = lastTickMs();
  return [
    gauge('assay_build_info', 'Version of Assay and of Node.', [
      { labels: { version, node: process.version }, value: 1 },
    ]),
    gauge(
      'assay_decision_loop_tick_timestamp_seconds',
      'When experiments were last looked at.',
      tick === null ? [] : [{ labels: {}, value: tick / 1000 }],
    ),
  ];
}

function figuresOf(state: ExperimentState, standing: Pick<StandingReports, 'last'>): ExperimentFigures {
  const { experiment, startedAtMs } = state;
  const { name, namespace, control } = experiment;
  return {
    name,
    namespace,
    control,
    state: state.state,
    coverage: state.coverage,
    shares: state.epochs.at(-1)?.shares ?? {},
    startedAtMs,
    plannedEndMs: startedAtMs === null ? null : startedAtMs + experiment.decision.maxDurationMs,
    latest: standing.last(name, namespace) ?? null,
  };
}
