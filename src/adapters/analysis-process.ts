// How does a server ask its engine without sharing a process with it? Starts a niced child, passes questions on, and starts another when it dies.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { AssayError, type ErrorCode, errorCatalogue } from '../errors.ts';
import type { Analytics, ExperimentSummary } from '../evidence/index.ts';
import type { AnalysisOrder, AnalysisReport, AnalysisSettings, AnalysisTask } from './analysis-messages.ts';
import type { EvidenceJobs } from './evidence-jobs.ts';
import type { Tell } from './pino-log.ts';

/** Options of `startAnalysisProcess`. */
export interface AnalysisProcessOptions extends AnalysisSettings {
  /** True for a writer that still runs: its log has no end yet and is no unclean shutdown. */
  readonly isLive: (writer: string) => boolean;
  /** One sentence per event an operator needs. */
  readonly tell: Tell;
}

/** The engine of a data directory in a process of its own. */
export interface AnalysisProcess extends Analytics {
  /** What is done to evidence, done there. */
  readonly jobs: EvidenceJobs;
  /** Undefined while none runs. */
  pid(): number | undefined;
}

interface Question {
  readonly ask: AnalysisTask;
  /** Processes that died over it. */
  deaths: number;
  readonly accept: (answer: unknown, openWriters: readonly string[]) => void;
  readonly reject: (fault: AssayError) => void;
}

/** A process that lived this long was sound: its end is no sequel of an earlier one. */
const soundMs = 10_000;
const firstPauseMs = 50;
const longestPauseMs = 10_000;
/** A question that this many processes died over is given back. */
const mostDeaths = 2;
/** How long the last work may take before the process is killed. */
const endMs = 5_000;

/**
 * Starts the process; questions asked before it is ready wait for it. Killed at any moment, it is started again with a growing
 * pause, and what was asked of it is asked again. Its state file is a cache, so nothing is lost with it.
 */
export function startAnalysisProcess(options: AnalysisProcessOptions): AnalysisProcess {
  const { isLive, tell, ...settings } = options;
  const questions = new Map<number, Question>();
  let next = 0;
  let child: ChildProcess | undefined;
  let isReady = false;
  let crashes = 0;
  let restart: NodeJS.Timeout | undefined;
  let closing: Promise<void> | undefined;

  const send = (order: AnalysisOrder): void => {
    // When it is gone, its end says so.
    if (child?.connected === true) child.send(order, () => {});
  };

  const start = (): void => {
    const startedMs = performance.now();
    const isSource = import.meta.url.endsWith('.ts');
    const program = fileURLToPath(new URL(`./analysis-child.${isSource ? 'ts' : 'js'}`, import.meta.url));
    const started = fork(program, [], {
      serialization: 'advanced',
      // Node 20 reads no TypeScript by itself.
      execArgv: isSource ? ['--import', 'tsx'] : [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child = started;
    started.on('message', (report: AnalysisReport) => take(report));
    let fault = '';
    started.on('error', (cause) => {
      fault = `: ${cause.message}`;
    });
    started.once('close', (code, signal) => {
      child = undefined;
      isReady = false;
      if (closing !== undefined) return;
      const how = signal === null ? `code ${code}` : `signal ${signal}`;
      crashes = performance.now() - startedMs > soundMs ? 1 : crashes + 1;
      const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (crashes - 1));
      tell(`the analysis process ended with ${how}${fault}; another one starts in ${pauseMs} ms`, {
        name: 'analysis-ended',
        fields: { pauseMs },
      });
      for (const [number, question] of questions) {
        question.deaths += 1;
        if (question.deaths < mostDeaths) continue;
        questions.delete(number);
        question.reject(new AssayError('analysis-failed', `the analysis process ended with ${how} over this question`));
      }
      restart = setTimeout(start, pauseMs);
    });
  };

  const take = (report: AnalysisReport): void => {
    if (report.kind === 'loaded') {
      isReady = true;
      send({ kind: 'start', settings });
      for (const [question, { ask }] of questions) send({ kind: 'ask', question, ask });
    } else if (report.kind === 'fault')
      tell(`analysis: ${report.code}: ${report.message}`, { name: 'fault', fields: { code: report.code } });
    else {
      const question = questions.get(report.question);
      questions.delete(report.question);
      if (report.kind === 'answer') question?.accept(report.answer, report.openWriters);
      else {
        const code = report.code in errorCatalogue ? (report.code as ErrorCode) : 'analysis-failed';
        question?.reject(new AssayError(code, report.message, report.fix === undefined ? {} : { fix: report.fix }));
      }
    }
  };

  const put = <T>(task: AnalysisTask, read: (answer: unknown, open: readonly string[]) => T): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (closing !== undefined) {
        reject(new AssayError('analysis-failed', 'the analysis process is being stopped'));
        return;
      }
      next += 1;
      questions.set(next, { ask: task, deaths: 0, accept: (answer, open) => resolve(read(answer, open)), reject });
      if (isReady) send({ kind: 'ask', question: next, ask: task });
    });
  const plainly = <T>(task: AnalysisTask): Promise<T> => put(task, (answer) => answer as T);

  const stop = async (): Promise<void> => {
    clearTimeout(restart);
    for (const { reject } of questions.values())
      reject(new AssayError('analysis-failed', 'the analysis process is being stopped'));
    questions.clear();
    const ending = child;
    if (ending === undefined) return;
    const ended = new Promise<void>((resolve) => ending.once('close', () => resolve()));
    const limit = setTimeout(() => ending.kill('SIGKILL'), endMs);
    if (isReady) send({ kind: 'stop' });
    else ending.kill('SIGKILL');
    await ended;
    clearTimeout(limit);
  };

  start();
  return {
    catchUp: () => plainly({ task: 'catch-up' }),
    summarise: (plan) =>
      put({ task: 'summarise', plan }, (answer, openWriters): ExperimentSummary => {
        const summary = answer as ExperimentSummary;
        if (summary.health === null) return summary;
        const uncleanShutdowns = openWriters.filter((writer) => !isLive(writer)).length;
        return { ...summary, health: { ...summary.health, uncleanShutdowns } };
      }),
    jobs: {
      seal: (job) => plainly({ task: 'seal', options: job }),
      compact: (job) => plainly({ task: 'compact', options: job }),
      retain: (job) => plainly({ task: 'retain', options: job }),
      erase: (job) => plainly({ task: 'erase', options: job }),
      detail: (job) => plainly({ task: 'detail', options: job }),
    },
    pid: () => child?.pid,
    close: () => {
      closing ??= stop();
      return closing;
    },
  };
}
