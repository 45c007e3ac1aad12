import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { unreadyReasons } from './health.ts';
import { startServer } from './index.ts';

const sound = { log: { fault: null }, serving: [], loop: { lateMs: 0 } };

describe('readiness', () => {
  it('has no reason against a server whose parts all work', () => {
    expect(unreadyReasons(sound)).toEqual([]);
    expect(unreadyReasons({ ...sound, loop: { lateMs: 9_000 } })).toEqual([]);
  });

  it('names every part that does not', () => {
    expect(
      unreadyReasons({
        log: { fault: 'the disk is full' },
        serving: ['no gateway worker serves'],
        loop: { lateMs: 61_000 },
      }),
    ).toEqual([
      'the disk is full',
      'no gateway worker serves',
      'the decision loop last ticked 61 s too long ago, so no guardrail is watched',
    ]);
    expect(unreadyReasons({ ...sound, serving: null })).toEqual(['the gateway does not listen yet']);
  });
});

describe('the probes of a server that drains', () => {
  it('say that it lives and that no traffic should come, and why', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'assay-health-'));
    const waiting: ServerResponse[] = [];
    const model = createServer((_request, response) => void waiting.push(response)).listen(0, '127.0.0.1');
    await once(model, 'listening');
    const server = await startServer({
      dataDirectory: folder,
      port: 0,
      apiPort: 0,
      dataPlane: { defaultUpstream: `http://127.0.0.1:${(model.address() as AddressInfo).port}` },
    });
    const probe = async (path: string): Promise<[number, string]> => {
      const reply = await fetch(`${server.apiUrl}${path}`);
      return [reply.status, await reply.text()];
    };
    expect((await probe('/healthz'))[0]).toBe(200);
    expect((await probe('/readyz'))[0]).toBe(200);
    const asked = fetch(`${server.gatewayUrl}/anything`);
    await vi.waitFor(() => expect(waiting).toHaveLength(1), 10_000);
    const closed = server.close();
    await vi.waitFor(async () => {
      const [status, text] = await probe('/readyz');
      expect(status).toBe(503);
      expect(text).toContain('the gateway is draining');
    }, 120_000);
    expect((await probe('/healthz'))[0]).toBe(200);
    waiting[0]!.end('done');
    expect(await (await asked).text()).toBe('done');
    await closed;
    model.closeAllConnections();
    await new Promise((resolve) => model.close(resolve));
    await rm(folder, { recursive: true, force: true });
  });
});
