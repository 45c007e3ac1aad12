// Where does an operator read what happened? One line per event on a stream, as a sentence or as JSON for a log collector.
import { pino } from 'pino';

/** How much an event matters. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Every event that is ever told; when, and with which fields, is in docs/logs.md. */
export type OperatorEventName =
  | 'serving'
  | 'ready'
  | 'not-ready'
  | 'experiment-changed'
  | 'variant-ejected'
  | 'variant-readmitted'
  | 'file-read'
  | 'file-refused'
  | 'file-removed'
  | 'fault'
  | 'report-failed'
  | 'decision-failed'
  | 'worker-ended'
  | 'worker-serving'
  | 'worker-killed'
  | 'analysis-ended'
  | 'evidence-removed'
  | 'shipping-failed'
  | 'shipping-works'
  | 'control-log-mended'
  | 'registry'
  | 'registry-behind'
  | 'kubernetes'
  | 'seldon-follows'
  | 'seldon-behind';

/** How much each of them matters. */
export const eventLevels: Readonly<Record<OperatorEventName, LogLevel>> = {
  serving: 'info',
  ready: 'info',
  'not-ready': 'warn',
  'experiment-changed': 'info',
  'variant-ejected': 'warn',
  'variant-readmitted': 'info',
  'file-read': 'info',
  'file-refused': 'error',
  'file-removed': 'warn',
  fault: 'error',
  'report-failed': 'error',
  'decision-failed': 'error',
  'worker-ended': 'error',
  'worker-serving': 'info',
  'worker-killed': 'warn',
  'analysis-ended': 'error',
  'evidence-removed': 'info',
  'shipping-failed': 'warn',
  'shipping-works': 'info',
  'control-log-mended': 'warn',
  registry: 'info',
  'registry-behind': 'warn',
  kubernetes: 'warn',
  'seldon-follows': 'info',
  'seldon-behind': 'warn',
};

/** What a program reads of an event, beside its sentence. */
export interface OperatorEvent {
  readonly name: OperatorEventName;
  /** Bounded facts; never a unit id. */
  readonly fields?: { readonly [name: string]: string | number | boolean | null };
}

/** Takes one event; the sentence says all of it to a person. */
export type Tell = (sentence: string, event: OperatorEvent) => void;

/** The levels, least first. */
const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/**
 * The log of a server.
 *
 * @param options.write takes one line without its end.
 */
export function createOperatorLog(options: {
  readonly format: 'text' | 'json';
  /** Events below it are left out. */
  readonly level: LogLevel;
  readonly write: (line: string) => void;
  /** Epoch milliseconds. */
  readonly now: () => number;
}): Tell {
  const { format, level, write, now } = options;
  if (format === 'text') {
    return (sentence, { name }) => {
      const severity = eventLevels[name];
      if (logLevels.indexOf(severity) < logLevels.indexOf(level)) return;
      const mark = severity === 'info' ? '' : `${severity.toUpperCase()} `;
      write(`${new Date(now()).toISOString()} ${mark}${sentence}`);
    };
  }
  const logger = pino(
    {
      level,
      base: { service: 'assay', pid: process.pid },
      timestamp: () => `,"time":"${new Date(now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => write(line.trimEnd()) },
  );
  return (sentence, { name, fields }) => logger[eventLevels[name]]({ event: name, ...fields }, sentence);
}
