// Builds dist/: one clean compile of src/, the executable that the `bin` entry names, and the live page into dist/dashboard.
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const compiler = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
const bundler = fileURLToPath(new URL('../node_modules/vite/bin/vite.js', import.meta.url));
const run = (...args) => execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' });

rmSync(`${root}/dist`, { recursive: true, force: true });
run(compiler, '-p', 'tsconfig.build.json');
const main = `${root}/dist/cli/main.js`;
const { youngHeap } = await import('../dist/server/young-heap.js');
// A hashbang cannot give Node an option on every system: `env -S` is unknown to BusyBox. So the file is a shell script that
// becomes Node, in the same process, and JavaScript in which that line is a text and a comment.
const start = `#!/usr/bin/env sh\n':' //; exec node ${youngHeap} "$0" "$@"\n`;
writeFileSync(main, readFileSync(main, 'utf8').replace(/^#!.*\n/, start));
chmodSync(main, 0o755);
run(bundler, 'build', 'dashboard');
