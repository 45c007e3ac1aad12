// What do programs ask that wait for a decision, and how do people answer what the loop has proposed? The gate, approvals, annotations.
import type { Hono } from 'hono';
import { parseAnnotationRequest, parseApprovalRequest, paths } from '../api/index.ts';
import { approve, type ExperimentService, type ExperimentState, rolloutGate } from '../control/index.ts';
import type { Report } from '../decision/index.ts';
import { AssayError } from '../errors.ts';
import { experimentAnswer } from './experiment-answer.ts';

/** What the routes need. */
export interface GateOptions {
  readonly service: ExperimentService;
  readonly report: (name: string, namespace: string) => Promise<Report>;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** Adds the routes. The gate goes before the plain verdict of the same path, which has no `for`. */
export function mountGate(app: Hono, { service, report, now }: GateOptions): void {
  app.get(`${paths.experiments}/:name/verdict`, async (context, next) => {
    const purpose = context.req.query('for');
    if (purpose === undefined) return next();
    if (purpose !== 'rollout')
      throw new AssayError('request-invalid', `for is ${JSON.stringify(purpose)}, must be rollout`);
    // Whoever waits takes any other status for a fault of ours and gives up; so every answer is 200 and says what there is.
    const gate = await answer(context.req.param('name'), context.req.query('namespace') || 'default');
    return context.json({ ...gate, data: gate });
  });
  app.post(`${paths.experiments}/:name/approve`, async (context) => {
    const request = parseApprovalRequest(await bodyOf(context.req.raw));
    const about = { name: context.req.param('name'), namespace: context.req.query('namespace') || 'default' };
    return context.json(experimentAnswer(service, await approve(service, { ...about, ...request })));
  });
  app.post(`${paths.experiments}/:name/annotations`, async (context) => {
    const { author, text, atMs, untilMs } = parseAnnotationRequest(await bodyOf(context.req.raw), now());
    const state = await service.note({
      name: context.req.param('name'),
      namespace: context.req.query('namespace') || 'default',
      author,
      reason: text,
      note: { kind: 'annotate', text, atMs, ...(untilMs === undefined ? {} : { untilMs }) },
    });
    return context.json({ annotations: state.annotations });
  });

  async function answer(name: string, namespace: string): Promise<ReturnType<typeof rolloutGate>> {
    let state: ExperimentState | undefined;
    try {
      state = service.get(name, namespace);
      return rolloutGate(state, { verdict: (await report(name, namespace)).verdict });
    } catch (fault) {
      return rolloutGate(state, { verdict: undefined, reason: fault instanceof Error ? fault.message : String(fault) });
    }
  }
}

async function bodyOf(request: Request): Promise<unknown> {
  try {
    return JSON.parse(await request.text());
  } catch (cause) {
    throw new AssayError('request-invalid', `the body is not JSON: ${(cause as Error).message}`, { cause });
  }
}
