import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { CloudEvent, HTTP, type Message } from 'cloudevents';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readLog } from '../adapters/read-evidence-log.ts';
import type { LogRecord, OutcomeRecord } from '../evidence/index.ts';
import { parseExperimentFile } from '../experiment/index.ts';
import { createTurns, openIntake } from './read-intake.ts';
import { type RunningServer, startServer } from './server.ts';

const experiment = `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: shop}
spec:
  hypothesis: b sells more
  route: {path: /score}
  unit: {header: x-user-id, orElse: control}
  control: a
  variants:
    - {name: a, weight: 50, upstream: {url: "http://127.0.0.1:9", protocol: json}}
    - {name: b, weight: 50, upstream: {url: "http://127.0.0.1:9", protocol: json}}
  outcomes:
    clicks: {type: click, when: 'type == "com.shop.clicked"', unit: $.data.user_id, id: $.id, time: $.time, item: $.data.item}
  metrics:
    clicked: {mean: "default(outcome.click, 0)", window: 1h}
  decision: {minDuration: 0s}
`;

let directory: string;
let server: RunningServer;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-intake-'));
  server = await startServer({
    experiments: [parseExperimentFile(experiment)],
    dataDirectory: directory,
    port: 0,
    apiPort: 0,
  });
});
afterAll(async () => {
  await server.close();
  await rm(directory, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly body: {
    readonly accepted?: number;
    readonly ignored?: number;
    readonly code?: string;
    readonly detail?: string;
    readonly issues?: readonly { readonly text: string; readonly line?: number }[];
  };
}

async function post(
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
  path = '/api/v1/outcomes',
): Promise<Answer> {
  const reply = await fetch(`${server.apiUrl}${path}`, { method: 'POST', headers, body });
  return { status: reply.status, body: (await reply.json()) as Answer['body'] };
}

/** Outcomes in the log whose id begins so. */
async function recorded(prefix: string): Promise<readonly OutcomeRecord[]> {
  const found: OutcomeRecord[] = [];
  for await (const piece of readLog(directory)) {
    if (piece.kind === 'tail') continue;
    for (const line of piece.payload.toString('utf8').split('\n')) {
      if (line === '') continue;
      const record = JSON.parse(line) as LogRecord;
      if (record.kind === 'outcome' && record.id.startsWith(prefix)) found.push(record);
    }
  }
  return found;
}

const ndjson = { 'content-type': 'application/x-ndjson' };
const linesOf = (prefix: string, count: number): string =>
  Array.from({ length: count }, (_, at) =>
    JSON.stringify({ id: `${prefix}${at}`, type: 'click', value: true, unit: `user-${at}` }),
  ).join('\n');

describe('lines of JSON', () => {
  it('are taken whatever the line ends and however the body is compressed', async () => {
    const text = `${linesOf('plain-', 3).replaceAll('\n', '\r\n')}\r\n\r\n`;
    expect(await post(text, ndjson)).toEqual({ status: 200, body: { accepted: 3 } });
    for (const [encoding, compress] of [
      ['gzip', gzipSync],
      ['br', brotliCompressSync],
    ] as const) {
      const sent = compress(linesOf(`${encoding}-`, 2_500));
      expect(await post(sent, { ...ndjson, 'content-encoding': encoding })).toEqual({
        status: 200,
        body: { accepted: 2_500 },
      });
      expect(new Set((await recorded(`${encoding}-`)).map(({ id }) => id)).size).toBe(2_500);
    }
  });

  it('are all refused for one that is wrong, each fault with its line', async () => {
    const lines = linesOf('refused-', 1_500).split('\n');
    lines[1] = '{"id": "refused-1", "type": "click", "value": null, "unit": "u"}';
    lines[2] = '{"id": ';
    lines[1_400] = '[]';
    const { status, body } = await post(lines.join('\n'), ndjson);
    expect({ status, code: body.code }).toEqual({ status: 400, code: 'outcome-invalid' });
    expect(body.issues?.map(({ line }) => line)).toEqual([2, 3, 1_401]);
    expect(body.issues?.[0]?.text).toBe('line 2: value is null, must be a number, text or boolean');
    expect(body.issues?.[1]?.text).toContain('line 3 is not JSON');
    expect(body.detail).toMatch(/^line 2: value is null.* \(and 2 more\)$/);
    expect(await recorded('refused-')).toEqual([]);
  });

  it('count once per id when they are sent again', async () => {
    const text = linesOf('again-', 10);
    for (let time = 0; time < 2; time += 1) expect((await post(text, ndjson)).body).toEqual({ accepted: 10 });
    expect(new Set((await recorded('again-')).map(({ id }) => id)).size).toBe(10);
  });

  it('are refused when they are none, too long or too many', async () => {
    expect((await post('\n\n', ndjson)).body.detail).toBe('outcomes is empty, must hold at least one outcome');
    const long = await post(`{"id": "${'x'.repeat(70_000)}"}`, ndjson);
    expect(long).toMatchObject({ status: 413, body: { code: 'body-too-large' } });
    expect(long.body.detail).toContain('line 1 has');
    const many = await post(gzipSync('{}\n'.repeat(100_001)), { ...ndjson, 'content-encoding': 'gzip' });
    expect(many.body.detail).toContain('more than 100000 lines');
  });

  it('may be events of another program', async () => {
    const events = [
      { type: 'com.shop.clicked', id: 'line-event-1', time: '2026-11-22T10:00:00Z', data: { user_id: 17, item: 'i1' } },
      { type: 'com.shop.viewed' },
    ];
    const text = events.map((event) => JSON.stringify(event)).join('\n');
    expect((await post(text, ndjson, '/api/v1/events/shop')).body).toEqual({ accepted: 1, ignored: 1 });
    const wrong = await post(`${text}\n{"type": "com.shop.clicked", "id": "x"}`, ndjson, '/api/v1/events/shop');
    expect(wrong.body.issues).toMatchObject([{ line: 3, text: expect.stringContaining('line 3, read by clicks: ') }]);
  });
});

describe('a body beyond its bounds', () => {
  it('is refused by the size it has after decompression, and the server goes on', async () => {
    const bomb = gzipSync(Buffer.alloc(80 * 1024 * 1024, 0x20));
    expect(bomb.length).toBeLessThan(100_000);
    for (const type of ['application/json', 'application/x-ndjson']) {
      const refused = await post(bomb, { 'content-type': type, 'content-encoding': 'gzip' });
      expect(refused).toMatchObject({ status: 413, body: { code: 'body-too-large' } });
    }
    expect((await post(' '.repeat(9 * 1024 * 1024))).status).toBe(413);
    expect((await post(linesOf('alive-', 1))).body).toEqual({ accepted: 1 });
  });

  it('is refused also when nobody knows its length before', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const outgoing = httpRequest(`${server.apiUrl}/api/v1/outcomes`, { method: 'POST' }, (reply) => {
        reply.resume();
        resolve(reply.statusCode);
        outgoing.destroy();
      });
      outgoing.on('error', reject);
      const send = (left: number): void => {
        if (left > 0) outgoing.write(Buffer.alloc(64 * 1024, 0x20), () => send(left - 1));
      };
      send(200);
    });
    expect(status).toBe(413);
  });

  it('is refused when its compression is broken or unknown', async () => {
    const cut = gzipSync(linesOf('cut-', 100)).subarray(0, -20);
    const broken = await post(cut, { ...ndjson, 'content-encoding': 'gzip' });
    expect(broken).toMatchObject({ status: 400, body: { code: 'request-invalid' } });
    expect(broken.body.detail).toContain('is not whole gzip');
    expect(await recorded('cut-')).toEqual([]);
    const unknown = await post('x', { 'content-encoding': 'zstd' });
    expect(unknown).toMatchObject({ status: 415, body: { code: 'content-unsupported' } });
  });
});

describe('large bodies', () => {
  it('take turns', async () => {
    const inTurn = createTurns(2);
    const ends: (() => void)[] = [];
    let running = 0;
    const works = Array.from({ length: 5 }, (_, at) =>
      inTurn(async () => {
        running += 1;
        await new Promise<void>((resolve) => ends.push(resolve));
        running -= 1;
        if (at === 1) throw new Error('one that fails gives its turn back');
        return at;
      }).catch(() => -1),
    );
    for (let ended = 0; ended < 5; ended += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(running).toBe(Math.min(2, 5 - ended));
      ends.shift()?.();
    }
    expect(await Promise.all(works)).toEqual([0, -1, 2, 3, 4]);
  });

  it('come out the same wherever their chunks end', async () => {
    const bytes = new TextEncoder().encode(`${linesOf('chünk-', 40)}\n`);
    for (const size of [1, 7, 64, 1_000]) {
      const body = new ReadableStream({
        start(controller) {
          for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
          controller.close();
        },
      });
      const request = new Request('http://x/', {
        method: 'POST',
        headers: ndjson,
        body,
        duplex: 'half',
      } as RequestInit);
      const ids: string[] = [];
      for await (const piece of openIntake(request).pieces)
        ids.push(...(piece.body as readonly { id: string }[]).map(({ id }) => id));
      expect(ids).toEqual(Array.from({ length: 40 }, (_, at) => `chünk-${at}`));
    }
  });
});

describe('events sent by the CloudEvents SDK', () => {
  const event = (id: string, changes: Partial<CloudEvent<unknown>> = {}): CloudEvent<unknown> =>
    new CloudEvent({
      id,
      source: '/shop/front',
      type: 'com.shop.revenue.v2',
      time: '2026-11-22T10:15:00.000Z',
      data: { value: 19.9, unit: 'user-17', attributes: { currency: 'EUR' } },
      ...changes,
    } as Partial<CloudEvent<unknown>>);
  const send = ({ headers, body }: Message, path?: string): Promise<Answer> =>
    post(body as string, headers as Record<string, string>, path);

  it('are outcomes in binary, structured and batch mode alike', async () => {
    expect((await send(HTTP.binary(event('binary')) as Message)).body).toEqual({ accepted: 1 });
    expect((await send(HTTP.structured(event('structured')) as Message)).body).toEqual({ accepted: 1 });
    const batch = { headers: { 'content-type': 'application/cloudevents-batch+json' } };
    const body = JSON.stringify([event('batch-1'), event('batch-2')]);
    expect((await send({ ...batch, body } as Message)).body).toEqual({ accepted: 2 });
    expect((await send({ ...batch, body: '[]' } as Message)).body).toEqual({ accepted: 0 });
    const found = await recorded('/shop/front ');
    expect(found.map(({ id }) => id)).toEqual(
      ['binary', 'structured', 'batch-1', 'batch-2'].map((id) => `/shop/front ${id}`),
    );
    for (const record of found)
      expect(record).toMatchObject({
        type: 'revenue',
        value: 19.9,
        timeMs: Date.parse('2026-11-22T10:15:00Z'),
        subject: { kind: 'unit' },
        attributes: { currency: 'EUR' },
      });
  });

  it('name their subject and a plain value too', async () => {
    const sent = event('scalar', { type: 'label', subject: 'prediction/p-1#3', data: 1, time: undefined as never });
    expect((await send(HTTP.structured(sent) as Message)).body).toEqual({ accepted: 1 });
    expect(await recorded('/shop/front scalar')).toMatchObject([
      { type: 'label', value: 1, subject: { kind: 'prediction', predictionId: 'p-1#3' } },
    ]);
  });

  it('are read by the mappings of an experiment in the form their JSON has', async () => {
    const clicked = event('mapped', { type: 'com.shop.clicked', data: { user_id: 'user-17', item: 'i-4' } });
    for (const mode of [HTTP.binary, HTTP.structured])
      expect((await send(mode(clicked) as Message, '/api/v1/events/shop')).body).toEqual({ accepted: 1, ignored: 0 });
    expect((await recorded('mapped')).at(-1)).toMatchObject({ type: 'click', attributes: { item_id: 'i-4' } });
  });

  it('are refused with the place of each fault', async () => {
    const structured = { 'content-type': 'application/cloudevents+json' };
    const wrong = await post('{"specversion": "0.3", "id": "1", "type": "t", "source": ""}', structured);
    expect(wrong.body.issues?.map(({ text }) => text)).toEqual([
      'event.specversion is "0.3", must be "1.0"',
      'event.source is "", must be a non-empty text',
    ]);
    const nobody = await send(HTTP.binary(event('nobody', { data: { value: 1 } })) as Message);
    expect(nobody.body.detail).toContain('must have exactly one of: predictionId, requestId, unit');
    const xml = await post('<event/>', { 'content-type': 'application/cloudevents+xml' });
    expect(xml).toMatchObject({ status: 415, body: { code: 'content-unsupported' } });
    expect((await post('{}', { 'content-type': 'application/cloudevents-batch+json' })).status).toBe(400);
  });
});
