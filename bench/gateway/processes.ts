// Which processes does the bench run, what did they cost, and how do they end? Reads /proc; ends only what it has started.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** A process the bench started. */
export interface Running {
  readonly name: string;
  readonly pid: number;
  readonly child: ChildProcess;
}

const started: Running[] = [];
const canPin = availableParallelism() >= 2 && existsSync('/usr/bin/taskset');

/** Options of `run`. */
interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Core it stays on, where there are two or more. */
  readonly core?: number;
  /** File for stdout and stderr. */
  readonly output?: string;
}

/** Starts a program that stays. */
export function run(name: string, command: readonly string[], options: RunOptions = {}): Running {
  const pinned = canPin && options.core !== undefined ? ['/usr/bin/taskset', '-c', String(options.core)] : [];
  const [program = '', ...args] = [...pinned, ...command];
  const output = options.output === undefined ? 'ignore' : openSync(options.output, 'a');
  const child = spawn(program, args, { env: { ...process.env, ...options.env }, stdio: ['ignore', output, output] });
  if (typeof output === 'number') closeSync(output);
  const running = { name, pid: child.pid ?? 0, child };
  started.push(running);
  child.on('error', () => {});
  return running;
}

/** Moves what serves to one core, or to all of them. The analysis process stays on all: it is niced, and not what is measured. */
export function pin({ pid }: Running, core: number | 'all'): void {
  if (!canPin) return;
  const cores = core === 'all' ? `0-${availableParallelism() - 1}` : String(core);
  for (const each of [pid, ...descendants(pid)].filter((id) => !isAnalysis(id)))
    execFileSync('/usr/bin/taskset', ['-a', '-p', '-c', cores, String(each)], { stdio: 'ignore' });
}

/**
 * Holds what analyses, or lets it go on. It would seal the log while somebody is measured, on the load's core, and two threads of
 * one processor core slow each other down.
 */
export function holdAnalysis({ pid }: Running, isHeld: boolean): void {
  for (const each of descendants(pid).filter(isAnalysis)) {
    try {
      process.kill(each, isHeld ? 'SIGSTOP' : 'SIGCONT');
    } catch {
      // It has just ended.
    }
  }
}

/** CPU time of a process and everything below it since their start, microseconds, in steps of 10 ms: what serves, and what analyses. */
export function cpuMicros({ pid }: Running): { readonly serving: number; readonly analysis: number } {
  const ticks = { serving: 0, analysis: 0 };
  for (const each of [pid, ...descendants(pid)]) {
    const fields = statOf(each);
    // utime and stime, fields 14 and 15 of proc(5); `fields` begins with field 3.
    if (fields !== null) ticks[isAnalysis(each) ? 'analysis' : 'serving'] += Number(fields[11]) + Number(fields[12]);
  }
  return { serving: ticks.serving * 10_000, analysis: ticks.analysis * 10_000 };
}

/** Assay's niced process for seals and reports, a kind of work that no peer does. */
function isAnalysis(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('analysis-child');
  } catch {
    return false;
  }
}

/** Memory of a process and everything below it that is in RAM, bytes: what serves, and what analyses. */
export function residentBytes({ pid }: Running): { readonly serving: number; readonly analysis: number } {
  const kilobytes = { serving: 0, analysis: 0 };
  for (const each of [pid, ...descendants(pid)]) {
    try {
      const resident = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${each}/status`, 'utf8'))?.[1] ?? 0);
      kilobytes[isAnalysis(each) ? 'analysis' : 'serving'] += resident;
    } catch {
      // It has just ended.
    }
  }
  return { serving: kilobytes.serving * 1024, analysis: kilobytes.analysis * 1024 };
}

/** Asks it to end, and kills it when it does not within `patienceMs`. Resolves when it is gone. */
export async function stop({ child }: Running, patienceMs = 10_000): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const limit = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  await ended;
  clearTimeout(limit);
}

/** Ends everything that `run` has started, in reverse. */
export async function stopAll(): Promise<void> {
  await Promise.all(started.splice(0).map((each) => stop(each, 5_000)));
}

/** For an emergency exit: kills at once. */
export function killAll(): void {
  for (const { child, pid } of started.splice(0)) {
    for (const each of descendants(pid)) {
      try {
        process.kill(each, 'SIGKILL');
      } catch {
        // It has just ended.
      }
    }
    child.kill('SIGKILL');
  }
}

function descendants(pid: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = Number(statOf(Number(name))?.[1] ?? 0);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found: number[] = [];
  const visit = (each: number): void => {
    for (const child of children.get(each) ?? []) {
      found.push(child);
      visit(child);
    }
  };
  visit(pid);
  return found;
}

/** Fields of /proc/PID/stat from the third on; null when the process is gone. */
function statOf(pid: number): readonly string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything, so fields are counted after the last one.
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}
