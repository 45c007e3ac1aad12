// How far are we? A bar on a terminal, a line every tenth elsewhere; always on stderr, so that stdout stays a document.
import { Presets, SingleBar } from 'cli-progress';

/** Progress of one long step. */
export interface Progress {
  /** Tells how many of `total` are done. */
  update(done: number): void;
  /** Ends the step; safe to call twice. */
  stop(): void;
}

/** Where progress is written, as `process.stderr`. */
export type ProgressStream = Pick<NodeJS.WriteStream, 'write'> & { readonly isTTY?: boolean };

/**
 * Starts to show progress.
 *
 * @param label what is being done, for example `requests`.
 */
export function createProgress(
  label: string,
  options: { readonly total: number; readonly stream: ProgressStream; readonly unicode: boolean },
): Progress {
  const { total, stream, unicode } = options;
  if (stream.isTTY === true) {
    const bar = new SingleBar(
      {
        stream: stream as NodeJS.WriteStream,
        format: `${label} {bar} {value}/{total}  {duration_formatted}`,
        hideCursor: true,
        barsize: 40,
      },
      unicode ? Presets.shades_classic : Presets.legacy,
    );
    bar.start(total, 0);
    return { update: (done) => bar.update(done), stop: () => bar.stop() };
  }
  let told = 0;
  return {
    update: (done) => {
      const tenth = total === 0 ? 10 : Math.floor((10 * done) / total);
      if (tenth <= told) return;
      told = tenth;
      stream.write(`${label} ${done}/${total} (${tenth * 10} %)\n`);
    },
    stop: () => {},
  };
}
