// A ClickHouse that answers over HTTP: chDB, the engine of ClickHouse as a library, behind the part of its HTTP interface that clients use.

import { createServer, type IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';

interface Session {
  query(sql: string, format?: string): string;
  queryAsync(sql: string, options?: { readonly format?: string }): Promise<{ text(): string }>;
}

const [folder, data, port] = process.argv.slice(2) as [string, string, string];
const { Session } = createRequire(join(folder, 'node_modules', 'chdb', 'package.json'))('chdb') as {
  readonly Session: new (path: string) => Session;
};
const session = new Session(data);
const notSettings = new Set(['query', 'query_id', 'database', 'session_id', 'session_timeout', 'default_format']);
const settings = new Map<string, string>();
let last: Promise<unknown> = Promise.resolve();

async function answer(request: IncomingMessage): Promise<string> {
  const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString();
  const query = searchParams.get('query');
  session.query(`USE ${searchParams.get('database') ?? 'default'}`);
  for (const [name, value] of searchParams) {
    if (notSettings.has(name) || settings.get(name) === value) continue;
    session.query(`SET ${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`);
    settings.set(name, value);
  }
  const result = await session.queryAsync(query === null ? body : `${query}\n${body}`, { format: 'TabSeparated' });
  return result.text();
}

const server = createServer((request, response) => {
  if (request.url === '/ping') {
    response.end('Ok.\n');
    return;
  }
  // One session holds the temporary tables of all, so one query runs at a time.
  last = last
    .then(() => answer(request))
    .then(
      (text) => response.end(text),
      (fault: { readonly message: string; readonly clickhouseCode?: number }) => {
        const code = fault.clickhouseCode ?? /^Code: (\d+)/.exec(fault.message)?.[1] ?? 1000;
        response.writeHead(500, { 'x-clickhouse-exception-code': String(code) });
        response.end(
          fault.message.startsWith('Code:') ? fault.message : `Code: ${code}. DB::Exception: ${fault.message}`,
        );
      },
    );
});
server.listen(Number(port), '127.0.0.1', () => {
  const address = server.address();
  console.log(`listening on ${typeof address === 'object' ? address?.port : address}`);
});
