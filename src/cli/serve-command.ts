// `assay serve`: the server in the foreground, until a signal asks it to drain.
import { readFile } from 'node:fs/promises';
import { AssayError } from '../errors.ts';
import { startServer } from '../server/index.ts';
import { note } from './terminal.ts';

interface ServeOptions {
  readonly file: readonly string[];
  readonly data: string;
  readonly host: string;
  readonly port: number;
  readonly apiHost: string;
  readonly apiPort: number;
  readonly defaultUpstream?: string;
  readonly tokenFile?: string;
  readonly durability: 'after-reply' | 'before-reply';
  readonly start?: boolean;
}

/** Serves until SIGINT or SIGTERM, then drains and exits 0. A second signal exits at once. */
export async function serveCommand(options: ServeOptions): Promise<void> {
  const token = await readToken(options.tokenFile);
  const server = await startServer({
    files: options.file,
    dataDirectory: options.data,
    host: options.host,
    port: options.port,
    apiHost: options.apiHost,
    apiPort: options.apiPort,
    durability: options.durability,
    startDrafts: options.start === true,
    onEvent: (sentence) => note(`${new Date().toISOString()} ${sentence}`),
    ...(options.defaultUpstream === undefined ? {} : { defaultUpstream: options.defaultUpstream }),
    ...(token === undefined ? {} : { token }),
  });
  note(`data plane  ${server.gatewayUrl}`);
  note(`API         ${server.apiUrl}${token === undefined ? '' : ' (token required)'}`);
  note(`data        ${options.data}`);
  for (const state of server.service.list())
    note(
      `experiment  ${state.experiment.name}: ${state.state}${state.state === 'draft' ? `; begin with: assay start ${state.experiment.name} --reason "..."` : ''}`,
    );
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        note(`${signal}: finishing requests in flight`);
        process.once(signal, () => process.exit(130));
        resolve();
      });
    }
  });
  await server.close();
  note('stopped; everything acknowledged is on disk');
}

/** The token from a file or ASSAY_TOKEN; command lines are visible to other users, so it is never an argument. */
async function readToken(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return process.env.ASSAY_TOKEN || undefined;
  let token: string;
  try {
    token = (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    throw new AssayError('file-unreadable', `--token-file ${file} cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (token.length < 16)
    throw new AssayError(
      'usage-invalid',
      `--token-file ${file} holds ${token.length} characters, must hold at least 16`,
    );
  return token;
}
