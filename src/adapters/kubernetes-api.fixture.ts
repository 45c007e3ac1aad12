// The part of the Kubernetes API that Assay uses, over real HTTP, with what a real one does seldom: forgotten versions, lost
// connections, other writers. The systems suite asks a real one.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KubernetesObject } from './kubernetes-client.ts';

/** A running double. */
export interface KubernetesApi {
  /** Text of a kubeconfig for it. */
  readonly config: string;
  /** Requests so far, as `METHOD path`. */
  readonly asked: readonly string[];
  put(name: string, spec: unknown): void;
  read(name: string): KubernetesObject | undefined;
  remove(name: string): void;
  /** Cuts every watch; versions before now are forgotten, so that going on from one is 410. */
  forget(): void;
  /** Calls back before each write of a status or an apply. */
  beforeWrite(then: (name: string) => void): void;
  /** Answers that come instead, one per request; `null` cuts the connection. */
  failNext(statuses: readonly (number | null)[]): void;
  close(): Promise<void>;
}

type Stored = KubernetesObject & {
  readonly metadata: { readonly resourceVersion: string; readonly generation: number };
};

/** Starts it on a free port, for one kind in the namespace `default`. */
export async function startKubernetesApi({ group }: { readonly group: string }): Promise<KubernetesApi> {
  const objects = new Map<string, Stored>();
  const changes: { readonly version: number; readonly line: string }[] = [];
  const watches = new Set<{ readonly reply: ServerResponse }>();
  const asked: string[] = [];
  const failures: (number | null)[] = [];
  let version = 1;
  let oldest = 0;
  let onWrite: (name: string) => void = () => {};
  const root = `/apis/${group}/v1alpha1/namespaces/default/experiments`;

  const announce = (type: string, object: Stored): void => {
    const line = `${JSON.stringify({ type, object })}\n`;
    changes.push({ version, line });
    for (const { reply } of watches) reply.write(line);
  };
  const store = (name: string, change: { readonly spec?: unknown; readonly status?: unknown }): Stored => {
    const before = objects.get(name);
    version += 1;
    const isNewSpec = change.spec !== undefined && JSON.stringify(change.spec) !== JSON.stringify(before?.spec);
    const status = change.status ?? before?.status;
    const object: Stored = {
      apiVersion: `${group}/v1alpha1`,
      kind: 'Experiment',
      metadata: {
        name,
        namespace: 'default',
        uid: before?.metadata.uid ?? `uid-${version}`,
        generation: (before?.metadata.generation ?? 0) + (isNewSpec ? 1 : 0),
        resourceVersion: String(version),
      },
      spec: change.spec ?? before?.spec,
      ...(status === undefined ? {} : { status }),
    };
    objects.set(name, object);
    announce(before === undefined ? 'ADDED' : 'MODIFIED', object);
    return object;
  };

  const answer = async (request: IncomingMessage, reply: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '', 'http://localhost');
    asked.push(`${request.method} ${url.pathname}`);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const say = (status: number, body: unknown): void => {
      reply.writeHead(status, { 'content-type': 'application/json' });
      reply.end(JSON.stringify(body));
    };
    const refuse = (code: number, message: string, name?: string): void =>
      say(code, { kind: 'Status', code, message, ...(name === undefined ? {} : { details: { name } }) });
    const failure = failures.shift();
    if (failure === null) {
      request.socket.destroy();
      return;
    }
    if (failure !== undefined) return refuse(failure, `a made failure ${failure}`);
    if (url.pathname === root && url.searchParams.get('watch') === 'true') {
      const from = Number(url.searchParams.get('resourceVersion'));
      if (from < oldest) return refuse(410, 'too old resource version');
      reply.writeHead(200, { 'content-type': 'application/json' });
      reply.flushHeaders();
      for (const each of changes) if (each.version > from) reply.write(each.line);
      const watch = { reply };
      watches.add(watch);
      reply.once('close', () => watches.delete(watch));
      return;
    }
    if (url.pathname === root)
      return say(200, { items: [...objects.values()], metadata: { resourceVersion: String(version) } });
    const [name = '', subresource] = url.pathname.slice(root.length + 1).split('/');
    if (!url.pathname.startsWith(`${root}/`)) return refuse(404, '404 page not found');
    if (request.method === 'PATCH') onWrite(name);
    const present = objects.get(name);
    if (present === undefined) return refuse(404, `experiments "${name}" not found`, name);
    if (request.method === 'GET') return say(200, present);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as KubernetesObject;
    const wanted = body.metadata.resourceVersion;
    if (wanted !== undefined && wanted !== present.metadata.resourceVersion)
      return refuse(409, 'the object has been modified', name);
    const isStatus = subresource === 'status';
    const spec = { ...(present.spec as object), ...(body.spec as object) };
    const merged = { ...(present.status as object | undefined), ...(body.status as object | undefined) };
    say(200, store(name, isStatus ? { status: merged } : { spec }));
  };
  const server = createServer((request, reply) => void answer(request, reply));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const cut = (): void => {
    for (const { reply } of watches) reply.destroy();
  };
  return {
    config: JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      clusters: [{ name: 'test', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'user', user: {} }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'user', namespace: 'default' } }],
    }),
    asked,
    put: (name, spec) => void store(name, { spec }),
    read: (name) => objects.get(name),
    remove(name) {
      const object = objects.get(name);
      if (object === undefined) return;
      objects.delete(name);
      version += 1;
      announce('DELETED', { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } });
    },
    forget() {
      changes.length = 0;
      oldest = version + 1;
      version += 1;
      cut();
    },
    beforeWrite(then) {
      onWrite = then;
    },
    failNext: (statuses) => void failures.push(...statuses),
    async close() {
      cut();
      server.closeAllConnections();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}
