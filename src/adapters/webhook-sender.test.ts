// Does a receiver get every event once it listens, and only what it is owed? Real receivers on real sockets.
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CountingObserver, createCountingObserver } from './counting-observer.ts';
import {
  createWebhookSender,
  type WebhookEvent,
  type WebhookSender,
  type WebhookSenderOptions,
} from './webhook-sender.ts';

interface Call {
  readonly atMs: number;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Receiver {
  readonly url: string;
  readonly calls: readonly Call[];
}

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const event = (id: string): WebhookEvent => ({
  id,
  type: 'experiment.pause',
  timeMs: 1_700_000_000_000,
  data: { experiment: 'scores', reason: 'a look' },
});

let servers: Server[];
let senders: WebhookSender[];
let observer: CountingObserver;
beforeEach(() => {
  servers = [];
  senders = [];
  observer = createCountingObserver({ now: Date.now });
});
afterEach(async () => {
  await Promise.all(senders.map((sender) => sender.close(0)));
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** A receiver; `answer` is told which call it is, from 1. */
async function receive(answer: (nth: number, reply: ServerResponse) => void): Promise<Receiver> {
  const calls: Call[] = [];
  const server = createServer((request, reply) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      calls.push({ atMs: performance.now(), path: request.url ?? '', headers: request.headers, body });
      answer(calls.length, reply);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?key=hush`, calls };
}

function send(options: Pick<WebhookSenderOptions, 'url'> & Partial<WebhookSenderOptions>): WebhookSender {
  const sender = createWebhookSender({ secret, observer, random: () => 0, pausesMs: [20, 20, 20], ...options });
  senders.push(sender);
  return sender;
}

const counted = (name: string): number =>
  observer
    .counts()
    .filter((count) => count.name === name)
    .reduce((sum, { value }) => sum + value, 0);
const status =
  (code: number) =>
  (_: number, reply: ServerResponse): void => {
    reply.writeHead(code).end('the words of the receiver');
  };
const patience = { timeout: 60_000, interval: 5 };

describe('a webhook', { timeout: 40_000 }, () => {
  it('is signed as Standard Webhooks has it, over exactly what is sent', async () => {
    const receiver = await receive(status(204));
    send(receiver).send(event('msg_1'));
    await expect.poll(() => counted('webhook_sent'), patience).toBe(1);
    const [call] = receiver.calls;
    const headers = call?.headers as Record<string, string>;
    expect(new Webhook(secret).verify(call?.body ?? '', headers)).toEqual({
      type: 'experiment.pause',
      timestamp: '2023-11-14T22:13:20.000Z',
      data: { experiment: 'scores', reason: 'a look' },
    });
    expect(headers['webhook-id']).toBe('msg_1');
    expect(() => new Webhook(secret).verify(`${call?.body} `, headers)).toThrow();
    expect(JSON.stringify(call)).not.toContain(secret.slice(6));
  });

  it('is tried again with the same id and a fresh signature, and the next one waits for it', async () => {
    const receiver = await receive((nth, reply) => {
      if (nth === 1) reply.socket?.destroy();
      else status(nth === 2 ? 503 : 200)(nth, reply);
    });
    const sender = send(receiver);
    sender.send(event('msg_1'));
    sender.send(event('msg_2'));
    await expect.poll(() => counted('webhook_sent'), patience).toBe(2);
    expect(receiver.calls.map(({ headers }) => headers['webhook-id'])).toEqual(['msg_1', 'msg_1', 'msg_1', 'msg_2']);
    for (const { body, headers } of receiver.calls)
      expect(() => new Webhook(secret).verify(body, headers as Record<string, string>)).not.toThrow();
    expect(counted('webhook_dropped')).toBe(0);
  });

  it.each([
    [0, 200],
    [0.999, 399],
  ])('pauses between half and all of what is set: at chance %d no less than %d of 400 ms', async (chance, leastMs) => {
    const receiver = await receive((nth, reply) => status(nth === 1 ? 500 : 200)(nth, reply));
    send({ ...receiver, random: () => chance, pausesMs: [400] }).send(event('msg_1'));
    await expect.poll(() => counted('webhook_sent'), patience).toBe(1);
    const [first, second] = receiver.calls;
    // A timer may be a millisecond early by this clock.
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(leastMs - 2);
  });

  it('is given up after the last pause, counted, and the next one has its turn', async () => {
    const receiver = await receive((nth, reply) => status(nth <= 4 ? 500 : 200)(nth, reply));
    const sender = send(receiver);
    sender.send(event('msg_1'));
    sender.send(event('msg_2'));
    await expect.poll(() => counted('webhook_sent'), patience).toBe(1);
    expect(counted('webhook_dropped')).toBe(1);
    expect(receiver.calls.map(({ headers }) => headers['webhook-id'])).toEqual([
      ...['msg_1', 'msg_1', 'msg_1', 'msg_1'],
      'msg_2',
    ]);
  });

  it.each([400, 410])('is not tried again where the receiver says %d', async (code) => {
    const receiver = await receive(status(code));
    send(receiver).send(event('msg_1'));
    await expect.poll(() => counted('webhook_dropped'), patience).toBe(1);
    expect(receiver.calls).toHaveLength(1);
  });

  it('follows no redirect, and tells nobody its key, its body or the receiver’s words', async () => {
    const elsewhere = await receive(status(200));
    const receiver = await receive((_, reply) => {
      reply.writeHead(307, { location: elsewhere.url }).end('the words of the receiver');
    });
    send({ ...receiver, pausesMs: [] }).send(event('msg_1'));
    await expect.poll(() => counted('webhook_dropped'), patience).toBe(1);
    expect(elsewhere.calls).toEqual([]);
    const told = JSON.stringify([observer.faults(), observer.counts()]);
    expect(told).toContain(`${new URL(receiver.url).host} answered 307 to experiment.pause`);
    for (const hidden of ['hush', 'a look', 'scores', 'the words of the receiver', secret.slice(6)])
      expect(told).not.toContain(hidden);
  });

  it('that nobody takes keeps no more than it may, the newest', async () => {
    let release: (() => void) | undefined;
    const receiver = await receive((nth, reply) => {
      if (nth === 1) release = () => status(200)(nth, reply);
      else status(200)(nth, reply);
    });
    const sender = send({ ...receiver, mostWaiting: 3 });
    sender.send(event('msg_1'));
    await expect.poll(() => receiver.calls.length, patience).toBe(1);
    for (const id of ['msg_2', 'msg_3', 'msg_4', 'msg_5']) sender.send(event(id));
    release?.();
    await expect.poll(() => counted('webhook_sent'), patience).toBe(4);
    expect(receiver.calls.map(({ headers }) => headers['webhook-id'])).toEqual(['msg_1', 'msg_3', 'msg_4', 'msg_5']);
    expect(counted('webhook_dropped')).toBe(2);
  });

  it('that waits gets one more try at the end, and a receiver that never answers holds nobody up', async () => {
    const later = await receive((nth, reply) => status(nth === 1 ? 503 : 200)(nth, reply));
    const patient = send({ ...later, pausesMs: [600_000] });
    patient.send(event('msg_1'));
    // Once the answer has been read it waits for its next try.
    await expect.poll(() => JSON.stringify(observer.faults()), patience).toContain('answered 503');
    await patient.close(20_000);
    expect(later.calls).toHaveLength(2);
    expect(counted('webhook_sent')).toBe(1);

    const silent = await receive(() => {});
    const waiting = send({ ...silent, timeoutMs: 600_000 });
    waiting.send(event('msg_2'));
    await expect.poll(() => silent.calls.length, patience).toBe(1);
    await waiting.close(50);
    expect(counted('webhook_dropped')).toBe(1);
    waiting.send(event('msg_3'));
    expect(silent.calls).toHaveLength(1);
  });

  it.each([
    [{ url: 'ftp://example.org/hook' }, 'must be an http or https address'],
    [{ url: 'not an address' }, 'must be an http or https address'],
    [{ url: 'http://127.0.0.1:1/', secret: 'whsec_c2hvcnQ=' }, 'the webhook secret holds 5 bytes in base64'],
  ])('refuses %j', (options, message) => {
    expect(() => send(options)).toThrow(message);
  });
});
