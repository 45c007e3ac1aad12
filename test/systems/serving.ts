// How does a row start the programs of others, wait until they serve, and check what came back?
import { type ChildProcess, spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { SystemContext } from './system.ts';

/** Free ports of loopback, all different. */
export async function freePorts<N extends number>(count: N): Promise<readonly number[] & { readonly length: N }> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports as unknown as readonly number[] & { readonly length: N };
}

/** A program of somebody else that runs while its row does. */
export interface RunningProgram {
  /** Everything it printed so far, both streams. */
  output(): string;
  /** Resolves when `look` gives something; rejects when the program ends first, or after the time. */
  until<T>(look: () => Promise<T | undefined | false> | T | undefined | false, seconds?: number): Promise<T>;
  /** Ends it and waits. */
  end(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts a program; it is ended with the row. */
export function startProgram(
  { afterwards, folder }: SystemContext,
  command: readonly [string, ...(string | number)[]],
  environment: Readonly<Record<string, string>> = {},
): RunningProgram {
  const [program, ...rest] = command;
  const child: ChildProcess = spawn(program, rest.map(String), {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-200_000)));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const running: RunningProgram = {
    output: () => output,
    async until(look, seconds = 180) {
      const deadline = performance.now() + seconds * 1000;
      for (;;) {
        const found = await look();
        if (found !== undefined && found !== false) return found;
        if (hasEnded())
          throw new Error(`${program} ended with ${child.exitCode ?? child.signalCode}:\n${output.slice(-4000)}`);
        if (performance.now() > deadline) throw new Error(`${program} was not ready in time:\n${output.slice(-4000)}`);
        await pause(150);
      }
    },
    async end(signal = 'SIGTERM') {
      // Servers have workers of their own, which would outlive a parent that is killed.
      const family = [child.pid!, ...(await descendantsOf(child.pid!))];
      const tell = (each: NodeJS.Signals): void => {
        for (const pid of family) {
          try {
            process.kill(pid, each);
          } catch {
            // It has ended already.
          }
        }
      };
      if (!hasEnded()) tell(signal);
      const timer = setTimeout(() => tell('SIGKILL'), 20_000);
      await ended;
      clearTimeout(timer);
      tell('SIGKILL');
    },
  };
  afterwards(() => running.end());
  return running;
}

/** Every process that comes of this one, by the table of the kernel. */
async function descendantsOf(pid: number): Promise<readonly number[]> {
  const children = new Map<number, number[]>();
  for (const name of await readdir('/proc')) {
    const stat = /^\d+$/.test(name) ? await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '') : '';
    const parent = Number(/\) \S (\d+)/.exec(stat)?.[1]);
    if (stat !== '') children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const below = (each: number): readonly number[] =>
    (children.get(each) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

/** True when a GET is answered with 2xx. */
export async function answers(url: string): Promise<boolean> {
  try {
    const reply = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    await reply.arrayBuffer();
    return reply.ok;
  } catch {
    return false;
  }
}

/** What a finished program printed on stdout. @throws Error with both streams when it ends with another code than `code`. */
export async function runProgram(
  command: readonly [string, ...(string | number)[]],
  options: {
    readonly cwd?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly code?: number;
    readonly input?: string;
  } = {},
): Promise<string> {
  const [program, ...rest] = command;
  const child = spawn(program, rest.map(String), {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => undefined).end(options.input ?? '');
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const code = await new Promise<number | null>((resolve) => child.once('close', (each) => resolve(each)));
  const wanted = options.code ?? 0;
  if (code !== wanted)
    throw new Error(
      `${program} ended with ${code}, must end with ${wanted}:\n${stdout.slice(-4000)}\n${stderr.slice(-4000)}`,
    );
  return stdout;
}

/** @throws Error saying what was found where something else was expected. */
export function expectThat(isSo: boolean, sentence: string): asserts isSo {
  if (!isSo) throw new Error(sentence);
}
