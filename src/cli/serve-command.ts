// `assay serve`: the server in the foreground, until a signal asks it to drain.
import { readFile } from 'node:fs/promises';
import { checkEngineSettings, type EngineSettings } from '../adapters/open-engine.ts';
import { createOperatorLog, type LogLevel } from '../adapters/pino-log.ts';
import { paths } from '../api/index.ts';
import { AssayError } from '../errors.ts';
import {
  type DataPlaneSettings,
  type RunningServer,
  type ServerOptions,
  startServer,
  type WebhookSettings,
} from '../server/index.ts';
import { parseBytes, parseDuration } from './quantity.ts';
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
  readonly onLogFailure: 'serve-unrecorded' | 'refuse';
  readonly front: 'node' | 'fast';
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
  readonly trustedProxies?: string;
  readonly grpcPort?: number;
  readonly grpcMaxMessage?: string;
  readonly maxInFlight: number;
  readonly workers: number;
  readonly drainMs: number;
  readonly start?: boolean;
  readonly keep?: string;
  readonly maxBytes?: string;
  readonly shipTo?: string;
  readonly analytics?: string;
  readonly webhook: readonly string[];
  readonly webhookSecretFile?: string;
  readonly kubernetes?: string | true;
  readonly seldon?: string | true;
  readonly logFormat: 'text' | 'json';
  readonly logLevel: LogLevel;
}

/** Serves until SIGINT or SIGTERM, then drains and exits 0. A second signal exits at once. */
export async function serveCommand(options: ServeOptions): Promise<void> {
  const token = await readToken(options.tokenFile);
  const { logFormat: format, logLevel: level } = options;
  const tell = createOperatorLog({ format, level, write: note, now: Date.now });
  const announce: Announce =
    format === 'text' ? note : (line) => tell(line.replace(/ {2,}/g, ' '), { name: 'serving' });
  // Before anybody can reach the server: a service manager may stop it in the moment in which it says that it listens.
  const stopped = untilSignalled(announce);
  const server = await startServer({
    files: options.file,
    dataDirectory: options.data,
    host: options.host,
    port: options.port,
    apiHost: options.apiHost,
    apiPort: options.apiPort,
    dataPlane: {
      durability: options.durability,
      onLogFailure: options.onLogFailure,
      front: options.front,
      maxInFlight: options.maxInFlight,
      drainMs: options.drainMs,
      ...tlsOf(options),
      ...(options.trustedProxies === undefined
        ? {}
        : { trustedProxies: options.trustedProxies.split(',').map((each) => each.trim()) }),
      ...grpcOf(options),
      ...(options.defaultUpstream === undefined ? {} : { defaultUpstream: options.defaultUpstream }),
    },
    workers: options.workers,
    analysis: 'process',
    startDrafts: options.start === true,
    retention: {
      ...(options.keep === undefined ? {} : { keepMs: parseDuration(options.keep, '--keep') }),
      ...(options.maxBytes === undefined ? {} : { maxBytes: parseBytes(options.maxBytes, '--max-bytes') }),
    },
    ...(options.shipTo === undefined ? {} : { shipTo: shipment(options.shipTo, token) }),
    ...(await engineOf(options)),
    webhooks: await webhooksOf(options),
    ...kubernetesOf(options),
    onEvent: tell,
    tokensFor: {
      ...tokenFor(paths.metrics, { ASSAY_METRICS_TOKEN: process.env.ASSAY_METRICS_TOKEN }),
      ...tokenFor(paths.alerts, { ASSAY_ALERTS_TOKEN: process.env.ASSAY_ALERTS_TOKEN }),
    },
    ...(token === undefined ? {} : { token }),
  });
  announce(`data plane  ${server.gatewayUrl}`);
  if (server.grpcAddress !== null) announce(`gRPC        ${server.grpcAddress}`);
  else noteMissingGrpc(server, announce);
  announce(`API         ${server.apiUrl}${token === undefined ? '' : ' (token required)'}`);
  announce(`page        ${server.apiUrl}/`);
  announce(`data        ${options.data}`);
  if (options.workers > 1) announce(`workers     ${options.workers}`);
  for (const state of server.service.list())
    announce(
      `experiment  ${state.experiment.name}: ${state.state}${state.state === 'draft' ? `; begin with: assay start ${state.experiment.name} --reason "..."` : ''}`,
    );
  await stopped;
  await server.close();
  announce('stopped; everything acknowledged is on disk');
}

/** Says one line about the server as a whole. */
type Announce = (line: string) => void;

/** A token that opens one path only, from the environment; an empty one is none. */
function tokenFor(
  path: string,
  given: Readonly<Record<string, string | undefined>>,
): { readonly [path: string]: string } {
  const [[variable, token] = ['', '']] = Object.entries(given);
  if (!token) return {};
  if (token.length < 16)
    throw new AssayError('usage-invalid', `${variable} holds ${token.length} characters, must hold at least 16`);
  return { [path]: token };
}

/** Resolves at the first SIGINT or SIGTERM; the second of the same exits at once. */
function untilSignalled(announce: Announce): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        announce(`${signal}: finishing requests in flight`);
        process.once(signal, () => process.exit(130));
        resolve();
      });
    }
  });
}

/** The socket for gRPC, when one is asked for. */
function grpcOf({ grpcPort, grpcMaxMessage }: ServeOptions): Pick<DataPlaneSettings, 'grpc'> {
  if (grpcPort === undefined) {
    if (grpcMaxMessage === undefined) return {};
    throw new AssayError('usage-invalid', '--grpc-port is missing, must be given with --grpc-max-message');
  }
  const bound =
    grpcMaxMessage === undefined ? {} : { maxMessageBytes: parseBytes(grpcMaxMessage, '--grpc-max-message') };
  return { grpc: { port: grpcPort, ...bound } };
}

/** An address for gRPC without a socket for it is an oversight more often than a wish. */
function noteMissingGrpc({ service }: RunningServer, announce: Announce): void {
  const named = service.list().find(({ experiment }) => experiment.variants.some((each) => each.upstream.grpcUrl));
  if (named !== undefined)
    announce(
      `gRPC        off, though experiment ${named.experiment.name} names a grpcUrl; begin with: --grpc-port 9000`,
    );
}

/** What to do with Kubernetes; a name after the option is a namespace. */
function kubernetesOf({ kubernetes, seldon }: ServeOptions): Pick<ServerOptions, 'kubernetes'> {
  if (kubernetes === undefined && seldon === undefined) return {};
  return {
    kubernetes: {
      ...(kubernetes === undefined ? {} : { experiments: kubernetes === true ? 'own' : kubernetes }),
      ...(seldon === undefined ? {} : { seldonNamespace: seldon === true ? 'own' : seldon }),
    },
  };
}

/** Certificate files, when there are any. */
function tlsOf({ tlsCert, tlsKey, tlsClientCa }: ServeOptions): Pick<DataPlaneSettings, 'tls'> {
  if (tlsCert === undefined && tlsKey === undefined && tlsClientCa === undefined) return {};
  if (tlsCert === undefined || tlsKey === undefined)
    throw new AssayError(
      'usage-invalid',
      `--tls-${tlsCert === undefined ? 'cert' : 'key'} is missing, must be given: HTTPS needs a certificate and its key`,
    );
  const clientCa = tlsClientCa === undefined ? {} : { clientCaFile: tlsClientCa };
  return { tls: { certFile: tlsCert, keyFile: tlsKey, ...clientCa } };
}

/** The database for reports, when one is asked for. */
async function engineOf({ analytics, shipTo }: ServeOptions): Promise<{ readonly engine?: EngineSettings }> {
  if (analytics === undefined) return {};
  if (shipTo !== undefined)
    throw new AssayError(
      'usage-invalid',
      '--analytics and --ship-to are both given, must be one: reports are made there',
    );
  const file = process.env.ASSAY_ANALYTICS_PASSWORD_FILE;
  let password = process.env.ASSAY_ANALYTICS_PASSWORD;
  if (password === undefined && file !== undefined) {
    try {
      password = (await readFile(file, 'utf8')).trim();
    } catch (cause) {
      throw new AssayError(
        'file-unreadable',
        `ASSAY_ANALYTICS_PASSWORD_FILE ${file} cannot be read: ${(cause as Error).message}`,
        {
          cause,
        },
      );
    }
  }
  return { engine: checkEngineSettings({ url: analytics, ...(password === undefined ? {} : { password }) }) };
}

/** Addresses that hear of changes, all signed with one secret, which never stands on a command line. */
async function webhooksOf({ webhook, webhookSecretFile }: ServeOptions): Promise<readonly WebhookSettings[]> {
  if (webhook.length === 0) return [];
  let secret = process.env.ASSAY_WEBHOOK_SECRET;
  if (webhookSecretFile !== undefined) {
    try {
      secret = (await readFile(webhookSecretFile, 'utf8')).trim();
    } catch (cause) {
      throw new AssayError(
        'file-unreadable',
        `--webhook-secret-file ${webhookSecretFile} cannot be read: ${(cause as Error).message}`,
        { cause },
      );
    }
  }
  if (!secret)
    throw new AssayError('usage-invalid', 'the webhook secret is missing, must be given: receivers know us by it', {
      fix: 'Set ASSAY_WEBHOOK_SECRET or --webhook-secret-file. Make one: echo "whsec_$(openssl rand -base64 32)"',
    });
  return webhook.map((url) => ({ url, secret }));
}

/** Where evidence is handed to. The other server's token may differ from ours. */
function shipment(url: string, token: string | undefined): { readonly url: string; readonly token?: string } {
  if (!/^https?:$/.test(URL.canParse(url) ? new URL(url).protocol : ''))
    throw new AssayError('usage-invalid', `--ship-to is "${url}", must be the http or https address of an API`);
  const theirs = process.env.ASSAY_SHIP_TOKEN || token;
  return { url, ...(theirs === undefined ? {} : { token: theirs }) };
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
