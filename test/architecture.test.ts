import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { type Fault, findFaults } from './architecture.ts';

const source = fileURLToPath(new URL('../src', import.meta.url));
const planted: string[] = [];

/** A small house that keeps every rule, with some files put in or replaced. */
function faultsOf(files: Record<string, string>): readonly Fault[] {
  const root = mkdtempSync(join(tmpdir(), 'assay-house-'));
  planted.push(root);
  const sound = {
    'errors.ts': '// Errors.\nexport class AssayError extends Error {}\n',
    'stats/index.ts': "export { mean } from './mean.ts';\n",
    'stats/mean.ts': '// The mean.\nexport const mean = (a: number, b: number): number => (a + b) / 2;\n',
    'experiment/index.ts': "export { plan } from './plan.ts';\n",
    'experiment/plan.ts': "// The plan.\nimport { mean } from '../stats/index.ts';\nexport const plan = mean(1, 2);\n",
    'gateway/index.ts': "export { serve } from './serve.ts';\n",
    'gateway/serve.ts': "// Serves.\nimport { plan } from '../experiment/index.ts';\nexport const serve = plan;\n",
  };
  for (const [path, text] of Object.entries({ ...sound, ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return findFaults(root);
}

afterEach(() => {
  for (const root of planted.splice(0)) rmSync(root, { recursive: true, force: true });
});

describe('the house', () => {
  it('breaks none of its rules', () => {
    expect(findFaults(source)).toEqual([]);
  });
});

describe('a planted fault is caught:', () => {
  it('none is found in a sound house', () => {
    expect(faultsOf({})).toEqual([]);
  });

  const cases: readonly [string, Fault['rule'], Record<string, string>][] = [
    [
      'an upward import',
      'floor',
      { 'stats/up.ts': "// Up.\nimport { plan } from '../experiment/index.ts';\nexport const up = plan;\n" },
    ],
    [
      'an upward type-only import',
      'floor',
      { 'stats/up.ts': "// Up.\nimport type { X } from '../experiment/index.ts';\nexport type Up = X;\n" },
    ],
    ['an upward re-export', 'floor', { 'stats/up.ts': "// Up.\nexport { plan } from '../experiment/index.ts';\n" }],
    [
      'an upward dynamic import',
      'floor',
      { 'stats/up.ts': "// Up.\nexport const up = () => import('../experiment/index.ts');\n" },
    ],
    [
      'a sideways import',
      'floor',
      {
        'control/index.ts': "export { c } from './c.ts';\n",
        'control/c.ts': "// C.\nimport { serve } from '../gateway/index.ts';\nexport const c = serve;\n",
      },
    ],
    [
      'two rooms of the ground floor that know each other',
      'floor',
      { 'assignment/a.ts': "// A.\nimport { mean } from '../stats/index.ts';\nexport const a = mean;\n" },
    ],
    [
      'a past-the-door import',
      'door',
      { 'experiment/past.ts': "// Past.\nimport { mean } from '../stats/mean.ts';\nexport const past = mean;\n" },
    ],
    ['a door with a star', 'door', { 'stats/index.ts': "export * from './mean.ts';\n" }],
    [
      'a door of more than 40 lines',
      'door',
      { 'experiment/index.ts': "export { plan } from './plan.ts';\n".repeat(41) },
    ],
    [
      'a circle',
      'circle',
      {
        'stats/a.ts': "// A.\nimport { b } from './b.ts';\nexport const a = b;\n",
        'stats/b.ts': "// B.\nimport { a } from './a.ts';\nexport const b = a;\n",
      },
    ],
    [
      'a circle of types',
      'circle',
      {
        'stats/a.ts': "// A.\nimport type { B } from './b.ts';\nexport type A = B;\n",
        'stats/b.ts': "// B.\nimport type { A } from './a.ts';\nexport type B = A;\n",
      },
    ],
    [
      'chance below the waterline',
      'purity',
      { 'stats/c.ts': '// C.\nexport const c = (): number => Math.random();\n' },
    ],
    ['a clock below the waterline', 'purity', { 'stats/c.ts': '// C.\nexport const c = (): number => Date.now();\n' }],
    [
      'a date of today below the waterline',
      'purity',
      { 'experiment/c.ts': '// C.\nexport const c = (): Date => new Date();\n' },
    ],
    ['a timer below the waterline', 'purity', { 'experiment/c.ts': '// C.\nsetTimeout(() => {}, 1);\n' }],
    [
      'a socket below the waterline',
      'purity',
      { 'evidence/c.ts': "// C.\nimport { connect } from 'node:net';\nexport const c = connect;\n" },
    ],
    [
      'a fetch below the waterline',
      'purity',
      { 'api/c.ts': "// C.\nexport const c = () => fetch('http://localhost');\n" },
    ],
    [
      'a disk below the waterline',
      'purity',
      { 'decision/c.ts': "// C.\nimport { readFileSync } from 'node:fs';\nexport const c = readFileSync;\n" },
    ],
    ['the environment below the waterline', 'purity', { 'decision/c.ts': '// C.\nexport const c = process.env.X;\n' }],
    ['a name that says nothing', 'name', { 'stats/utils.ts': '// U.\nexport const u = 1;\n' }],
    ['a folder that says nothing', 'name', { 'stats/helpers/mean.ts': '// U.\nexport const u = 1;\n' }],
    ['a camel-case file', 'name', { 'stats/theMean.ts': '// U.\nexport const u = 1;\n' }],
    ['a file without its question', 'name', { 'stats/silent.ts': 'export const u = 1;\n' }],
    ['an unexplained long file', 'length', { 'stats/long.ts': `// L.\n${'export {};\n'.repeat(401)}` }],
    ['a folder that is not in the table', 'folder', { 'misc/x.ts': '// X.\nexport const x = 1;\n' }],
  ];
  it.each(cases)('%s', (_name, rule, files) => {
    const faults = faultsOf(files);
    expect(faults.map((fault) => fault.rule)).toContain(rule);
  });
});
