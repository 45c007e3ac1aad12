// Where do the real systems come from? Everything is put into one folder outside the repository, nothing into the machine.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Installs what a row needs, once; every call gives the same folder again. */
export interface SystemsCache {
  readonly directory: string;
  /** Packages of the npm registry, without their install scripts. @returns the folder that holds `node_modules`. */
  npm(name: string, packages: readonly string[]): Promise<string>;
  /** A Python environment of its own. @returns the folder whose `bin/` holds python and the scripts. */
  python(name: string, requirements: readonly string[]): Promise<string>;
  /** Debian packages and what they need beyond the machine, unpacked but not installed. @returns the root they are unpacked to. */
  debian(name: string, packages: readonly string[]): Promise<string>;
  /** A Go program, `module/path@version`. @returns the folder that holds the binary. */
  go(name: string, program: string): Promise<string>;
  /**
   * A package built within a module of our own, whose `go.mod` pins what the package's own one cannot. Programs of one module share
   * what they are compiled from. @returns the binary.
   */
  goModule(
    name: string,
    options: { readonly module: string; readonly program: string; readonly linkerFlags?: string },
  ): Promise<string>;
}

/** @param say prints one line per installation. */
export function openSystemsCache(say: (text: string) => void): SystemsCache {
  const directory = process.env.ASSAY_SYSTEMS_CACHE ?? join(homedir(), '.cache', 'assay-systems');

  /** Makes a folder whole or not at all; its name carries a digest of what is in it. */
  const once = async (
    label: { readonly name: string; readonly content: readonly string[] },
    fill: (folder: string) => Promise<void>,
  ): Promise<string> => {
    const digest = createHash('sha256').update(label.content.join('\n')).digest('hex').slice(0, 12);
    const folder = join(directory, `${label.name}-${digest}`);
    const mark = join(folder, '.complete');
    if (existsSync(mark)) return folder;
    say(`installing ${label.content.join(', ')} into ${folder}`);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    await fill(folder);
    await writeFile(`${mark}.new`, '');
    await rename(`${mark}.new`, mark);
    return folder;
  };

  return {
    directory,
    npm: (name, packages) =>
      once({ name, content: packages }, async (folder) => {
        await writeFile(join(folder, 'package.json'), '{"private": true}\n');
        await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...packages], folder);
      }),
    python: (name, requirements) =>
      once({ name, content: requirements }, async (folder) => {
        await run('python3', ['-m', 'venv', folder], folder);
        const pip = join(folder, 'bin', 'pip');
        await run(pip, ['install', '--quiet', '--disable-pip-version-check', ...requirements], folder);
      }),
    debian: (name, packages) =>
      once({ name, content: packages }, async (folder) => {
        const options = await aptOptions(directory);
        const { stdout } = await execute(
          'apt-get',
          [...options, 'install', '--print-uris', '--yes', '--no-install-recommends', ...packages],
          { maxBuffer: 64 * 1024 * 1024 },
        );
        const archives = [...stdout.matchAll(/^'([^']+)' (\S+\.deb) \d+ ?(?:SHA256:([0-9a-f]+))?/gm)];
        if (archives.length === 0) throw new Error(`apt-get names no archive for ${packages.join(', ')}`);
        for (const [, url, file, sum] of archives) {
          const archive = join(folder, file!);
          await download({ url: url!, sum }, archive);
          await run('dpkg-deb', ['--extract', archive, folder], folder);
          await rm(archive);
        }
      }),
    go: (name, program) =>
      once({ name, content: [program] }, async (folder) => {
        await execute('go', ['install', program], {
          env: { ...process.env, GOBIN: folder, GOFLAGS: '-modcacherw' },
          maxBuffer: 64 * 1024 * 1024,
        });
      }),
    goModule: async (name, { module, program, linkerFlags = '' }) => {
      const own = program.startsWith('.') ? join(module, program) : module;
      const code = (await readdir(own)).filter((file) => file.endsWith('.go')).sort();
      const sources = [join(module, 'go.mod'), join(module, 'go.sum'), ...code.map((file) => join(own, file))];
      const texts = await Promise.all(sources.map((file) => readFile(file, 'utf8')));
      const digest = createHash('sha256').update(texts.join('\n')).digest('hex');
      const folder = await once(
        { name, content: [`${program} as pinned in ${basename(module)}/go.mod`, linkerFlags, digest] },
        async (place) => {
          const args = ['build', '-trimpath', '-ldflags', `-s -w ${linkerFlags}`, '-o', join(place, name), program];
          await execute('go', args, {
            cwd: module,
            env: { ...process.env, GOFLAGS: '-modcacherw -mod=readonly -buildvcs=false' },
            maxBuffer: 64 * 1024 * 1024,
          });
        },
      );
      return join(folder, name);
    },
  };
}

async function run(program: string, args: readonly string[], folder: string): Promise<void> {
  await execute(program, args, { cwd: folder, maxBuffer: 64 * 1024 * 1024 });
}

/** Package lists of the machine where it has some, else lists of our own, which need no root. */
async function aptOptions(directory: string): Promise<readonly string[]> {
  const unlocked = ['-o', 'Debug::NoLocking=1'];
  const have = await readdir('/var/lib/apt/lists').catch(() => []);
  if (have.some((file) => file.includes('_Packages'))) return unlocked;
  const state = join(directory, 'apt');
  for (const folder of ['state/lists/partial', 'cache/archives/partial']) {
    await mkdir(join(state, folder), { recursive: true });
  }
  const own = [
    ...unlocked,
    ...['-o', `Dir::State=${state}/state`, '-o', `Dir::Cache=${state}/cache`],
    ...['-o', 'Dir::State::status=/var/lib/dpkg/status'],
  ];
  await execute('apt-get', [...own, 'update'], { maxBuffer: 64 * 1024 * 1024 });
  return own;
}

async function download(
  source: { readonly url: string; readonly sum: string | undefined },
  path: string,
): Promise<void> {
  const reply = await fetch(source.url);
  if (!reply.ok) throw new Error(`${source.url} answered ${reply.status}`);
  const bytes = Buffer.from(await reply.arrayBuffer());
  const sum = createHash('sha256').update(bytes).digest('hex');
  if (source.sum !== undefined && sum !== source.sum) throw new Error(`${source.url} does not have its announced sum`);
  await writeFile(path, bytes);
}
