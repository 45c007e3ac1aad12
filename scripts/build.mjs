// Builds dist/: one clean compile of src/, the executable bit the `bin` entry needs, and the live page into dist/dashboard.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const compiler = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
const bundler = fileURLToPath(new URL('../node_modules/vite/bin/vite.js', import.meta.url));
const run = (...args) => execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' });

rmSync(`${root}/dist`, { recursive: true, force: true });
run(compiler, '-p', 'tsconfig.build.json');
const main = `${root}/dist/cli/main.js`;
if (existsSync(main)) chmodSync(main, 0o755);
run(bundler, 'build', 'dashboard');
