// Reads the source tree and says which house rules it breaks: floors, doors, circles, purity below the waterline, names.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { parseSync } from 'oxc-parser';

/** The floors of src/, lowest first; `errors` is src/errors.ts. Rooms of one floor do not know each other. */
const floors: readonly (readonly string[])[] = [
  ['errors', 'stats', 'assignment', 'expression'],
  ['experiment'],
  ['evidence'],
  ['decision'],
  ['api'],
  ['gateway', 'control', 'sdk'],
  ['adapters'],
  ['server'],
  ['cli'],
];

/** Who may import whom: every folder, everything on the floors below its own. */
const mayImport: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  floors.flatMap((rooms, floor) => rooms.map((room) => [room, floors.slice(0, floor).flat()])),
);

/** Below the waterline: pure functions only. The packages each folder may use stand here. */
const packagesBelowWaterline: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  stats: [],
  assignment: [],
  expression: [],
  experiment: ['yaml', 'zod'],
  evidence: ['zod'],
  decision: ['zod'],
  api: ['zod'],
};

/** Names that bring a clock, a socket, a disk or chance into a pure folder. */
const impureNames: readonly string[] = [
  'process',
  'performance',
  'fetch',
  'crypto',
  'WebSocket',
  'XMLHttpRequest',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'globalThis',
  'localStorage',
];

/** Longest door, lines. `stats` is a library of its own, and its door is the table of contents: docs/decisions/0004. */
const doorLines = (folder: string): number => (folder === 'stats' ? 200 : 40);

const forbiddenNames = /(^|\/)(types\.ts|utils?(\.ts)?|common(\.ts)?|helpers?(\.ts)?|core(\.ts)?)(\/|$)/;

/** One broken rule. */
export interface Fault {
  readonly rule: 'floor' | 'door' | 'circle' | 'purity' | 'name' | 'length' | 'folder';
  readonly file: string;
  readonly text: string;
}

interface SourceFile {
  readonly path: string;
  readonly folder: string;
  readonly imports: readonly string[];
  readonly text: string;
}

/**
 * Lists every broken house rule in the TypeScript files below `root` (a `src` folder). Tests are held to floors by
 * nobody: `*.test.ts`, `*.contract.ts` and `*.fixture.ts` may look anywhere, and are left out.
 */
export function findFaults(root: string): readonly Fault[] {
  const faults: Fault[] = [];
  const files = new Map<string, SourceFile>();
  for (const path of listSources(root)) {
    const text = readFileSync(join(root, path), 'utf8');
    const folder = path.includes('/') ? path.slice(0, path.indexOf('/')) : path.replace(/\.ts$/, '');
    const parsed = parseSync(path, text);
    const specifiers = [
      ...parsed.module.staticImports.map((each) => each.moduleRequest.value),
      ...parsed.module.staticExports.flatMap((each) =>
        each.entries.flatMap((entry) => entry.moduleRequest?.value ?? []),
      ),
      ...parsed.module.dynamicImports.map((each) =>
        text.slice(each.moduleRequest.start, each.moduleRequest.end).replace(/^['"`]|['"`]$/g, ''),
      ),
    ];
    faults.push(...checkNames(path, text), ...checkFolder(path, folder));
    if (folder in packagesBelowWaterline) faults.push(...checkPurity(path, parsed.program, specifiers, folder));
    if (path.endsWith('/index.ts') && path.split('/').length === 2 && folder !== 'cli')
      faults.push(...checkDoor(path, text, parsed.program));
    const imports: string[] = [];
    for (const specifier of new Set(specifiers)) {
      if (!specifier.startsWith('.')) continue;
      const target = relative(root, resolve(root, dirname(path), specifier))
        .split(sep)
        .join('/');
      faults.push(...checkFloor(path, folder, target));
      imports.push(target);
    }
    files.set(path, { path, folder, imports, text });
  }
  return [...faults, ...findCircles(files)];
}

function listSources(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((path) => path.split(sep).join('/'))
    .filter((path) => path.endsWith('.ts') && !/\.(test|contract|fixture)\.ts$/.test(path))
    .sort();
}

function checkFolder(path: string, folder: string): Fault[] {
  return folder in mayImport ? [] : [{ rule: 'folder', file: path, text: `${folder} is not a folder of the house` }];
}

function checkNames(path: string, text: string): Fault[] {
  const faults: Fault[] = [];
  if (forbiddenNames.test(path)) faults.push({ rule: 'name', file: path, text: 'says nothing about the domain' });
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(path.slice(path.lastIndexOf('/') + 1).replace(/\.ts$/, '')))
    faults.push({ rule: 'name', file: path, text: 'is not kebab-case' });
  const lines = text.split('\n');
  if (lines.length > 401 && !lines.slice(0, 6).join('\n').includes('Long because'))
    faults.push({
      rule: 'length',
      file: path,
      text: `has ${lines.length - 1} lines and no "Long because" in its header`,
    });
  if (!lines[0]?.startsWith('//') && !lines[0]?.startsWith('#!') && !path.endsWith('index.ts'))
    faults.push({ rule: 'name', file: path, text: 'does not open with the question it answers' });
  return faults;
}

function checkFloor(path: string, folder: string, target: string): Fault[] {
  if (target.startsWith('..')) return [{ rule: 'floor', file: path, text: `imports ${target}, outside src` }];
  const top = target.includes('/') ? target.slice(0, target.indexOf('/')) : target.replace(/\.ts$/, '');
  if (top === folder) return [];
  if (!(mayImport[folder] ?? []).includes(top))
    return [{ rule: 'floor', file: path, text: `${folder} may not import ${top} (${target})` }];
  // Adapters have a door each: one outside system, one file; a common door would load them all.
  if (top !== 'errors' && top !== 'adapters' && target !== `${top}/index.ts`)
    return [{ rule: 'door', file: path, text: `imports ${target} past the door ${top}/index.ts` }];
  return [];
}

function checkDoor(
  path: string,
  text: string,
  program: { body: readonly { type: string; source?: unknown }[] },
): Fault[] {
  const faults: Fault[] = [];
  const count = text.trimEnd().split('\n').length;
  const most = doorLines(path.slice(0, path.indexOf('/')));
  if (count > most) faults.push({ rule: 'door', file: path, text: `has ${count} lines, must be at most ${most}` });
  for (const statement of program.body) {
    if (statement.type !== 'ExportNamedDeclaration' || !statement.source)
      faults.push({ rule: 'door', file: path, text: `holds ${statement.type}, must hold named re-exports only` });
  }
  return faults;
}

function checkPurity(path: string, program: unknown, specifiers: readonly string[], folder: string): Fault[] {
  const faults: Fault[] = [];
  const allowed = packagesBelowWaterline[folder] ?? [];
  for (const specifier of specifiers) {
    if (!specifier.startsWith('.') && !allowed.includes(specifier))
      faults.push({ rule: 'purity', file: path, text: `imports ${specifier} below the waterline` });
  }
  visit(program, (node, parent) => {
    if (node.type === 'Identifier' && impureNames.includes(String(node.name)) && isReference(node, parent))
      faults.push({ rule: 'purity', file: path, text: `uses ${String(node.name)} below the waterline` });
    if (node.type === 'MemberExpression' && isMember(node, 'Math', 'random'))
      faults.push({ rule: 'purity', file: path, text: 'uses Math.random below the waterline' });
    if (node.type === 'MemberExpression' && isMember(node, 'Date', 'now'))
      faults.push({ rule: 'purity', file: path, text: 'uses Date.now below the waterline' });
    if (node.type === 'NewExpression' && nameOf(node.callee) === 'Date' && (node.arguments as unknown[]).length === 0)
      faults.push({ rule: 'purity', file: path, text: 'uses new Date() below the waterline' });
  });
  return faults;
}

interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

function visit(value: unknown, see: (node: Node, parent: Node | null) => void, parent: Node | null = null): void {
  if (Array.isArray(value)) {
    for (const each of value) visit(each, see, parent);
    return;
  }
  if (value === null || typeof value !== 'object') return;
  const node = value as Node;
  if (typeof node.type === 'string') see(node, parent);
  const next = typeof node.type === 'string' ? node : parent;
  for (const [key, child] of Object.entries(node)) {
    if (key !== 'parent' && typeof child === 'object') visit(child, see, next);
  }
}

const nameOf = (value: unknown): string | undefined =>
  value !== null && typeof value === 'object' && (value as Node).type === 'Identifier'
    ? String((value as Node).name)
    : undefined;

const isMember = (node: Node, object: string, property: string): boolean =>
  nameOf(node.object) === object && nameOf(node.property) === property;

/** False where the identifier only names a property, a key or a type member. */
function isReference(node: Node, parent: Node | null): boolean {
  if (parent === null) return true;
  if (parent.type === 'MemberExpression') return parent.object === node || parent.computed === true;
  if (parent.type === 'Property') return parent.value === node || parent.shorthand === true;
  return !/^TS|MethodDefinition|PropertyDefinition|LabeledStatement|ImportSpecifier|ExportSpecifier/.test(parent.type);
}

/** Strongly connected groups of more than one file (Tarjan 1972), and files that import themselves. */
function findCircles(files: ReadonlyMap<string, SourceFile>): Fault[] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const faults: Fault[] = [];
  const connect = (path: string): void => {
    order.set(path, order.size);
    low.set(path, order.get(path) ?? 0);
    stack.push(path);
    for (const next of files.get(path)?.imports ?? []) {
      if (!files.has(next)) continue;
      if (!order.has(next)) {
        connect(next);
        low.set(path, Math.min(low.get(path) ?? 0, low.get(next) ?? 0));
      } else if (stack.includes(next)) low.set(path, Math.min(low.get(path) ?? 0, order.get(next) ?? 0));
    }
    if (low.get(path) !== order.get(path)) return;
    const group = stack.splice(stack.indexOf(path));
    if (group.length > 1 || files.get(path)?.imports.includes(path))
      faults.push({ rule: 'circle', file: path, text: `stands in a circle: ${group.sort().join(' -> ')}` });
  };
  for (const path of files.keys()) if (!order.has(path)) connect(path);
  return faults;
}
