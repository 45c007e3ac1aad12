// How does a bench answer? Rows of ratios against their targets, lines on stderr, an end in time, and nothing left behind.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** One line of the answer: a ratio (more is better) against its target. */
export interface BenchRow {
  readonly name: string;
  readonly value: number;
  readonly target: number;
  readonly ok: boolean;
  /** Why there is no value, or what stands behind it. */
  readonly note?: string;
}

/** A bench that has begun. */
export interface Bench {
  /** Its own directory, gone with the process. */
  readonly directory: string;
  say(line: string): void;
  /** @param value a text says why there is none. */
  addRow(name: string, value: number | string, target: number, note?: string): void;
  /** Prints the rows, the document with `json` (then nothing else goes to stdout), and the time taken; with `check` the process ends with 1 when a row is below its target. */
  end(options: { readonly json: boolean; readonly check: boolean }): void;
}

/** @param of.onStop called before a bench that takes too long, or is interrupted, ends. */
export function beginBench(of: {
  readonly name: string;
  /** The directory is made below this one. */
  readonly below: string;
  readonly mostMinutes: number;
  readonly onStop?: () => void;
}): Bench {
  const startedMs = performance.now();
  const rows: BenchRow[] = [];
  const directory = mkdtempSync(join(of.below, `assay-${of.name}-`));
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const stop = (code: number): void => {
    of.onStop?.();
    process.exit(code);
  };
  const limit = setTimeout(() => {
    say('the bench took too long and is cut off');
    stop(1);
  }, of.mostMinutes * 60_000).unref();
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop(130));
  return {
    directory,
    say,
    addRow(name, value, target, note) {
      const isMeasured = typeof value === 'number' && Number.isFinite(value);
      const rounded = isMeasured ? Number(value.toPrecision(4)) : 0;
      const reason = typeof value === 'string' ? value : note;
      rows.push({
        ...{ name, value: rounded, target, ok: isMeasured && rounded >= target },
        ...(reason === undefined ? {} : { note: reason }),
      });
    },
    end({ json, check }) {
      clearTimeout(limit);
      const print = json ? say : console.log;
      for (const { name, value, target, ok, note = '' } of rows)
        print(`${ok ? 'ok  ' : 'MISS'} ${name.padEnd(30)} ${String(value).padStart(9)}  target ${target}  ${note}`);
      if (json) console.log(JSON.stringify({ results: rows }));
      say(`${((performance.now() - startedMs) / 1_000).toFixed(0)} s`);
      if (check && rows.some(({ ok }) => !ok)) process.exitCode = 1;
    },
  };
}
