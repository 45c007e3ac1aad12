import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'dashboard/src/**/*.test.ts', 'test/*.test.ts', 'test/e2e/**/*.test.ts'],
    setupFiles: ['./test/seed.ts'],
    reporters: ['default', './test/closing-line-reporter.ts'],
    // End-to-end tests mostly wait for other processes; more than two workers only make them wait for each other.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
