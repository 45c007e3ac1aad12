import { defineConfig } from 'vitest/config';

/** Folders below the waterline: pure functions, whose tests share a process and its modules without meeting each other. */
const pure = ['stats', 'assignment', 'expression', 'experiment', 'evidence', 'decision', 'api'].map(
  (folder) => `src/${folder}/**/*.test.ts`,
);

export default defineConfig({
  test: {
    reporters: ['default', './test/closing-line-reporter.ts'],
    // End-to-end tests mostly wait for other processes; more than two workers only make them wait for each other.
    maxWorkers: 2,
    setupFiles: ['./test/seed.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      // Loading the modules anew for every file would take a third of the time these tests take.
      { extends: true, test: { name: 'pure', include: pure, isolate: false } },
      {
        extends: true,
        test: {
          name: 'world',
          include: ['src/**/*.test.ts', 'dashboard/src/**/*.test.ts', 'test/*.test.ts', 'test/e2e/**/*.test.ts'],
          exclude: ['**/node_modules/**', ...pure],
        },
      },
    ],
  },
});
