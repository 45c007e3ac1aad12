// The commands below `assay log`, which look after the evidence of a data directory.
import { type Command, Option } from 'commander';

/** Adds `assay log` with its commands; their code is loaded when they run. */
export function addLogCommands(program: Command): void {
  const log = program
    .command('log')
    .description('look after the evidence of a data directory: check, merge, expire, erase, copy')
    .addHelpText(
      'after',
      `
Examples:
  assay log verify --data /var/lib/assay
  assay log backup --data /var/lib/assay --to /backup/2026-11-22
  assay log erase --data /var/lib/assay --unit user-17

verify and backup work beside a running server; the others need the directory for themselves.`,
    );
  const add = (name: string, description: string, examples: readonly string[]): Command =>
    log
      .command(name)
      .description(description)
      .option('--data <dir>', 'data directory', './assay-data')
      .addOption(new Option('--json', 'print one JSON document on stdout, nothing else'))
      .addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}`);

  add('verify', 'read everything: frames, checksums, sequences, segments; exit 2 when something is wrong', [
    'assay log verify --data /var/lib/assay',
    'assay log verify --json | jq .faults',
  ]).action(async (options) => (await import('./log-command.ts')).verifyCommand(options));

  add('compact', 'seal all logs into Parquet segments now, and merge the small ones of a day', [
    'assay log compact --data /var/lib/assay',
  ]).action(async (options) => (await import('./log-command.ts')).compactCommand(options));

  add('retain', 'let old evidence go, whole segments, the oldest first', [
    'assay log retain --keep 90d --longest-window 7d',
    'assay log retain --max-bytes 50GB --dry-run',
  ])
    .option('--keep <duration>', 'evidence that arrived longer ago goes')
    .option('--max-bytes <size>', 'then the oldest goes until the rest fits')
    .option('--longest-window <duration>', 'longest window of a running experiment: nothing younger goes')
    .option('--dry-run', 'say what would go, and leave everything')
    .action(async (options) => (await import('./log-command.ts')).retainCommand(options));

  add('erase', "remove every record of one unit: predictions, their ends and mirrors, and the unit's outcomes", [
    'assay log erase --unit user-17',
    'assay log erase --unit-key 0123456789abcdef --json',
  ])
    .option('--unit <id>', 'unit id as callers send it; it is hashed with the key of the directory')
    .option('--unit-key <hex>', 'unit key as records have it, 16 hex digits')
    .action(async (options) => (await import('./log-command.ts')).eraseCommand(options));

  add('backup', 'copy segments, logs, control log and unit key as of one moment; segments are linked where possible', [
    'assay log backup --data /var/lib/assay --to /backup/2026-11-22',
  ])
    .requiredOption('--to <dir>', 'where to; must be empty or missing')
    .option('--without-unit-key', 'leave the key out, for a copy that shall not recognise people')
    .action(async (options) => (await import('./log-command.ts')).backupCommand(options));

  add('restore', 'copy a backup into an empty data directory, every file checked', [
    'assay log restore --from /backup/2026-11-22 --data /var/lib/assay',
  ])
    .requiredOption('--from <dir>', 'the backup')
    .action(async (options) => (await import('./log-command.ts')).restoreCommand(options));
}
