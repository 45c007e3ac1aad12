// What is wrong with a file that is not applied yet, how long would its experiment take, and do its model servers answer?
import type { Context, Hono } from 'hono';
import { type PowerAnswer, type ProbeAnswer, paths, type ValidateAnswer } from '../api/index.ts';
import type { ExperimentService } from '../control/index.ts';
import { type Expectations, pilotOfReport, planPower, valueWarnings } from '../decision/index.ts';
import { AssayError } from '../errors.ts';
import { type Experiment, hasEnded, parseExperimentFiles, routeKey } from '../experiment/index.ts';
import type { StandingReports } from './standing-reports.ts';

/** What drafts are held against. */
export interface DraftApiOptions {
  readonly service: Pick<ExperimentService, 'list'>;
  readonly standing: Pick<StandingReports, 'last'>;
}

const longestText = 1_000_000;
const probeMs = 5_000;
const mostProbes = 4;

/** Mounts the endpoints of the form for new experiments. */
export function mountDrafts(app: Hono, options: DraftApiOptions): void {
  app.post(paths.validate, async (context) => context.json(validate(await textOf(context), options)));
  app.post(paths.power, async (context) => {
    const experiment = soleExperiment(await textOf(context));
    const given = context.req.query('unitsPerDay');
    return context.json(power(experiment, given === undefined ? undefined : positive(given), options));
  });
  const probe = createProbe();
  app.post(paths.probe, async (context) => context.json(await probe(await context.req.json().catch(() => undefined))));
}

async function textOf(context: Context): Promise<string> {
  const text = await context.req.text();
  if (text.length <= longestText) return text;
  throw new AssayError('body-too-large', `the file is ${text.length} characters long, must be at most ${longestText}`);
}

function validate(text: string, { service }: DraftApiOptions): ValidateAnswer {
  let experiments: readonly Experiment[];
  try {
    experiments = parseExperimentFiles(text);
  } catch (fault) {
    if (!(fault instanceof AssayError)) throw fault;
    return {
      ok: false,
      faults: fault.issues.map(({ place, text: sentence, line }) => ({
        code: fault.code,
        place,
        text: sentence,
        fix: fault.fix,
        ...(line === undefined ? {} : { line, column: columnOf(text, { line, place }) }),
      })),
      warnings: [],
      experiments: [],
    };
  }
  const others = service.list();
  return {
    ok: true,
    faults: [],
    warnings: experiments.flatMap((experiment) => [
      ...valueWarnings(experiment).map(({ code, text: sentence }) => ({ code, text: sentence })),
      ...others
        .filter(
          (other) =>
            !hasEnded(other.state) &&
            !isSame(other.experiment, experiment) &&
            routeKey(other.experiment.route) === routeKey(experiment.route),
        )
        .map((other) => ({
          code: 'route-taken',
          text: `${experiment.name} has the route of ${other.experiment.name}, which is ${other.state}; one route carries one experiment at a time.`,
        })),
      ...(experiment.decision.minDurationMs < weekMs
        ? [
            {
              code: 'less-than-a-week',
              text: `${experiment.name} may end after less than one week; weekdays and weekends can differ.`,
            },
          ]
        : []),
    ]),
    experiments: experiments.map((experiment) => ({
      name: experiment.name,
      namespace: experiment.namespace,
      route: routeKey(experiment.route),
      exists: others.some((other) => isSame(other.experiment, experiment)),
    })),
  };
}

/** Level of a report's intervals. */
const seenAlpha = 0.05;
const weekMs = 7 * 86_400_000;
const isSame = (a: Experiment, b: Experiment): boolean => a.name === b.name && a.namespace === b.namespace;

/** Where the key that a place names last stands in its line, from 1; else where the line's text begins. */
function columnOf(text: string, { line, place }: { readonly line: number; readonly place: string }): number {
  const row = text.split('\n')[line - 1] ?? '';
  const key = /([A-Za-z_$][\w$-]*)(\[\d+\])?$/.exec(place)?.[1];
  const found = key === undefined ? -1 : row.search(new RegExp(`(?<![\\w$-])${key.replace(/[$]/g, '\\$&')}["']?\\s*:`));
  return (found < 0 ? row.search(/[^\s-]/) : found) + 1 || 1;
}

function soleExperiment(text: string): Experiment {
  const [experiment, ...more] = parseExperimentFiles(text);
  if (experiment !== undefined && more.length === 0) return experiment;
  throw new AssayError('experiment-invalid', `the file holds ${more.length + 1} experiments, must hold one`);
}

function positive(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new AssayError('request-invalid', `unitsPerDay is ${JSON.stringify(text)}, must be a number > 0`);
}

/** What is known of the same traffic stands in for what nobody said. */
function power(experiment: Experiment, given: number | undefined, options: DraftApiOptions): PowerAnswer {
  const seen = options.service
    .list()
    .filter((other) => routeKey(other.experiment.route) === routeKey(experiment.route))
    .flatMap(({ experiment: { name, namespace }, startedAtMs }) => {
      const report = options.standing.last(name, namespace)?.report;
      return report === undefined || startedAtMs === null ? [] : [{ report }];
    })
    .at(-1)?.report;
  const units = seen?.variants.reduce((sum, each) => sum + each.units, 0) ?? 0;
  const spanMs = seen?.from === undefined || seen.to === undefined ? 0 : Date.parse(seen.to) - Date.parse(seen.from);
  // An hour is the least that says anything about a day.
  const measured = spanMs >= 3_600_000 && units > 0 ? units / (spanMs / 86_400_000) : undefined;
  const isPlanned = experiment.plan.requestsPerDay !== undefined;
  const unitsPerDay = given ?? (isPlanned ? undefined : measured);
  const expectations: Expectations = {
    ...(seen === undefined || units < 100 ? {} : { pilot: pilotOfReport(seen, seenAlpha).pilot }),
    ...(unitsPerDay === undefined ? {} : { unitsPerDay }),
  };
  return {
    source: given !== undefined ? 'given' : isPlanned ? 'plan' : measured !== undefined ? 'traffic' : 'assumed',
    plan: planPower(experiment, expectations),
  };
}

/** A probe is one GET; a few at a time, because each holds a connection to wherever the reader wants. */
function createProbe(): (body: unknown) => Promise<ProbeAnswer> {
  let underWay = 0;
  return async (body) => {
    const { url } = (body ?? {}) as { readonly url?: unknown };
    if (typeof url !== 'string' || !URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
      throw new AssayError('request-invalid', `url is ${JSON.stringify(url)}, must be an http or https address`);
    if (underWay >= mostProbes)
      throw new AssayError('overloaded', `${underWay} probes are under way, at most ${mostProbes} may be`);
    underWay += 1;
    const startedMs = performance.now();
    const took = (): number => Math.round(performance.now() - startedMs);
    try {
      // A redirect could lead anywhere; that it answers is all that is asked.
      const reply = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(probeMs) });
      await reply.body?.cancel();
      const tookMs = took();
      // A model server need not answer GET on its base address: any word of its own shows that it is there.
      return { ok: reply.status < 500, status: reply.status, tookMs, text: `${reply.status} in ${tookMs} ms` };
    } catch (fault) {
      const tookMs = took();
      const { code } = ((fault as Error).cause ?? {}) as { readonly code?: string };
      return { ok: false, tookMs, text: wordsOf(code, fault as Error) };
    } finally {
      underWay -= 1;
    }
  };
}

function wordsOf(code: string | undefined, fault: Error): string {
  if (code === 'ECONNREFUSED') return 'refused: is it running?';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'no such host';
  if (fault.name === 'TimeoutError') return `no answer within ${probeMs / 1_000} s`;
  return code ?? 'no answer';
}
