// `assay replay`: kept requests of an experiment against another model server, and what it answered differently.
import { open, stat } from 'node:fs/promises';
import { readKeptExchanges } from '../adapters/read-kept-bodies.ts';
import { AssayError } from '../errors.ts';
import type { Capture, Protocol, Variant } from '../experiment/index.ts';
import { createProgress, type Progress } from './render/index.ts';
import {
  createComparer,
  type ReplayPair,
  type ReplaySummary,
  redactedRequest,
  renderReplay,
  replay,
  summariseReplay,
} from './replay/index.ts';
import { note, say, sayJson, style } from './terminal.ts';

/** Options of `assay replay`. */
export interface ReplayCommandOptions {
  readonly data: string;
  readonly namespace: string;
  readonly to: string;
  readonly protocol?: Protocol;
  readonly model?: string;
  readonly modelVersion?: string;
  readonly headerEnv: readonly string[];
  readonly variant?: string;
  readonly value?: string;
  readonly threshold?: number;
  readonly ignore: readonly string[];
  readonly includeRedacted?: boolean;
  readonly limit: number;
  readonly concurrency: number;
  readonly rate?: number;
  readonly timeoutMs: number;
  readonly deadline: number;
  readonly out?: string;
  readonly json?: boolean;
}

const alpha = 0.05;

/** What servers make anew for every reply, by protocol. */
const idsOf: Readonly<Partial<Record<Protocol, readonly string[]>>> = {
  oip: ['$.id', '$.model_name', '$.model_version'],
  openai: ['$.id', '$.created', '$.model', '$.system_fingerprint'],
};

/** What `assay replay --json` prints. */
export interface ReplayDocument extends ReplaySummary {
  readonly experiment: string;
  readonly namespace: string;
  readonly to: string;
  readonly variant: string | null;
}

/**
 * Replays and prints the comparison; a first SIGINT or SIGTERM ends it early with what there is.
 * @throws AssayError `usage-invalid`, `file-unreadable`.
 */
export async function replayCommand(name: string, options: ReplayCommandOptions): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      note(`${signal}: no more requests are sent`);
      process.once(signal, () => process.exit(130));
      stop.abort();
    });
  }
  const document = await runReplay(name, options, stop.signal);
  if (options.json) sayJson(document);
  else if (document.sent === 0 && document.notSent === 0) say(nothingText(document, options.data));
  else say(renderReplay(document, { style, title: `${name}: kept requests replayed against ${options.to}` }));
}

/**
 * Replays and gives the comparison; progress goes to stderr.
 * @throws AssayError `usage-invalid`, `file-unreadable`.
 */
export async function runReplay(
  name: string,
  options: ReplayCommandOptions,
  signal: AbortSignal,
): Promise<ReplayDocument> {
  const { data, namespace } = options;
  const target = targetOf(options);
  const compare = comparerOf(options);
  const headers = options.headerEnv.flatMap(headerFromEnvironment);
  try {
    await stat(data);
  } catch (cause) {
    throw new AssayError('file-unreadable', `--data ${data} cannot be read: ${(cause as Error).message}`, { cause });
  }
  const pairs: ReplayPair[] = [];
  const out = options.out === undefined ? null : await openOut(options.out);
  let progress: Progress | undefined;
  const counts = await replay({
    read: () => readKeptExchanges({ directory: data, namespace, experiment: name }),
    target,
    headers,
    compare,
    variant: options.variant ?? null,
    includesRedacted: options.includeRedacted === true,
    limit: options.limit,
    concurrency: options.concurrency,
    rate: options.rate ?? null,
    deadlineMs: options.deadline * 1000,
    signal,
    onTotal: (total) => {
      progress = createProgress('requests', { total, stream: process.stderr, unicode: style.unicode });
    },
    onPair: (pair, done) => {
      pairs.push(pair);
      out?.write(`${JSON.stringify(pair)}\n`);
      progress?.update(done);
    },
  });
  progress?.stop();
  await out?.close();
  const summary = summariseReplay(pairs, counts, {
    alpha,
    wantsValue: options.value !== undefined,
    threshold: options.threshold ?? null,
  });
  return { experiment: name, namespace, to: options.to, variant: options.variant ?? null, ...summary };
}

/** A file of lines; its faults are told when it is closed. @throws AssayError `file-unreadable` at once where it cannot be opened. */
async function openOut(file: string): Promise<{ write(line: string): void; close(): Promise<void> }> {
  const refuse = (cause: unknown): never => {
    throw new AssayError('file-unreadable', `--out ${file} cannot be written: ${(cause as Error).message}`, { cause });
  };
  const handle = await open(file, 'w', 0o600).catch(refuse);
  const stream = handle.createWriteStream();
  let fault: Error | null = null;
  stream.on('error', (cause) => (fault = cause));
  return {
    write: (line) => void stream.write(line),
    async close() {
      await new Promise<void>((resolve) => {
        stream.once('close', resolve);
        stream.end();
      });
      if (fault !== null) refuse(fault);
    },
  };
}

function nothingText({ experiment, namespace, skipped }: ReplayDocument, data: string): string {
  const reasons = Object.entries(skipped).map(([reason, count]) => `${count}: ${reason}`);
  if (reasons.length > 0) {
    const hint = Object.hasOwn(skipped, redactedRequest) ? ' --include-redacted sends those with redacted values.' : '';
    return `Nothing to replay: every kept request was skipped (${reasons.join('; ')}).${hint}`;
  }
  return `Nothing to replay: ${data} holds no bodies of experiment ${namespace}/${experiment}. Bodies are kept where the experiment has a bodyCapture.`;
}

function targetOf({ to, protocol = 'json', model, modelVersion, timeoutMs }: ReplayCommandOptions): Variant {
  const url = URL.canParse(to) ? new URL(to) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '' || url.username !== '')
    throw new AssayError(
      'usage-invalid',
      `--to is "${to}", must be an http or https URL without credentials, query or fragment`,
    );
  if (protocol === 'json' && (model !== undefined || modelVersion !== undefined))
    throw new AssayError('usage-invalid', '--model is given, must be absent unless --protocol names models');
  return {
    name: 'replay',
    weight: 0,
    timeoutMs,
    upstream: {
      url: url.href.replace(/\/+$/, ''),
      protocol,
      ...(model === undefined ? {} : { model }),
      ...(modelVersion === undefined ? {} : { version: modelVersion }),
    },
  };
}

function comparerOf({
  value,
  threshold,
  ignore,
  protocol = 'json',
}: ReplayCommandOptions): ReturnType<typeof createComparer> {
  if (threshold !== undefined && value === undefined)
    throw new AssayError('usage-invalid', '--threshold is given without --value, must come with it');
  try {
    return createComparer({ ignore: [...(idsOf[protocol] ?? []), ...ignore], value: valueSource(value) });
  } catch (cause) {
    throw new AssayError('usage-invalid', (cause as Error).message, { cause });
  }
}

function valueSource(value: string | undefined): Capture['source'] | null {
  if (value === undefined) return null;
  const tensor = /^tensor:(.+)$/.exec(value);
  return tensor === null ? { kind: 'json', path: value } : { kind: 'tensor', name: tensor[1]! };
}

/** The value comes from the environment: command lines are visible to other users of the machine. */
function headerFromEnvironment(text: string): readonly string[] {
  const found = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+)=([A-Za-z_][A-Za-z0-9_]*)$/.exec(text);
  if (found === null)
    throw new AssayError(
      'usage-invalid',
      `--header-env is "${text}", must be HEADER=VARIABLE, such as authorization=MODEL_AUTH`,
    );
  const value = process.env[found[2]!];
  if (value === undefined || value === '')
    throw new AssayError('usage-invalid', `--header-env names ${found[2]}, which is not set, must be set`);
  return [found[1]!, value];
}
