// Commands that talk to a running server: look at experiments, read reports, take steps.
import { userInfo } from 'node:os';
import type { ExperimentAction, ExperimentAnswer } from '../api/index.ts';
import type { Verdict } from '../decision/index.ts';
import { parseExperimentFile } from '../experiment/index.ts';
import { type Client, createClient } from '../sdk/index.ts';
import { readExperimentTexts } from './experiment-files.ts';
import { exitCode, say, sayJson } from './terminal.ts';

/** What every command that talks to a server takes. */
export interface RemoteOptions {
  readonly server: string;
  readonly namespace: string;
  readonly json?: boolean;
}

/** The token comes from the environment only: command lines are visible to other users of the machine. */
export function connect(options: RemoteOptions, timeoutMs = 60_000): Client {
  const token = process.env.ASSAY_TOKEN;
  return createClient({ server: options.server, namespace: options.namespace, timeoutMs, ...(token ? { token } : {}) });
}

/** Who stands in the audit trail unless --author says otherwise. */
export const currentUser = (): string => {
  try {
    return userInfo().username;
  } catch {
    return 'cli';
  }
};

/** Gives the exit code that a verdict stands for. */
export function exitCodeOf(verdict: Verdict): number {
  if (verdict.kind === 'ship') return exitCode.done;
  return verdict.kind === 'roll-back' || verdict.kind === 'invalid' ? exitCode.negative : exitCode.undecided;
}

/** `assay get [NAME]`. */
export async function getCommand(name: string | undefined, options: RemoteOptions): Promise<void> {
  const client = connect(options);
  if (name !== undefined) {
    const answer = await client.experiment(name);
    if (options.json) sayJson(answer);
    else sayExperiment(answer);
    return;
  }
  const answers = await client.experiments();
  if (options.json) sayJson(answers);
  else if (answers.length === 0)
    say('No experiment yet. Write a first file with `assay init`, then `assay apply -f FILE`.');
  else for (const answer of answers) say(`${answer.name.padEnd(30)} ${answer.state.padEnd(12)} ${splitText(answer)}`);
}

function splitText(answer: ExperimentAnswer): string {
  if (answer.allocation.kind === 'single')
    return `everybody gets ${answer.allocation.variant} (${answer.allocation.reason})`;
  const width = new Map<string, number>();
  for (const range of answer.allocation.ranges)
    width.set(range.variant, (width.get(range.variant) ?? 0) + (range.to - range.from) / 2 ** 32);
  const shares = [...width].map(([variant, share]) => `${variant} ${(share * 100).toFixed(1)} %`).join(', ');
  return `${shares} of ${(answer.coverage * 100).toFixed(answer.coverage === 1 ? 0 : 2)} % covered`;
}

function sayExperiment(answer: ExperimentAnswer): void {
  say(`${answer.name}: ${answer.state}, revision ${answer.revision}, epoch ${answer.epoch}`);
  if (answer.specification.hypothesis) say(`  ${answer.specification.hypothesis}`);
  say(`  ${splitText(answer)}`);
  if (answer.startedAt) say(`  started ${answer.startedAt}${answer.endedAt ? `, ended ${answer.endedAt}` : ''}`);
  for (const variant of answer.specification.variants) say(`  ${variant.name.padEnd(20)} ${variant.upstream.url}`);
  for (const sentence of answer.drift) say(`  drift: ${sentence}`);
  for (const sentence of answer.overlaps) say(`  overlap: ${sentence}`);
}

/** `assay start|pause|resume|ramp|promote|roll-back|stop NAME`. */
export async function stepCommand(
  action: ExperimentAction,
  options: RemoteOptions & { name: string; reason: string; author?: string; coverage?: number; variant?: string },
): Promise<void> {
  const answer = await connect(options).act(options.name, action, {
    author: options.author ?? currentUser(),
    reason: options.reason,
    ...(options.coverage === undefined ? {} : { coverage: options.coverage }),
    ...(options.variant === undefined ? {} : { variant: options.variant }),
  });
  if (options.json) sayJson(answer);
  else sayExperiment(answer);
}

/** `assay apply -f FILE`. */
export async function applyCommand(
  options: RemoteOptions & { file: readonly string[]; author?: string; reason: string },
): Promise<void> {
  const client = connect(options);
  const answers: ExperimentAnswer[] = [];
  // All files are checked before the first is sent: a broken one must not leave half of them applied.
  const files = (await readExperimentTexts(options.file)).map((each) => ({
    ...each,
    name: parseExperimentFile(each.text, { file: each.file }).name,
  }));
  for (const { name, text } of files) {
    const answer = await client.apply(name, text, { author: options.author ?? currentUser(), reason: options.reason });
    answers.push(answer);
    if (!options.json) sayExperiment(answer);
  }
  if (options.json) sayJson(answers);
}

/** `assay history NAME`. */
export async function historyCommand(name: string, options: RemoteOptions): Promise<void> {
  const entries = (await connect(options).history(name)) as readonly {
    revision: number;
    timeMs: number;
    event: { kind: string; author: string; reason: string };
  }[];
  if (options.json) sayJson(entries);
  else
    for (const { revision, timeMs, event } of entries)
      say(
        `${String(revision).padStart(4)}  ${new Date(timeMs).toISOString()}  ${event.kind.padEnd(10)} ${event.author}: ${event.reason}`,
      );
}

/** `assay explain NAME --unit ID`. */
export async function explainCommand(name: string, options: RemoteOptions & { unit: string }): Promise<void> {
  const answer = await connect(options).explain(name, options.unit);
  if (options.json) sayJson(answer);
  else say(answer.text);
}
