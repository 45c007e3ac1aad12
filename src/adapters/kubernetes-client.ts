// How are custom resources read, written and watched in Kubernetes? Connection and credentials come from the library
// @kubernetes/client-node (loaded when asked for); the few requests themselves are plain JSON over HTTP.
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import { AssayError } from '../errors.ts';

/** A custom resource, as far as every kind has the same members. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly resourceVersion?: string;
    readonly generation?: number;
    readonly uid?: string;
    readonly deletionTimestamp?: string;
  };
  readonly spec?: unknown;
  readonly status?: unknown;
}

/** A kind of resource, in one namespace or, without it, in all. */
export interface KubernetesResource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespace?: string;
}

/** One line of a watch. */
export type KubernetesEvent =
  | { readonly kind: 'changed' | 'gone'; readonly object: KubernetesObject }
  /** Nothing changed up to this version. */
  | { readonly kind: 'bookmark'; readonly object: KubernetesObject }
  /** The version is too old to go on from: list again. */
  | { readonly kind: 'expired' };

/** The Kubernetes API, for custom resources. Refusals are AssayErrors: `revision-conflict` for a 409, `kubernetes-refused`, `kubernetes-unreachable`. */
export interface KubernetesClient {
  /** Namespace of the pod or of the current context. */
  readonly namespace: string;
  list(
    resource: KubernetesResource,
  ): Promise<{ readonly items: readonly KubernetesObject[]; readonly resourceVersion: string }>;
  /** Undefined when there is none of this name. */
  get(resource: KubernetesResource, name: string): Promise<KubernetesObject | undefined>;
  /**
   * Server-side apply: the members given become this field manager's, even where another one has set them. With
   * `metadata.resourceVersion` it is refused as `revision-conflict` when somebody changed the object in between.
   */
  apply(resource: KubernetesResource, object: KubernetesObject): Promise<KubernetesObject>;
  /** Merges into the status. Refused as `revision-conflict` when the object is no longer the one given. */
  mergeStatus(
    resource: KubernetesResource,
    object: KubernetesObject,
    status: Readonly<Record<string, unknown>>,
  ): Promise<KubernetesObject>;
  /** Changes after a version, until the server ends the watch (every few minutes) or the signal does. */
  watch(
    resource: KubernetesResource,
    options: { readonly resourceVersion: string; readonly signal: AbortSignal },
  ): AsyncIterable<KubernetesEvent>;
}

/** Options of `openKubernetesClient`. */
export interface KubernetesClientOptions {
  /** Text of a kubeconfig; by default what kubectl would use, or the pod's service account. */
  readonly config?: string;
  /** Name of this writer in the managed fields. */
  readonly fieldManager: string;
  /** Default 15000, for everything but a watch. */
  readonly timeoutMs?: number;
  /** Default 290: the server ends a watch then, and we a little later if it does not. */
  readonly watchSeconds?: number;
}

/** How often a request is made that was not answered or is told to come again. */
const mostTries = 4;
const firstPauseMs = 200;
/** Longer lines are no resource of ours. */
const longestLine = 8 * 1024 * 1024;

/** @throws AssayError `dependency-missing` without the library, `kubernetes-refused` without a cluster to talk to. */
export async function openKubernetesClient(options: KubernetesClientOptions): Promise<KubernetesClient> {
  const { KubeConfig } = await loadLibrary();
  const config = new KubeConfig();
  try {
    if (options.config === undefined) config.loadFromDefault();
    else config.loadFromString(options.config);
  } catch (cause) {
    throw new AssayError('kubernetes-refused', `the kubeconfig cannot be read: ${(cause as Error).message}`, { cause });
  }
  const server = config.getCurrentCluster()?.server;
  if (server === undefined || !URL.canParse(server))
    throw new AssayError('kubernetes-refused', 'no cluster is configured, must be a pod or have a kubeconfig', {
      fix: 'Set KUBECONFIG, or run it in a pod with a service account.',
    });
  const { timeoutMs = 15_000, watchSeconds = 290 } = options;

  /** The open reply of one request. Credentials are asked for anew: a service account's token rotates. */
  const open = async (call: Call): Promise<Reply> => {
    const url = new URL(server.replace(/\/+$/, '') + call.path);
    const how: { headers: Record<string, string> } = {
      headers: {
        accept: 'application/json',
        ...(call.body === undefined ? {} : { 'content-type': call.contentType! }),
      },
    };
    await config.applyToHTTPSOptions(how);
    return new Promise((resolve, reject) => {
      const send = url.protocol === 'https:' ? requestHttps : requestHttp;
      const request = send(url, { ...how, method: call.method, signal: call.signal }, (reply) => resolve(reply));
      request.setTimeout(call.idleMs, () => request.destroy(new Error(`no answer within ${call.idleMs} ms`)));
      request.once('error', reject);
      request.end(call.body === undefined ? undefined : JSON.stringify(call.body));
    });
  };
  const ask = async (call: Omit<Call, 'idleMs'>): Promise<Answer> => {
    for (let tries = 1; ; tries += 1) {
      try {
        const reply = await open({ ...call, idleMs: timeoutMs });
        const text = await readAll(reply);
        const status = reply.statusCode ?? 0;
        if ((status !== 429 && status < 500) || tries === mostTries) return { status, text };
      } catch (cause) {
        if (tries === mostTries) throw unreachable(cause);
      }
      // Half of it is chance, so that many of us do not come back at the same moment.
      await pause(firstPauseMs * 2 ** tries * (0.5 + Math.random() / 2));
    }
  };
  const askObject = async (call: Omit<Call, 'idleMs'>): Promise<KubernetesObject> =>
    parseReply(await ask(call), call) as KubernetesObject;
  const manager = `fieldManager=${encodeURIComponent(options.fieldManager)}`;

  return {
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? 'default',
    async list(resource) {
      const call = { method: 'GET', path: pathOf(resource) };
      const list = parseReply(await ask(call), call) as {
        readonly items?: readonly KubernetesObject[];
        readonly metadata?: { readonly resourceVersion?: string };
      };
      return { items: list.items ?? [], resourceVersion: list.metadata?.resourceVersion ?? '' };
    },
    async get(resource, name) {
      const call = { method: 'GET', path: pathOf(resource, name) };
      const answer = await ask(call);
      // A kind that is not installed is no missing object: its 404 has no details of one.
      if (answer.status === 404 && detailsOf(answer.text).name === name) return undefined;
      return parseReply(answer, call) as KubernetesObject;
    },
    apply: (resource, object) =>
      askObject({
        method: 'PATCH',
        path: `${pathOf(resource, object.metadata.name)}?${manager}&force=true`,
        contentType: 'application/apply-patch+yaml',
        body: object,
      }),
    mergeStatus: (resource, { metadata }, status) =>
      askObject({
        method: 'PATCH',
        path: `${pathOf(resource, metadata.name)}/status?${manager}`,
        contentType: 'application/merge-patch+json',
        body: { metadata: { resourceVersion: metadata.resourceVersion }, status },
      }),
    async *watch(resource, { resourceVersion, signal }) {
      const path = `${pathOf(resource)}?watch=true&allowWatchBookmarks=true&timeoutSeconds=${watchSeconds}&resourceVersion=${encodeURIComponent(resourceVersion)}`;
      const call = { method: 'GET', path, signal };
      let reply: Reply;
      try {
        reply = await open({ ...call, idleMs: (watchSeconds + 20) * 1000 });
      } catch (cause) {
        throw unreachable(cause);
      }
      if (reply.statusCode === 410) {
        reply.resume();
        yield { kind: 'expired' };
        return;
      }
      if (reply.statusCode !== 200) parseReply({ status: reply.statusCode ?? 0, text: await readAll(reply) }, call);
      try {
        for await (const line of linesOf(reply)) yield toEvent(line);
      } catch (cause) {
        throw unreachable(cause);
      }
    },
  };
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly contentType?: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  /** Silence after which it is given up, milliseconds. */
  readonly idleMs: number;
}
type Reply = import('node:http').IncomingMessage;
interface Answer {
  readonly status: number;
  readonly text: string;
}

async function loadLibrary(): Promise<Pick<typeof import('@kubernetes/client-node'), 'KubeConfig'>> {
  try {
    return await import('@kubernetes/client-node');
  } catch (cause) {
    throw new AssayError(
      'dependency-missing',
      'Kubernetes needs the package @kubernetes/client-node, which is not installed',
      { cause, fix: 'Run: npm install @kubernetes/client-node@1' },
    );
  }
}

function pathOf({ group, version, plural, namespace }: KubernetesResource, name?: string): string {
  const place = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `/apis/${group}/${version}${place}/${plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;
}

async function readAll(reply: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of reply) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function* linesOf(reply: AsyncIterable<Buffer>): AsyncIterable<string> {
  // Bytes are joined before they are read as text: a chunk may end within a character.
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of reply) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = rest.subarray(0, end).toString();
      rest = rest.subarray(end + 1);
      if (line.trim() !== '') yield line;
    }
    if (rest.length > longestLine) throw new Error(`a line of the watch is longer than ${longestLine} bytes`);
  }
}

function toEvent(line: string): KubernetesEvent {
  const { type, object } = JSON.parse(line) as { readonly type: string; readonly object: KubernetesObject };
  if (type === 'ADDED' || type === 'MODIFIED') return { kind: 'changed', object };
  if (type === 'DELETED') return { kind: 'gone', object };
  if (type === 'BOOKMARK') return { kind: 'bookmark', object };
  const { code, message } = object as unknown as { readonly code?: number; readonly message?: string };
  if (code === 410) return { kind: 'expired' };
  throw new Error(`the watch ended with ${code}: ${message}`);
}

function parseReply({ status, text }: Answer, { method, path }: Pick<Call, 'method' | 'path'>): unknown {
  if (status >= 200 && status < 300) return JSON.parse(text);
  const said = messageOf(text);
  const place = `${method} ${path.split('?')[0]}`;
  if (status === 409) throw new AssayError('revision-conflict', `${place} conflicts: ${said}`);
  if (status === 429 || status >= 500)
    throw new AssayError('kubernetes-unreachable', `${place} was answered ${status}: ${said}`);
  throw new AssayError('kubernetes-refused', `${place} was answered ${status}: ${said}`);
}

function detailsOf(text: string): { readonly name?: string } {
  try {
    return (JSON.parse(text) as { readonly details?: { readonly name?: string } }).details ?? {};
  } catch {
    return {};
  }
}

function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { readonly message?: unknown };
    if (typeof message === 'string') return message;
  } catch {
    // A proxy's own page.
  }
  return text.slice(0, 200);
}

function unreachable(cause: unknown): AssayError {
  if (cause instanceof AssayError) return cause;
  return new AssayError('kubernetes-unreachable', `the Kubernetes API did not answer: ${(cause as Error).message}`, {
    cause,
  });
}
