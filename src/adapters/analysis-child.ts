// The program of the analysis process: takes evidence in, keeps its state file, answers for the server, and steps back for everybody else.
import { readdirSync } from 'node:fs';
import { availableParallelism, constants, setPriority } from 'node:os';
import { AssayError } from '../errors.ts';
import type { AnalysisOrder, AnalysisReport, AnalysisSettings, AnalysisTask } from './analysis-messages.ts';
import { type DuckdbAnalyticsOptions, openDuckdbAnalytics } from './duckdb-analytics.ts';
import { createEngineAnalytics } from './engine-analytics.ts';
import { forgetDetail } from './evidence-detail.ts';
import { jobsHere } from './evidence-jobs.ts';
import { type EngineSettings, openEngine } from './open-engine.ts';
import { createStandingSummaries, type StandingSummaries } from './standing-summaries.ts';
import { stateFileOf } from './state-file.ts';

// Requests and their records go first, whenever there is not enough for all.
for (const thread of threadsOf()) setPriority(thread, constants.priority.PRIORITY_LOW);
// A terminal's ^C reaches the whole group; when to stop is the server's word alone.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
process.once('disconnect', () => process.exit(0));

let analytics: Promise<StandingSummaries> | undefined;
let settings: AnalysisSettings | undefined;
let tailing: NodeJS.Timeout | undefined;
let asked = 0;
/** The fault of the last round; empty after a round without one. */
let told = '';
/** Between two rounds passes at least this many times what the last one took. */
const mostlyIdle = 5;
/** A core is left to requests where there are two. */
const ownThreads = Math.max(1, Math.min(4, availableParallelism() - 1));

process.on('message', (order: AnalysisOrder) => {
  if (order.kind === 'start') start(order.settings);
  else if (order.kind === 'ask') void answer(order.question, order.ask);
  else void stop();
});
tell({ kind: 'loaded' });

/** On Linux each thread has a priority of its own, which those it starts inherit; elsewhere the process has one. */
function threadsOf(): readonly number[] {
  return process.platform === 'linux' ? readdirSync('/proc/self/task').map(Number) : [process.pid];
}

function start(given: AnalysisSettings): void {
  settings = given;
  const round = async (): Promise<void> => {
    const startedMs = performance.now();
    // Who waits for an answer has the latest taken in anyway.
    if (asked === 0)
      await opened()
        .then((each) => each.round())
        .then(
          () => {
            told = '';
          },
          (fault: unknown) => {
            const words = wordsOf(fault);
            // A database that is away is told once, not every five seconds.
            if (words.message !== told) tell({ kind: 'fault', ...words });
            told = words.message;
          },
        );
    const pauseMs = Math.max(given.everyMs ?? 5_000, mostlyIdle * (performance.now() - startedMs));
    tailing = setTimeout(() => void round(), pauseMs);
  };
  void round();
}

/** Opens at the first need; a failed opening is tried again at the next. */
function opened(): Promise<StandingSummaries> {
  if (settings === undefined) throw new Error('the analysis process was not started');
  const { directory, threads = ownThreads, memoryLimit, tempDirectory, engine } = settings;
  analytics ??= openStanding({
    directory,
    stateFile: stateFileOf(directory),
    threads,
    ...(memoryLimit === undefined ? {} : { memoryLimit }),
    ...(tempDirectory === undefined ? {} : { tempDirectory }),
    ...(engine === undefined ? {} : { engine }),
  }).catch((fault: unknown) => {
    analytics = undefined;
    throw fault;
  });
  return analytics;
}

async function openStanding(
  options: DuckdbAnalyticsOptions & { readonly engine?: EngineSettings },
): Promise<StandingSummaries> {
  const { engine, ...own } = options;
  const openWriters = new Set<string>();
  const isLive = (writer: string): boolean => {
    openWriters.add(writer);
    return true;
  };
  const analytics =
    engine === undefined
      ? await openDuckdbAnalytics({ ...own, isLive })
      : createEngineAnalytics({ directory: own.directory, engine: await openEngine(engine), isLive });
  return createStandingSummaries({ analytics, openWriters });
}

async function answer(question: number, task: AnalysisTask): Promise<void> {
  asked += 1;
  try {
    if (task.task === 'summarise') {
      const { summary, openWriters } = await (await opened()).summarise(task.plan);
      tell({ kind: 'answer', question, answer: summary, openWriters });
    } else tell({ kind: 'answer', question, answer: await perform(task), openWriters: [] });
  } catch (fault) {
    tell({ kind: 'refusal', question, ...wordsOf(fault) });
  } finally {
    asked -= 1;
  }
}

async function perform(task: Exclude<AnalysisTask, { readonly task: 'summarise' }>): Promise<unknown> {
  switch (task.task) {
    case 'catch-up':
      return (await opened()).catchUp();
    case 'seal':
      return jobsHere.seal(task.options);
    case 'compact':
      return jobsHere.compact(task.options);
    case 'retain':
      return jobsHere.retain(task.options);
    case 'erase':
      // What was erased must not stay in our own file, which goes with it.
      await forget();
      return jobsHere.erase(task.options);
    case 'detail':
      return jobsHere.detail(task.options);
  }
}

/** Closes the state; the next question opens it again. */
async function forget(): Promise<void> {
  const open = analytics;
  analytics = undefined;
  await open?.then((each) => each.close()).catch(() => undefined);
}

async function stop(): Promise<void> {
  clearTimeout(tailing);
  await forget();
  if (settings !== undefined) await forgetDetail(settings.directory);
  process.exit(0);
}

function wordsOf(fault: unknown): { readonly code: string; readonly message: string; readonly fix?: string } {
  if (fault instanceof AssayError) return { code: fault.code, message: fault.message, fix: fault.fix };
  return { code: 'internal', message: fault instanceof Error ? fault.message : String(fault) };
}

function tell(report: AnalysisReport): void {
  if (process.connected) process.send?.(report, undefined, undefined, () => {});
}
