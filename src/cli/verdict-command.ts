// `assay verdict NAME`: the decision for a person, a script or a CI system; the exit code carries it.
import { appendFile } from 'node:fs/promises';
import type { CriterionEntry, Report, Verdict } from '../decision/index.ts';
import { AssayError } from '../errors.ts';
import { parseDuration } from './quantity.ts';
import { connect, exitCodeOf, type RemoteOptions } from './remote-commands.ts';
import { exitCode, note, say, sayJson } from './terminal.ts';

interface VerdictOptions extends RemoteOptions {
  readonly wait?: boolean;
  readonly timeout: string;
  readonly output: 'text' | 'json' | 'github' | 'junit';
}

/** Pauses between two questions while waiting, milliseconds: quick at first, then easy on the server. */
const firstPauseMs = 500;
const longestPauseMs = 5_000;

/**
 * Prints the verdict; with `--wait` when there is one to act on, or when the time is over.
 * @throws AssayError as the server says; `usage-invalid` for a timeout that is no duration.
 */
export async function verdictCommand(name: string, options: VerdictOptions): Promise<void> {
  const timeoutMs = parseDuration(options.timeout, '--timeout');
  const { report, state } = options.wait ? await waitFor(name, options, timeoutMs) : await ask(name, options);
  const { verdict } = report;
  const output = options.json ? 'json' : options.output;
  if (output === 'json') sayJson(verdict);
  else if (output === 'junit') say(junitOf(report));
  else {
    if (output === 'github') await tellGithub(report);
    say(`${verdict.kind} (${verdict.recommendation})`);
    for (const reason of verdict.reasons) say(`  ${reason.text}`);
  }
  // A candidate that was taken out on the live counts is out, even where the report knows too little to say so.
  process.exitCode = state === 'rolled-back' ? exitCode.negative : exitCodeOf(verdict);
}

interface Asked {
  readonly report: Report;
  readonly state: string;
}

async function ask(name: string, options: RemoteOptions): Promise<Asked> {
  const client = connect(options);
  const report = await client.report(name);
  return { report, state: (await client.experiment(name)).state };
}

async function waitFor(name: string, options: VerdictOptions, timeoutMs: number): Promise<Asked> {
  const endMs = Date.now() + timeoutMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 1.5)) {
    const leftMs = endMs - Date.now();
    try {
      const asked = await ask(name, options);
      const isDecided = asked.report.verdict.kind !== 'keep-testing';
      const hasEnded = ['promoted', 'rolled-back', 'completed'].includes(asked.state);
      if (isDecided || hasEnded || leftMs <= 0) return asked;
      note(`${asked.report.verdict.kind}: ${asked.report.verdict.reasons[0]?.text ?? 'no reason was given'}`);
    } catch (fault) {
      // A server that is being replaced is no verdict.
      if (!(fault instanceof AssayError) || !fault.retryable || leftMs <= 0) throw fault;
      note(`${fault.message}; asking again`);
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, Math.min(pauseMs, endMs - Date.now()))));
  }
}

const isFailure = ({ kind }: Verdict): boolean => kind === 'roll-back' || kind === 'invalid';

/** Outputs, a summary and an annotation, where GitHub Actions reads them. */
async function tellGithub({ experiment, verdict, criteria }: Report): Promise<void> {
  const { GITHUB_OUTPUT, GITHUB_STEP_SUMMARY } = process.env;
  const gate = verdict.kind === 'ship' ? 'pass' : isFailure(verdict) ? 'fail' : 'wait';
  const outputs = { verdict: verdict.kind, gate, recommendation: verdict.recommendation, variant: verdict.variant };
  if (GITHUB_OUTPUT)
    await appendFile(
      GITHUB_OUTPUT,
      `${Object.entries(outputs)
        .map(([key, value]) => `${key}=${value}\n`)
        .join('')}`,
    );
  if (GITHUB_STEP_SUMMARY) await appendFile(GITHUB_STEP_SUMMARY, summaryOf(experiment, { verdict, criteria }));
  const level = verdict.kind === 'ship' ? 'notice' : isFailure(verdict) ? 'error' : 'warning';
  const title = `${experiment}: ${verdict.kind}`;
  // Their format: % and line ends are escaped, in a title , and : too.
  const escaped = (text: string): string => text.replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A');
  say(
    `::${level} title=${escaped(title).replace(/:/g, '%3A').replace(/,/g, '%2C')}::${escaped(verdict.reasons[0]?.text ?? title)}`,
  );
}

function summaryOf(
  experiment: string,
  { verdict, criteria }: { readonly verdict: Verdict; readonly criteria: readonly CriterionEntry[] },
): string {
  const cell = (text: string): string => text.replace(/\|/g, '\\|').replace(/\s*\n\s*/g, ' ');
  const rows = criteria.map(
    ({ role, text, variant, outcome }) => `| ${role} | \`${cell(text)}\` | ${cell(variant)} | ${outcome} |`,
  );
  const table =
    rows.length === 0 ? [] : ['', '| role | criterion | variant | outcome |', '| --- | --- | --- | --- |', ...rows];
  return [
    `## ${experiment}: ${verdict.kind} (${verdict.recommendation})`,
    '',
    ...verdict.reasons.map(({ text }) => `- ${text.replace(/\s*\n\s*/g, ' ')}`),
    ...table,
    '',
    '',
  ].join('\n');
}

/** One test for the verdict and one for each criterion: what is undecided is skipped, what is broken fails. */
function junitOf({ experiment, verdict, criteria }: Report): string {
  const escaped = (text: string): string =>
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 has no way to write them.
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, ' ')
      .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
  const reasons = verdict.reasons.map(({ text }) => text).join('\n');
  const cases = [
    {
      name: 'verdict',
      result: verdict.kind === 'ship' ? 'passed' : isFailure(verdict) ? 'failure' : 'skipped',
      message: `${verdict.kind} (${verdict.recommendation})`,
      text: reasons,
    },
    ...criteria
      .filter(({ role }) => role !== 'secondary')
      .map(({ role, text, variant, outcome }) => ({
        name: `${role}: ${text} (${variant})`,
        // Only a guardrail that is broken is a failure; a primary criterion that is not met is no harm.
        result: outcome === 'met' ? 'passed' : outcome === 'not-met' && role === 'guardrail' ? 'failure' : 'skipped',
        message: `${text} is ${outcome} for ${variant}`,
        text: '',
      })),
  ];
  const count = (result: string): number => cases.filter((each) => each.result === result).length;
  const lines = cases.map(({ name, result, message, text }) => {
    const head = `    <testcase classname="assay.${escaped(experiment)}" name="${escaped(name)}"`;
    if (result === 'passed') return `${head}/>`;
    const inner = text === '' ? '/>' : `>${escaped(text)}</${result}>`;
    return `${head}>\n      <${result} message="${escaped(message)}"${result === 'skipped' ? '/>' : inner}\n    </testcase>`;
  });
  const counts = `tests="${cases.length}" failures="${count('failure')}" skipped="${count('skipped')}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `  <testsuite name="assay ${escaped(experiment)}" ${counts}>`,
    ...lines,
    '  </testsuite>',
    '</testsuites>',
  ].join('\n');
}
