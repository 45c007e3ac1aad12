// Runs the built `assay` command as users do: as a process of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

/** ASSAY_TEST_MAIN: a build at another place. */
const main = process.env.ASSAY_TEST_MAIN ?? fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** What a finished command left behind. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** No file may grow beyond this, in 1,024 bytes: to a program it looks like a full disk. */
  readonly fileLimit?: number;
}

function spawnAssay(args: readonly string[], { cwd, env, fileLimit }: RunOptions): ChildProcess {
  const command = [process.execPath, main, ...args];
  // Without the trap the limit would kill the process instead of failing its write.
  const limited = ['bash', '-c', `trap '' XFSZ; ulimit -f ${fileLimit}; exec "$0" "$@"`, ...command];
  const [program = '', ...rest] = fileLimit === undefined ? command : limited;
  return spawn(program, rest, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, NO_COLOR: '1', ASSAY_SERVER: '', ASSAY_TOKEN: '', ...env },
  });
}

/** Runs `assay ARGS` to its end. */
export function assay(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const child = spawnAssay(args, options);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
}

/** A running `assay serve`. */
export interface Serving {
  readonly gatewayUrl: string;
  readonly apiUrl: string;
  readonly pid: number;
  stderr(): string;
  /** Ends it with a signal; resolves with the exit code, null after SIGKILL. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Starts `assay serve ARGS` on free ports and waits until it listens. */
export async function serve(args: readonly string[], options: RunOptions = {}): Promise<Serving> {
  const child = spawnAssay(['serve', '--port', '0', '--api-port', '0', ...args], options);
  let stderr = '';
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  const urls = await new Promise<{ gatewayUrl: string; apiUrl: string }>((resolve, reject) => {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      const gatewayUrl = /data plane +([^\s"]+)/.exec(stderr)?.[1];
      const apiUrl = /API +(http[^\s"]+)/.exec(stderr)?.[1];
      if (gatewayUrl && apiUrl) resolve({ gatewayUrl, apiUrl });
    });
    void ended.then((code) => reject(new Error(`assay serve ended with ${code}: ${stderr}`)));
  });
  return {
    ...urls,
    pid: child.pid ?? 0,
    stderr: () => stderr,
    end: (signal) => {
      child.kill(signal);
      return ended;
    },
  };
}

/** Starts `assay ARGS`, a command that stays, and waits until its standard error fits `ready`. */
export async function stay(
  args: readonly string[],
  ready: RegExp,
): Promise<{
  /** What `ready` has found. */
  readonly found: RegExpExecArray;
  /** Ends it with a signal; resolves with the exit code and everything on standard output. */
  end(signal: NodeJS.Signals): Promise<{ readonly code: number | null; readonly stdout: string }>;
}> {
  const child = spawnAssay(args, {});
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  const found = await new Promise<RegExpExecArray>((resolve, reject) => {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      const match = ready.exec(stderr);
      if (match !== null) resolve(match);
    });
    void ended.then((code) => reject(new Error(`assay ${args.join(' ')} ended with ${code}: ${stderr}`)));
  });
  return {
    found,
    end: async (signal) => {
      child.kill(signal);
      return { code: await ended, stdout };
    },
  };
}

/** A plain JSON model server that says its name; real HTTP on a free port. */
export async function startModel(
  name: string,
): Promise<{ url: string; requests: () => number; close: () => Promise<void> }> {
  let requests = 0;
  const server: Server = createServer((request, response) => {
    request.resume().on('end', () => {
      requests += 1;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ model: name, score: name === 'a' ? 0.4 : 0.6 }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The text of a small experiment between two plain JSON models. */
export function experimentText(
  urls: readonly [string, string],
  extra: { weights?: readonly [number, number] } = {},
): string {
  const [a, b] = extra.weights ?? [50, 50];
  return `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: scores}
spec:
  hypothesis: b scores better
  route: {path: /score}
  unit: {header: x-user-id, orElse: control}
  control: a
  variants:
    - {name: a, weight: ${a}, upstream: {url: "${urls[0]}", protocol: json}}
    - {name: b, weight: ${b}, upstream: {url: "${urls[1]}", protocol: json}}
  capture: {prediction: {json: $.score}}
  metrics:
    liked: {mean: "default(outcome.like, 0)", window: 1s}
    latency: {mean: attempt_ms}
  decision: {minDuration: 0s}
`;
}
