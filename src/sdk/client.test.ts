import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { toProblem } from '../api/index.ts';
import { AssayError } from '../errors.ts';
import { createClient } from './client.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function startServer(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}

const outcome = { id: 'o-1', type: 'click', value: true, predictionId: 'p-1' } as const;

describe('a client', () => {
  it('sends outcomes with its token and namespace', async () => {
    const seen: unknown[] = [];
    const server = await startServer(async (request, response) => {
      seen.push([request.method, request.url, request.headers.authorization, JSON.parse(await textOf(request))]);
      response.end('{"accepted": 1}');
    });
    const client = createClient({ server, token: 'secret', namespace: 'team' });
    expect(await client.reportOutcomes([outcome])).toEqual({ accepted: 1 });
    expect(seen).toEqual([['POST', '/api/v1/outcomes?namespace=team', 'Bearer secret', [outcome]]]);
  });

  it('sends more than a request may hold in several, and events to their experiment', async () => {
    const seen: [string | undefined, number][] = [];
    const server = await startServer(async (request, response) => {
      const { length } = JSON.parse(await textOf(request)) as readonly unknown[];
      seen.push([request.url, length]);
      response.end(JSON.stringify({ accepted: length - 1, ignored: 1 }));
    });
    const client = createClient({ server });
    const many = Array.from({ length: 10_001 }, (_, at) => ({ ...outcome, id: `o-${at}` }));
    expect(await client.reportOutcomes(many)).toEqual({ accepted: 9_998 });
    expect(await client.reportOutcomes([])).toEqual({ accepted: 0 });
    const large = Array.from({ length: 3 }, () => ({ text: 'x'.repeat(900_000) }));
    expect(await client.reportEvents('shop', large)).toEqual({ accepted: 1, ignored: 2 });
    const outcomes = '/api/v1/outcomes';
    const events = '/api/v1/events/shop';
    expect(seen).toEqual([
      [outcomes, 5_000],
      [outcomes, 5_000],
      [outcomes, 1],
      [events, 2],
      [events, 1],
    ]);
  });

  it('repeats what may pass and is safe to repeat, and gives up on the rest at once', async () => {
    let calls = 0;
    const server = await startServer((request, response) => {
      calls += 1;
      const isBusy = calls < 3;
      const problem = toProblem(new AssayError(isBusy ? 'evidence-not-durable' : 'outcome-invalid', 'no'));
      response.writeHead(problem.status, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify(problem));
      request.resume();
    });
    await expect(createClient({ server }).reportOutcomes([outcome])).rejects.toMatchObject({ code: 'outcome-invalid' });
    expect(calls).toBe(3);
    calls = 0;
    // A step is not repeated: it may have been taken although the answer was lost.
    await expect(createClient({ server }).act('x', 'start', { author: 'ann', reason: 'go' })).rejects.toMatchObject({
      code: 'evidence-not-durable',
    });
    expect(calls).toBe(1);
  });

  it('says when no server answers, when it is too slow, and when it is no Assay server', async () => {
    const server = await startServer((request, response) => {
      if (request.url?.includes('slow')) return;
      response.end('<html>');
    });
    const client = createClient({ server, timeoutMs: 200, retries: 0 });
    await expect(client.report('slow')).rejects.toMatchObject({ code: 'server-unreachable' });
    await expect(client.report('x')).rejects.toMatchObject({
      message: expect.stringContaining('is not an Assay answer'),
    });
    await expect(createClient({ server: 'http://127.0.0.1:9', retries: 0 }).status()).rejects.toMatchObject({
      code: 'server-unreachable',
      message: 'no Assay server answers at http://127.0.0.1:9',
    });
  });
});
