// How a program administers experiments, reports outcomes and reads verdicts over the HTTP API. Runs in browsers too.
import {
  type ActionRequest,
  type AuditAnswer,
  type EventsAnswer,
  type ExperimentAction,
  type ExperimentAnswer,
  type ExplainAnswer,
  fromProblem,
  type OutcomesAnswer,
  paths,
} from '../api/index.ts';
import type { Portfolio, Report, Verdict } from '../decision/index.ts';
import { AssayError } from '../errors.ts';
import type { RoutingSnapshot } from '../experiment/index.ts';

/** Something that happened after a prediction; name exactly one of predictionId, requestId and unit. */
export interface OutcomeInput {
  /** The same id twice counts once, so a retry is safe. */
  readonly id: string;
  /** For example `label`, `click`, `revenue`. */
  readonly type: string;
  readonly value: number | string | boolean;
  /** ISO 8601 or epoch milliseconds; default: when the server takes it. */
  readonly time?: string | number;
  readonly predictionId?: string;
  /** Of a batched request the one row it is about, from 0; beside predictionId only. */
  readonly row?: number;
  readonly requestId?: string;
  /** The unit id as callers send it; it is hashed before it is stored. */
  readonly unit?: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** A remark about a time or a span of time: a launch, an outage. */
export interface AnnotationInput {
  readonly text: string;
  readonly author?: string;
  /** ISO 8601 or epoch milliseconds; default now. */
  readonly at?: string | number;
  /** End of a span of time. */
  readonly until?: string | number;
}

/** Options of `createClient`. */
export interface ClientOptions {
  /** For example `http://127.0.0.1:8081`. */
  readonly server: string;
  readonly token?: string;
  /** Default `default`. */
  readonly namespace?: string;
  /** For one try, milliseconds; default 10 000. Reports of large experiments may take seconds. */
  readonly timeoutMs?: number;
  /** Tries after a failure that may pass; default 2, with growing pauses. */
  readonly retries?: number;
}

/** A server takes 10,000 and 8 MB; a letter may be four bytes long, rarely more than two. */
const mostPerRequest = 5_000;
const charactersPerRequest = 2_000_000;

/** Talks to one Assay server. Every method throws `AssayError` with the server's code, or `server-unreachable`. */
export interface Client {
  experiments(): Promise<readonly ExperimentAnswer[]>;
  experiment(name: string): Promise<ExperimentAnswer>;
  /** Creates or revises an experiment from the text of its file. */
  apply(name: string, file: string, authorship: { author: string; reason: string }): Promise<ExperimentAnswer>;
  act(name: string, action: ExperimentAction, request: ActionRequest): Promise<ExperimentAnswer>;
  report(name: string): Promise<Report>;
  verdict(name: string): Promise<Verdict>;
  history(name: string): Promise<readonly unknown[]>;
  /** Every change and whether the chain of the control log holds; `recompute` makes kept verdicts once more. */
  audit(name: string, recompute?: 'summaries' | 'records'): Promise<AuditAnswer>;
  /** Takes the step that the decision loop has proposed. */
  approve(name: string, request: { author: string; reason: string }): Promise<ExperimentAnswer>;
  /** Remarks on a time, by default now. */
  annotate(name: string, annotation: AnnotationInput): Promise<unknown>;
  explain(name: string, unit: string): Promise<ExplainAnswer>;
  /** All experiments of the namespace: win rate, effects freed from luck, their sum. */
  portfolio(options?: { readonly costPerTest?: number }): Promise<Portfolio>;
  routing(): Promise<RoutingSnapshot>;
  status(): Promise<Readonly<Record<string, unknown>>>;
  /**
   * Resolves once all outcomes are durable. Any number: more than 5,000 or about 2 MB go in several requests, one after another, each
   * all or nothing. Safe to repeat, also after a fault halfway.
   */
  reportOutcomes(outcomes: readonly OutcomeInput[]): Promise<OutcomesAnswer>;
  /** Reports events as another program writes them; the mappings of the experiment make outcomes of them. Otherwise as above. */
  reportEvents(experiment: string, events: readonly object[]): Promise<EventsAnswer>;
}

/**
 * Gives a client of one Assay server.
 *
 * @example
 * const assay = createClient({ server: 'http://127.0.0.1:8081' });
 * await assay.reportOutcomes([{ id: 'click-1', type: 'click', value: true, predictionId: 'p-1' }]);
 */
export function createClient(options: ClientOptions): Client {
  const { timeoutMs = 10_000, retries = 2, namespace = 'default' } = options;
  const base = options.server.replace(/\/+$/, '');

  async function once(
    method: string,
    path: string,
    body: string | undefined,
    type: string,
    query: Record<string, string>,
  ): Promise<unknown> {
    const search = new URLSearchParams({ ...(namespace === 'default' ? {} : { namespace }), ...query }).toString();
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${base}${path}${search === '' ? '' : `?${search}`}`, {
        method,
        headers: {
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': type }),
          ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
        },
        ...(body === undefined ? {} : { body }),
        signal: AbortSignal.timeout(timeoutMs),
      });
      text = await response.text();
    } catch (cause) {
      throw new AssayError('server-unreachable', `no Assay server answers at ${base}`, { cause });
    }
    const parsed = parseJson(text);
    if (response.ok && parsed !== undefined) return parsed;
    throw (
      fromProblem(parsed) ??
      new AssayError('server-unreachable', `${base}${path} answered ${response.status}, which is not an Assay answer`)
    );
  }

  async function call<T>(
    method: string,
    path: string,
    body?: unknown,
    extra: { type?: string; query?: Record<string, string>; repeatable?: boolean } = {},
  ): Promise<T> {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const repeatable = extra.repeatable ?? method === 'GET';
    for (let tried = 0; ; tried += 1) {
      try {
        return (await once(method, path, text, extra.type ?? 'application/json', extra.query ?? {})) as T;
      } catch (fault) {
        if (!(fault instanceof AssayError) || !fault.retryable || !repeatable || tried >= retries) throw fault;
        // Full jitter, so that many clients do not come back at the same moment.
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 200 * 2 ** tried));
      }
    }
  }

  return {
    experiments: () => call('GET', paths.experiments),
    experiment: (name) => call('GET', paths.experiment(name)),
    apply: (name, file, authorship) =>
      call('PUT', paths.experiment(name), file, { type: 'application/yaml', query: authorship }),
    act: (name, action, request) => call('POST', paths.action(name, action), request),
    report: (name) => call('GET', paths.report(name)),
    verdict: (name) => call('GET', paths.verdict(name)),
    history: (name) => call('GET', paths.history(name)),
    audit: (name, recompute) =>
      call('GET', paths.audit(name), undefined, recompute === undefined ? {} : { query: { recompute } }),
    approve: (name, request) => call('POST', paths.approve(name), request),
    annotate: (name, annotation) => call('POST', paths.annotations(name), annotation),
    explain: (name, unit) => call('GET', paths.explain(name), undefined, { query: { unit } }),
    portfolio: ({ costPerTest } = {}) =>
      call(
        'GET',
        paths.portfolio,
        undefined,
        costPerTest === undefined ? {} : { query: { costPerTest: String(costPerTest) } },
      ),
    routing: () => call('GET', paths.routing),
    status: () => call('GET', paths.status),
    reportOutcomes: async (outcomes) => {
      let accepted = 0;
      for (const body of batchesOf(outcomes))
        accepted += (await call<OutcomesAnswer>('POST', paths.outcomes, body, { repeatable: true })).accepted;
      return { accepted };
    },
    reportEvents: async (experiment, events) => {
      let accepted = 0;
      let ignored = 0;
      for (const body of batchesOf(events)) {
        const answer = await call<EventsAnswer>('POST', paths.events(experiment), body, { repeatable: true });
        accepted += answer.accepted;
        ignored += answer.ignored;
      }
      return { accepted, ignored };
    },
  };
}

/** Lists as JSON, each small enough for one request. */
function* batchesOf(items: readonly unknown[]): Generator<string> {
  let texts: string[] = [];
  let characters = 0;
  for (const item of items) {
    const text = JSON.stringify(item) ?? 'null';
    if (texts.length > 0 && (texts.length === mostPerRequest || characters + text.length > charactersPerRequest)) {
      yield `[${texts.join(',')}]`;
      texts = [];
      characters = 0;
    }
    texts.push(text);
    characters += text.length + 1;
  }
  if (texts.length > 0) yield `[${texts.join(',')}]`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
