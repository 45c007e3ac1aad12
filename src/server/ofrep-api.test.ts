import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature } from '@openfeature/server-sdk';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMemoryControlLog } from '../adapters/memory-control-log.ts';
import { createExperimentService, type ExperimentService } from '../control/index.ts';
import { parseExperimentFile } from '../experiment/index.ts';
import { createAssigner } from '../sdk/index.ts';
import { mountOfrep } from './ofrep-api.ts';

const text = (name: string, { unit = '{header: x-user-id, orElse: control}', namespace = 'default' } = {}): string =>
  `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  route: {path: /${namespace}/${name}}
  unit: ${unit}
  control: a
  variants:
    - {name: a, weight: 1, upstream: {url: "http://127.0.0.1:1"}}
    - {name: b, weight: 1, upstream: {url: "http://127.0.0.1:2"}}
`;
const who = { author: 'ann', reason: 'test' };

let service: ExperimentService;
let server: Server;
let url: string;
beforeAll(async () => {
  service = await createExperimentService({ log: createMemoryControlLog({ now: () => 1_000 }) });
  for (const file of [
    text('colour'),
    text('rolls', { unit: 'request' }),
    text('other', { namespace: 'team' }),
    text('winner'),
    text('over'),
  ]) {
    const { name, namespace } = (await service.apply(parseExperimentFile(file), who)).experiment;
    await service.act('start', { name, namespace, ...who });
  }
  await service.act('promote', { name: 'winner', ...who });
  await service.act('stop', { name: 'over', ...who });
  const app = new Hono();
  mountOfrep(app, { service, random: Math.random });
  server = createAdaptorServer({ fetch: app.fetch }) as Server;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: url }));
});
afterAll(async () => {
  await OpenFeature.close();
  server.closeAllConnections();
  server.close();
});

const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${url}/ofrep/v1/evaluate/flags${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const someone = { context: { targetingKey: 'user-17' } };

describe('an OpenFeature SDK', () => {
  test('gets the variant that the gateway gives the same unit, with reason SPLIT', async () => {
    const assigner = createAssigner({ snapshot: service.snapshot() });
    const client = OpenFeature.getClient();
    for (let each = 0; each < 40; each += 1) {
      const targetingKey = `user-${each}`;
      const details = await client.getStringDetails('colour', 'none', { targetingKey });
      const { variant } = assigner.assign('colour', targetingKey, 'none');
      expect(details).toMatchObject({ value: variant, variant, reason: 'SPLIT' });
      expect(details.flagMetadata).toMatchObject({ experiment: 'colour', epoch: 1, propensity: 0.5 });
    }
  });

  test('gets its own default for a flag nobody knows, and for a context without a unit', async () => {
    const client = OpenFeature.getClient();
    expect(await client.getStringDetails('nobody', 'mine', { targetingKey: 'u' })).toMatchObject({
      value: 'mine',
      errorCode: 'FLAG_NOT_FOUND',
    });
    expect(await client.getStringDetails('colour', 'mine')).toMatchObject({
      value: 'mine',
      errorCode: 'TARGETING_KEY_MISSING',
    });
  });

  test('gets the winner after a promotion and the control after the end', async () => {
    const client = OpenFeature.getClient();
    const context = { targetingKey: 'u' };
    expect(await client.getStringDetails('winner', 'none', context)).toMatchObject({ value: 'b', reason: 'STATIC' });
    expect(await client.getStringDetails('over', 'none', context)).toMatchObject({ value: 'a', reason: 'DISABLED' });
  });

  test('reaches other namespaces by NAMESPACE/NAME', async () => {
    const details = await OpenFeature.getClient().getStringDetails('team/other', 'none', { targetingKey: 'u' });
    expect(details).toMatchObject({ reason: 'SPLIT', flagMetadata: { namespace: 'team' } });
  });

  test('needs no unit where every request is one', async () => {
    const seen = new Set<string>();
    for (let each = 0; each < 60; each += 1) seen.add(await OpenFeature.getClient().getStringValue('rolls', 'none'));
    expect([...seen].sort()).toEqual(['a', 'b']);
  });
});

describe('the remote evaluation protocol', () => {
  test('a client that has the answer gets 304 until the answer changes', async () => {
    const first = await post('', someone);
    const etag = first.headers.get('etag')!;
    const { flags } = (await first.json()) as { flags: { key: string }[] };
    expect(flags.map(({ key }) => key).sort()).toEqual(['colour', 'over', 'team/other', 'winner']);
    const again = await post('', someone, { 'if-none-match': etag });
    expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', etag]);
    await service.apply(parseExperimentFile(text('late')), who);
    await service.act('start', { name: 'late', ...who });
    expect((await post('', someone, { 'if-none-match': etag })).status).toBe(200);
  });

  test('two units have two tags where their variants differ', async () => {
    const tag = async (targetingKey: string): Promise<string | null> =>
      (await post('/colour', { context: { targetingKey } })).headers.get('etag');
    const tags = new Set(await Promise.all(Array.from({ length: 20 }, (_, each) => tag(`user-${each}`))));
    expect(tags.size).toBe(2);
  });

  test.each([
    ['{', 'PARSE_ERROR'],
    ['[]', 'INVALID_CONTEXT'],
    ['null', 'TARGETING_KEY_MISSING'],
    ['{"context": 7}', 'INVALID_CONTEXT'],
    ['{"context": {"targetingKey": 7}}', 'INVALID_CONTEXT'],
    [JSON.stringify({ context: { targetingKey: 'x'.repeat(513) } }), 'INVALID_CONTEXT'],
    ['{"context": {}}', 'TARGETING_KEY_MISSING'],
  ])('%s is refused with %s', async (body, errorCode) => {
    const reply = await post('/colour', body);
    expect(reply.status).toBe(400);
    expect(await reply.json()).toMatchObject({ key: 'colour', errorCode });
  });
});
