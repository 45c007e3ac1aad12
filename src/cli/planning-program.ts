// The commands that look ahead: how long a test takes, and whether its rule is honest.
import { type Command, Option } from 'commander';

/** How numbers of the command line are read; faults are usage faults. */
export interface PlanningParsers {
  readonly share: (text: string) => number;
  readonly count: (rule: {
    readonly min: number;
    readonly max: number;
    readonly what: string;
  }) => (text: string) => number;
}

/** Adds `assay power` and `assay simulate`; their code is loaded when they run. */
export function addPlanningCommands(program: Command, parse: PlanningParsers): void {
  const collect = (text: string, before: readonly string[]): readonly string[] => [...before, text];
  const planned = (command: Command): Command =>
    command
      .requiredOption('-f, --file <path>', 'experiment file')
      .option('--baseline <metric=level>', 'expected of the control; a number alone: the first metric', collect, [])
      .option('--difference <metric=number>', 'expected of the candidate less the control; repeat it', collect, [])
      .option('--sd <metric=number>', 'standard deviation from unit to unit; repeat it', collect, [])
      .option('--traffic <n/time>', 'new units, such as 500/h or 12000/d')
      .option('--power <share>', 'wished chance of a decision, such as 0.8 or 90%', parse.share)
      .option('--pilot <file>', 'report of a pilot or of a past experiment: assay report NAME --json')
      .option('--log <dir>', 'data directory with traffic of this experiment to take levels and noise from')
      .addOption(new Option('--json', 'print one JSON document on stdout, nothing else'));

  planned(program.command('power').description('how many units, how many days, and what the plan can see'))
    .addHelpText(
      'after',
      '\nExamples:\n  assay power -f experiment.yaml --baseline accuracy=0.78 --difference accuracy=0.03 --traffic 500/h\n  assay power -f experiment.yaml --pilot last-quarter.json --power 0.9',
    )
    .action(async (options) => (await import('./power-command.ts')).powerCommand(options));

  planned(
    program
      .command('simulate')
      .description('how often this very rule ships or rolls back wrongly, and how long it takes'),
  )
    .option('--aa', 'the candidate is the control')
    .option('--at-boundary', 'every criterion in turn stands exactly at its limit')
    .option(
      '--effect <planned|value>',
      'the expected differences are true, or the first primary criterion has this value',
    )
    .option('--runs <n>', 'runs of each world', parse.count({ min: 10, max: 100_000, what: '--runs' }), 200)
    .option('--looks <n>', 'looks of a run', parse.count({ min: 2, max: 10_000, what: '--looks' }), 60)
    .option('--seed <n>', 'seeds chance', parse.count({ min: 0, max: 2 ** 32 - 1, what: '--seed' }), 11)
    .addHelpText(
      'after',
      '\nExamples:\n  assay simulate -f experiment.yaml --aa\n  assay simulate -f examples/financial-forecast/experiment.yaml --at-boundary --runs 200 --seed 11 --json',
    )
    .action(async (options) => (await import('./simulate-command.ts')).simulateCommand(options));
}
