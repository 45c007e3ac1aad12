import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../stats/index.ts';
import { drive } from './drive.ts';
import { type ForecastCase, splitInTime } from './forecast-models.ts';
import { loadMarketDays } from './market-data.ts';
import { type PlannedRequest, planTraffic, type TruthPlan } from './traffic-plan.ts';

let questions: readonly ForecastCase[] = [];
beforeAll(async () => {
  questions = splitInTime(await loadMarketDays()).ask;
});

interface Outcome {
  readonly id: string;
  readonly type: string;
  readonly value: number;
  readonly time: number;
  readonly predictionId: string;
}

/** Any HTTP server that names its predictions and takes outcomes; it writes down what it was told. */
function createNotebook(
  options: { readonly refuseOutcomes?: number; readonly failEvery?: number; readonly replyMs?: number } = {},
) {
  const calls: { id: string; user: string; isNew: string; predictionId: string }[] = [];
  const outcomes: (Outcome & { receivedMs: number })[] = [];
  let inFlight = 0;
  let mostInFlight = 0;
  let refusals = options.refuseOutcomes ?? 0;
  const server: Server = createServer(async (request, response) => {
    const body = await read(request);
    if (request.url === '/api/v1/outcomes') {
      if (refusals-- > 0) {
        response.writeHead(503).end('{}');
        return;
      }
      for (const outcome of body) outcomes.push({ ...outcome, receivedMs: Date.now() });
      response.writeHead(200).end('{}');
      return;
    }
    mostInFlight = Math.max(mostInFlight, ++inFlight);
    const predictionId = `p-${calls.length}`;
    const { 'x-user-id': user, 'x-new-user': isNew } = request.headers;
    calls.push({ id: body.id, user: String(user), isNew: String(isNew), predictionId });
    const isFailing = options.failEvery !== undefined && calls.length % options.failEvery === 0;
    setTimeout(() => {
      inFlight--;
      response.writeHead(isFailing ? 502 : 200, { 'x-assay-prediction-id': predictionId }).end('{}');
    }, options.replyMs ?? 2);
  });
  return { server, calls, outcomes, mostInFlight: () => mostInFlight };
}

// biome-ignore lint/suspicious/noExplicitAny: a notebook takes what it gets
async function read(request: IncomingMessage): Promise<any> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function withTruth(plan: readonly PlannedRequest[], truth: TruthPlan): readonly PlannedRequest[] {
  return plan.map((request) => ({ ...request, truth }));
}

const quiet = { model: 'forecast', workers: 5, dayMs: 2, isLost: () => false, onProgress: () => {} } as const;
const planOf = (requests: number): readonly PlannedRequest[] =>
  planTraffic({ requests, questions, random: createRandom(1) });

describe('drive', () => {
  it('sends every request once with its user, never more than the workers at a time', async () => {
    // Slower than the replay clock, so that all workers are busy.
    const notebook = createNotebook({ replyMs: 20 });
    const url = await listen(notebook.server);
    const plan = planOf(100);
    const progress: number[] = [];
    const done = await drive({
      ...quiet,
      gatewayUrl: url,
      apiUrl: url,
      plan,
      onProgress: (count) => progress.push(count),
    });
    expect(done).toMatchObject({ sent: 100, users: 50, lost: 0, callerFailed: 0 });
    const byDay = new Map(notebook.calls.map((call) => [call.id, call]));
    expect(byDay.size).toBe(100);
    for (const [day, { user }] of plan.entries()) {
      expect(byDay.get(`question-${day}`)).toMatchObject({ user: user.id, isNew: String(user.isNew) });
    }
    expect(notebook.mostInFlight()).toBe(5);
    expect(progress.at(-1)).toBe(100);
  });

  it('reports the truth of each prediction by its id, not before its day on the replay clock', async () => {
    const notebook = createNotebook();
    const url = await listen(notebook.server);
    const plan = withTruth(planOf(60), { kind: 'reported', afterDays: 10, againAfterDays: null });
    const startMs = Date.now();
    const done = await drive({ ...quiet, gatewayUrl: url, apiUrl: url, plan, dayMs: 5 });
    expect(done).toMatchObject({ truthsPosted: 60, truthsLate: 60, truthsTwice: 0, truthsNever: 0 });
    expect(notebook.outcomes).toHaveLength(60);
    const calls = new Map(notebook.calls.map((call) => [call.predictionId, call]));
    for (const { id, type, value, time, predictionId, receivedMs } of notebook.outcomes) {
      const call = calls.get(predictionId)!;
      expect({ id, type }).toEqual({ id: `label-${predictionId}`, type: 'label' });
      expect(receivedMs).toBeGreaterThanOrEqual(time);
      const day = Number(call.id.slice('question-'.length));
      expect(value).toBe(plan[day]!.question.label);
      expect(time).toBeGreaterThanOrEqual(startMs + (day + 10) * 5);
    }
  });

  it('reports some truths twice under one id and some never', async () => {
    const notebook = createNotebook();
    const url = await listen(notebook.server);
    const plan = [
      ...withTruth(planOf(10), { kind: 'reported', afterDays: 1, againAfterDays: 4 }),
      ...withTruth(planOf(10), { kind: 'never' }),
    ];
    const done = await drive({ ...quiet, gatewayUrl: url, apiUrl: url, plan });
    expect(done).toMatchObject({ truthsPosted: 20, truthsTwice: 10, truthsNever: 10 });
    const ids = notebook.outcomes.map(({ id }) => id);
    expect(ids).toHaveLength(20);
    expect(new Set(ids).size).toBe(10);
  });

  it('loses no truth when the API asks to come back later', async () => {
    const notebook = createNotebook({ refuseOutcomes: 2 });
    const url = await listen(notebook.server);
    const plan = withTruth(planOf(20), { kind: 'reported', afterDays: 1, againAfterDays: null });
    await drive({ ...quiet, gatewayUrl: url, apiUrl: url, plan });
    expect(new Set(notebook.outcomes.map(({ predictionId }) => predictionId)).size).toBe(20);
  });

  it('sends nothing for lost users and says how much was lost', async () => {
    const notebook = createNotebook();
    const url = await listen(notebook.server);
    const plan = planOf(100);
    const lostUser = plan[0]!.user.id;
    const expected = plan.filter(({ user }) => user.id === lostUser).length;
    const done = await drive({ ...quiet, gatewayUrl: url, apiUrl: url, plan, isLost: (user) => user === lostUser });
    expect(done).toMatchObject({ sent: 100 - expected, lost: expected });
    expect(notebook.calls.some(({ user }) => user === lostUser)).toBe(false);
  });

  it('counts callers that got an error', async () => {
    const notebook = createNotebook({ failEvery: 10 });
    const url = await listen(notebook.server);
    const done = await drive({ ...quiet, gatewayUrl: url, apiUrl: url, plan: planOf(100) });
    expect(done.callerFailed).toBe(10);
  });

  it('ends with one clear message when nobody answers, and when it is told to stop', async () => {
    const notebook = createNotebook();
    const url = await listen(notebook.server);
    const nobody = drive({ ...quiet, gatewayUrl: 'http://127.0.0.1:1', apiUrl: url, plan: planOf(5) });
    await expect(nobody).rejects.toMatchObject({ code: 'server-unreachable', message: /the gateway did not answer/ });
    const stopped = drive({
      ...quiet,
      gatewayUrl: url,
      apiUrl: url,
      plan: planOf(500),
      signal: AbortSignal.timeout(50),
    });
    await expect(stopped).rejects.toThrow('timeout');
  });
});
