import { defineConfig } from 'vitest/config';

const testsOf = (folders: readonly string[]): string[] => folders.map((folder) => `src/${folder}/**/*.test.ts`);
/** Folders below the waterline: pure functions. */
const pure = testsOf(['stats', 'assignment', 'expression', 'experiment', 'evidence', 'decision', 'api']);
/** Folders of real sockets, files and processes; each test file ends what it starts. */
const world = testsOf(['gateway', 'control', 'sdk', 'adapters', 'server', 'cli']);

export default defineConfig({
  test: {
    reporters: ['default', './test/closing-line-reporter.ts'],
    // End-to-end tests mostly wait for other processes; more than two workers only make them wait for each other.
    maxWorkers: 2,
    setupFiles: ['./test/seed.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      // Loading the modules anew for every file would take a third of the time these tests take.
      { extends: true, test: { name: 'pure', include: pure, isolate: false } },
      { extends: true, test: { name: 'world', include: world, isolate: false } },
      {
        extends: true,
        test: { name: 'whole', include: ['dashboard/src/**/*.test.ts', 'test/*.test.ts', 'test/e2e/**/*.test.ts'] },
      },
    ],
  },
});
