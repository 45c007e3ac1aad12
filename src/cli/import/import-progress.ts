// How far is an import? A bar on stderr where somebody looks.
import cliProgress from 'cli-progress';

/** A bar, or nothing where stderr is no terminal. */
export interface Progress {
  update(done: number): void;
  stop(): void;
}

/** @param what what is counted, for example `outcomes`. */
export function createProgress(of: number, what: string): Progress {
  if (!process.stderr.isTTY) return { update: () => {}, stop: () => {} };
  const bar = new cliProgress.SingleBar({
    format: `{bar} {value} of {total} ${what}, {eta_formatted} left`,
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
  });
  bar.start(of, 0);
  return { update: (done) => bar.update(done), stop: () => bar.stop() };
}
