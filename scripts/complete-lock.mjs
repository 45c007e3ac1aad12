// Completes package-lock.json with platform packages that a partial registry mirror does not carry: npm drops those from
// the lock, and then refuses `npm ci` there, while other platforms would install without their binaries.
import { readFileSync, writeFileSync } from 'node:fs';

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const platform = (name) => {
  const tail = name
    .replace(/^@[^/]+\//, '')
    .replace(/^(cli|binding|node-bindings|typescript|lightningcss|rolldown-binding)-/, '');
  const os =
    ['darwin', 'linux', 'win32', 'android', 'freebsd', 'openharmony', 'netbsd', 'openbsd', 'sunos', 'aix'].find((x) =>
      tail.includes(x),
    ) ?? (name.includes('wasm') ? null : undefined);
  const cpu = ['arm64', 'ppc64', 'riscv64', 's390x', 'loong64', 'mips64el', 'ia32', 'x64', 'arm'].find((x) =>
    tail.includes(x),
  );
  const libc =
    os === 'linux' ? (tail.includes('musl') ? ['musl'] : tail.includes('gnu') ? ['glibc'] : undefined) : undefined;
  return { os, cpu, libc };
};
const added = [];
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const at = [];
    for (let base = path; ; ) {
      at.push(`${base ? `${base}/` : ''}node_modules/${name}`);
      const up = base.lastIndexOf('/node_modules/');
      if (base === '') break;
      base = up < 0 ? '' : base.slice(0, up);
    }
    const found = at.find((each) => lock.packages[each]);
    const exact = version.replace(/^[\^~]/, '');
    if (found && (lock.packages[found].version === exact || !/^\d/.test(version))) continue;
    const { os, cpu, libc } = platform(name);
    if (os === undefined && cpu === undefined) {
      continue;
    }
    const place = found === undefined ? at.at(-1) : at[0];
    lock.packages[place] = {
      version: exact,
      ...(cpu ? { cpu: [cpu] } : {}),
      ...(entry.dev ? { dev: true } : {}),
      ...(libc ? { libc } : {}),
      optional: true,
      ...(os ? { os: [os] } : {}),
    };
    added.push(`${place}@${exact}`);
  }
}
const packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync('package-lock.json', `${JSON.stringify({ ...lock, packages }, null, 2)}\n`);
console.log(`added ${added.length} entries`);
