// An HTTP server that answers like the registry of MLflow 3.17: the calls that Assay makes, errors and all. The systems suite asks the real one.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AssayError } from '../errors.ts';
import { createMemoryRegistry, type MemoryRegistry } from './memory-registry.ts';

/** A running double. */
export interface MlflowDouble {
  readonly url: string;
  readonly registry: MemoryRegistry;
  /** What came in: method, path and Authorization header. */
  readonly requests: readonly { readonly line: string; readonly authorization: string | undefined }[];
  /** Answers the next `count` requests with 503. */
  fail(count: number): void;
  close(): Promise<void>;
}

/** Starts the double on a free port of loopback. */
export async function startMlflowDouble(): Promise<MlflowDouble> {
  const registry = createMemoryRegistry();
  const requests: { line: string; authorization: string | undefined }[] = [];
  let failing = 0;
  const answer = async (request: IncomingMessage, url: URL): Promise<object> => {
    const values = request.method === 'GET' ? Object.fromEntries(url.searchParams) : await readBody(request);
    const { name = '', version = '', alias = '', key = '', value = '' } = values;
    const versioned = async (find: ReturnType<MemoryRegistry['find']>): Promise<object> => {
      const found = await find;
      const tags = Object.entries(found.tags).map(([each, text]) => ({ key: each, value: text }));
      return { model_version: { name: found.name, version: found.version, status: 'READY', tags } };
    };
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /api/2.0/mlflow/registered-models/alias':
        return versioned(registry.find({ kind: 'alias', name, alias }));
      case 'GET /api/2.0/mlflow/model-versions/get':
        return versioned(registry.find({ kind: 'version', name, version }));
      case 'POST /api/2.0/mlflow/registered-models/alias':
        registry.setAlias(name, { alias, version });
        return {};
      case 'POST /api/2.0/mlflow/model-versions/set-tag':
        await registry.tag({ name, version }, { [key]: value });
        return {};
      default:
        throw new AssayError('registry-refused', 'no such call');
    }
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://double');
    requests.push({ line: `${request.method} ${url.pathname}`, authorization: request.headers.authorization });
    const say = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (failing > 0) {
      failing -= 1;
      say(503, {});
      return;
    }
    answer(request, url).then(
      (body) => say(200, body),
      (fault: Error) => say(404, { error_code: 'RESOURCE_DOES_NOT_EXIST', message: fault.message }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    registry,
    requests,
    fail: (count) => {
      failing = count;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readBody(request: IncomingMessage): Promise<Record<string, string>> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString()) as Record<string, string>;
}
