// Where does an operator read what happened? One line per event on a stream, as a sentence or as JSON for a log collector.
import { pino } from 'pino';

/** How much an event matters. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** What a program reads of an event, beside its sentence. */
export interface OperatorEvent {
  /** Its name, such as `experiment-changed`; the set is in docs/logs.md. */
  readonly name: string;
  readonly level: LogLevel;
  /** Bounded facts; never a unit id. */
  readonly fields?: { readonly [name: string]: string | number | boolean | null };
}

/** Takes one event; the sentence says all of it to a person. */
export type Tell = (sentence: string, event?: OperatorEvent) => void;

/** The levels, least first. */
const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** A sentence without a name of its own. */
const notice: OperatorEvent = { name: 'notice', level: 'info' };

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
    return (sentence, event = notice) => {
      if (logLevels.indexOf(event.level) < logLevels.indexOf(level)) return;
      const mark = event.level === 'info' ? '' : `${event.level.toUpperCase()} `;
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
  return (sentence, { name, level: severity, fields } = notice) =>
    logger[severity]({ event: name, ...fields }, sentence);
}
