// A real Prometheus and a real Alertmanager, from Debian's packages, on free ports of this machine.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { SystemContext } from './system.ts';

const execute = promisify(execFile);

/** The unpacked packages. */
export async function prometheusPrograms(
  context: SystemContext,
): Promise<{ readonly bin: string; readonly root: string }> {
  const root = await context.cache.debian('prometheus', ['prometheus', 'prometheus-alertmanager']);
  return { root, bin: join(root, 'usr', 'bin') };
}

/** Runs promtool; gives what it said. @throws Error with that text when it exits with another code than 0. */
export async function promtool(bin: string, args: readonly string[], folder: string, input = ''): Promise<string> {
  const running = execute(join(bin, 'promtool'), [...args], { cwd: folder });
  running.child.stdin?.end(input);
  try {
    const { stdout, stderr } = await running;
    return stdout + stderr;
  } catch (fault) {
    const { stdout = '', stderr = '', message } = fault as Error & { stdout?: string; stderr?: string };
    throw new Error(`promtool ${args.join(' ')}: ${stdout}${stderr || message}`);
  }
}

/** A Prometheus that scrapes every second. */
export interface RunningPrometheus {
  readonly url: string;
  /** The vector a query gives now. */
  query(expr: string): Promise<readonly { metric: Record<string, string>; value: [number, string] }[]>;
}

/** Starts Prometheus over a folder with its `prometheus.yml`. */
export async function startPrometheus(
  context: SystemContext,
  { folder, bin }: { readonly folder: string; readonly bin: string },
): Promise<RunningPrometheus> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  await startProgram(context, {
    program: join(bin, 'prometheus'),
    args: [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'tsdb')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--enable-feature=exemplar-storage',
      // Else a first notification that is lost comes again a minute later.
      '--rules.alert.resend-delay=1s',
      '--log.level=error',
    ],
    ready: `${url}/-/ready`,
  });
  return {
    url,
    async query(expr) {
      const reply = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expr)}`);
      const { status, data, error } = (await reply.json()) as {
        status: string;
        data: { result: never };
        error?: string;
      };
      if (status !== 'success') throw new Error(`${expr}: ${error}`);
      return data.result;
    },
  };
}

/** Starts Alertmanager with a configuration file of the folder; gives its host and port. */
export async function startAlertmanager(
  context: SystemContext,
  { folder, bin }: { readonly folder: string; readonly bin: string },
): Promise<string> {
  const port = await freePort();
  await startProgram(context, {
    program: await movedAlertmanager(bin, folder),
    folder,
    args: [
      `--config.file=${join(folder, 'alertmanager.yml')}`,
      `--storage.path=${join(folder, 'alertmanager')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
      '--log.level=error',
    ],
    ready: `http://127.0.0.1:${port}/-/ready`,
  });
  return `127.0.0.1:${port}`;
}

/** Resolves with the first answer that is not undefined. @throws Error after the time is over. */
export async function eventually<T>(what: string, ask: () => Promise<T | undefined>, withinMs: number): Promise<T> {
  const endMs = Date.now() + withinMs;
  let last: unknown;
  while (Date.now() < endMs) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (fault) {
      last = fault;
    }
    await sleep(100);
  }
  throw new Error(`${what} did not happen within ${withinMs / 1000} s${last === undefined ? '' : `: ${String(last)}`}`);
}

/** Writes files below a folder. */
export async function writeFiles(
  folder: string,
  files: readonly { readonly path: string; readonly text: string }[],
): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const { path, text } of files) await writeFile(join(folder, path), text);
}

/**
 * Debian's Alertmanager reads its templates from one place below /usr/share, which a package that is only unpacked does not
 * have. A copy of the program looks below its working directory instead: the same text, two letters of its path changed.
 */
async function movedAlertmanager(bin: string, folder: string): Promise<string> {
  const place = '/usr/share/prometheus/alertmanager';
  const moved = place.replace('/u', './');
  const program = await readFile(join(bin, 'prometheus-alertmanager'));
  let found = 0;
  for (let at = program.indexOf(place); at >= 0; at = program.indexOf(place, at)) {
    program.write(moved, at, 'latin1');
    found += 1;
  }
  if (found === 0) throw new Error(`prometheus-alertmanager does not name ${place}`);
  const copy = join(folder, 'prometheus-alertmanager');
  await writeFile(copy, program, { mode: 0o755 });
  await mkdir(join(folder, moved), { recursive: true });
  for (const file of ['default.tmpl', 'email.tmpl'])
    await copyFile(join(bin, '..', '..', place, file), join(folder, moved, file));
  return copy;
}

async function startProgram(
  context: SystemContext,
  options: {
    readonly program: string;
    readonly args: readonly string[];
    readonly ready: string;
    /** Where it works. */
    readonly folder?: string;
  },
): Promise<void> {
  const { program, args, ready, folder } = options;
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], cwd: folder });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  context.afterwards(async () => {
    if (child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  });
  await eventually(
    program,
    async () => {
      if (child.exitCode !== null) throw new Error(`${program} ended: ${said}`);
      return (await fetch(ready)).ok || undefined;
    },
    60_000,
  ).catch((fault: Error) => {
    throw new Error(`${fault.message}\n${said}`);
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
