import type { Reporter, TestCase } from 'vitest/node';

/** Ends a run with one plain line, `N passed, N failed, N skipped`, that a log reader can find without knowing the runner. */
export default class ClosingLineReporter implements Reporter {
  readonly #count = { passed: 0, failed: 0, skipped: 0, pending: 0 };

  onTestCaseResult(test: TestCase): void {
    this.#count[test.result().state] += 1;
  }

  onTestRunEnd(): void {
    const { passed, failed, skipped } = this.#count;
    console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  }
}
