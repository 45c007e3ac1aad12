// Where commands meet the person or program that called them: streams, colour, how a fault is told.
import pc from 'picocolors';
import { AssayError } from '../errors.ts';
import { type TerminalStyle, terminalStyle } from './render/index.ts';

/** Exit codes of the `assay` command. */
export const exitCode = { done: 0, negative: 1, failure: 2, undecided: 3 } as const;

/** How much the terminal behind stdout can show; NO_COLOR is honoured. */
export const style: TerminalStyle = terminalStyle(process.stdout, process.env);

/** Writes one line to stdout. */
export function say(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** Writes one line to stderr: progress and notices, so that stdout stays clean for `--json`. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Writes one JSON document to stdout, nothing else. */
export function sayJson(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}

/** Tells a fault on stderr: what, where, how to mend it. A stack trace only for faults of our own or with ASSAY_DEBUG. */
export function tellFault(fault: unknown): void {
  const colours = pc.createColors(terminalStyle(process.stderr, process.env).colour);
  if (fault instanceof AssayError) {
    note(`${colours.red('error')} ${fault.message} ${colours.dim(`(${fault.code})`)}`);
    for (const issue of fault.issues.slice(1, 20))
      note(`      ${issue.line === undefined ? '' : `line ${issue.line}: `}${issue.text}`);
    if (fault.issues.length > 20) note(`      and ${fault.issues.length - 20} more`);
    note(`  ${colours.bold('fix')} ${fault.fix}`);
    if (process.env.ASSAY_DEBUG && fault.cause !== undefined) note(String((fault.cause as Error).stack ?? fault.cause));
    return;
  }
  if (fault instanceof RangeError) {
    note(`${colours.red('error')} ${fault.message}`);
    if (process.env.ASSAY_DEBUG) note(String(fault.stack));
    return;
  }
  note(`${colours.red('fault')} ${String((fault as Error)?.stack ?? fault)}`);
}
