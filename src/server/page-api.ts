// What does the live page ask for? Mounts its endpoints: list, overview, time series, who changed what, playground.
import { createHash } from 'node:crypto';
import type { Hono } from 'hono';
import { type ListAnswer, type OverviewAnswer, paths } from '../api/index.ts';
import type { ExperimentService } from '../control/index.ts';
import { AssayError } from '../errors.ts';
import type { Experiment } from '../experiment/index.ts';
import { mountDrafts } from './draft-api.ts';
import { experimentAnswer } from './experiment-answer.ts';
import type { LiveEvents } from './live-events.ts';
import { mountPageDetail, type PageDetailOptions } from './page-detail-api.ts';
import { relativeEffects, valuesWithTerms } from './page-effects.ts';
import { nameOf, tagged } from './page-requests.ts';
import { displayOf, healthItems, listRow, metricFormats, proposalEntry, stepOffers } from './page-rows.ts';
import { createPastReports } from './past-reports.ts';
import { mountPlayground } from './playground-api.ts';
import type { StandingReport as Standing, StandingReports } from './standing-reports.ts';
import { mountTimeline } from './timeline.ts';

/** What the page's endpoints need. */
export interface PageApiOptions {
  readonly service: ExperimentService;
  readonly standing: StandingReports;
  readonly live: LiveEvents;
  readonly detail: PageDetailOptions['detail'];
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly onFault: (fault: unknown) => void;
}

/** Mounts the page's endpoints; behind the check of the token, before the routes of single experiments. */
export function mountPageApi(app: Hono, options: PageApiOptions): void {
  const { service, standing, live, now } = options;
  live.mount(app);
  mountPlayground(app, { service });
  const past = createPastReports();
  mountPageDetail(app, { ...options, past });
  mountTimeline(app, { service });
  mountDrafts(app, { service, standing });

  const pastOf = (name: string, namespace: string, at: string): Standing & { readonly experiment: Experiment } => {
    const atMs = Date.parse(at);
    if (!Number.isFinite(atMs))
      throw new AssayError('request-invalid', `at is ${JSON.stringify(at)}, must be a time such as 2026-11-20T09:00Z`);
    const found = past.at(service.history(name, namespace), atMs);
    if (found === undefined)
      throw new AssayError('request-invalid', `at is ${at}, no verdict of "${name}" was kept at that time or before`, {
        fix: 'Choose a time after the first verdict; the timeline lists them.',
      });
    const digest = createHash('sha256').update(JSON.stringify(found.report)).digest('hex');
    return { report: found.report, madeMs: found.atMs, digest, experiment: found.experiment };
  };

  app.get(paths.experiments, async (context, next) => {
    if (context.req.query('view') !== 'list') return next();
    const nowMs = now();
    // What is missing or old is made behind the answer; the live stream tells when it is there.
    standing.refresh();
    const rows = service.list().map((state) => {
      const { name, namespace } = state.experiment;
      const found = standing.last(name, namespace);
      return listRow(state, { standing: found, version: standing.version(name, namespace), nowMs });
    });
    const answer: ListAnswer = { asOf: new Date(nowMs).toISOString(), rows };
    // Ages grow by themselves: the tag leaves out what only time changes.
    return tagged(context, answer, { rows: rows.map(({ ageMs: _ageMs, ...row }) => row) });
  });

  app.get(`${paths.experiments}/:name/overview`, async (context) => {
    const { name, namespace } = nameOf(context);
    const state = service.get(name, namespace);
    const at = context.req.query('at');
    const then = at === undefined ? undefined : pastOf(name, namespace, at);
    const { report, madeMs, digest } = then ?? (await standing.recent(name, namespace));
    const proposal = then === undefined ? proposalEntry(state, service.history(name, namespace)) : undefined;
    const answer: OverviewAnswer = {
      asOf: new Date(madeMs).toISOString(),
      version: standing.version(name, namespace),
      digest: digest.slice(0, 12),
      ...(then === undefined ? {} : { at: new Date(then.madeMs).toISOString() }),
      experiment: experimentAnswer(service, state),
      display: displayOf(report),
      headline: report.verdict.headline,
      report,
      values: valuesWithTerms(report, then?.experiment ?? state.experiment),
      relative: relativeEffects(report),
      ...(proposal === undefined ? {} : { proposal }),
      formats: metricFormats(then?.experiment ?? state.experiment, report),
      health: healthItems(report),
      // What was cannot be acted on.
      steps: then === undefined ? stepOffers(state, report) : [],
    };
    return tagged(context, answer);
  });
}
