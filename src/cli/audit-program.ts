// The commands by which people and CI jobs read the decision, check what was done, answer what is proposed, remark on what happened.
import { type Command, Option } from 'commander';

/** Adds `assay verdict`, `assay audit`, `assay approve` and `assay annotate`; `remote` adds the options of commands that talk to a server. */
export function addAuditCommands(program: Command, remote: (command: Command) => Command): void {
  remote(
    program
      .command('verdict')
      .argument('<name>', 'experiment')
      .description('the decision; exit 0 ship, 1 roll back or invalid, 3 undecided')
      .option('--wait', 'ask again until there is a decision, or until the timeout')
      .option('--timeout <duration>', 'how long --wait waits, such as 90s, 10m or 2h', '10m')
      .addOption(
        new Option('--output <format>', 'github: outputs, summary and annotation of GitHub Actions; junit: XML')
          .choices(['text', 'json', 'github', 'junit'])
          .default('text'),
      )
      .addHelpText(
        'after',
        '\nExamples:\n  assay verdict my-experiment\n  assay verdict my-experiment --wait --timeout 2h --output github\n  assay verdict my-experiment --output junit > verdict.xml',
      ),
  ).action(async (name, options) => (await import('./verdict-command.ts')).verdictCommand(name, options));
  remote(
    program
      .command('audit')
      .argument('<name>', 'experiment')
      .description('every change with who, when and why, and whether the log is what was written; exit 1 when not')
      .option('--data <dir>', 'read the log of this data directory or backup, without a server')
      .option('--recompute', 'make every kept verdict once more from the numbers kept with it')
      .option('--anchor <hash>', 'a hash that was noted earlier must still be in the log')
      .addHelpText(
        'after',
        '\nExamples:\n  assay audit my-experiment --recompute\n  assay audit my-experiment --data /backup/2026-11-22 --json',
      ),
  ).action(async (name, options) => (await import('./audit-command.ts')).auditCommand(name, options));
  remote(
    program
      .command('approve')
      .argument('<name>', 'experiment')
      .description('take the step that the decision loop has proposed')
      .requiredOption('--reason <text>', 'why; the audit trail keeps it')
      .option('--author <name>', 'who; default: the user of this shell'),
  ).action(async (name, options) => (await import('./audit-command.ts')).approveCommand(name, options));
  remote(
    program
      .command('annotate')
      .argument('<name>', 'experiment')
      .argument('<text>', 'what happened')
      .description('remark on a time, such as a launch or an outage; readers of the timeline see it')
      .option('--at <time>', 'when, ISO 8601; default: now')
      .option('--until <time>', 'end of a span of time, ISO 8601')
      .option('--author <name>', 'who; default: the user of this shell'),
  ).action(async (name, text, options) => (await import('./audit-command.ts')).annotateCommand(name, text, options));
}
