#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
// The `assay` command: reads the command line, runs one command, and turns faults into messages and exit codes.
import { Command, CommanderError, Option } from 'commander';
import { experimentActions } from '../api/index.ts';
import { addAuditCommands } from './audit-program.ts';
import { addExportCommands } from './export-program.ts';
import { addGitOptions, addModelCommands } from './git-program.ts';
import { addImportCommands } from './import-program.ts';
import { addLogCommands } from './log-program.ts';
import { addPlanningCommands } from './planning-program.ts';
import { addSeldonCommands } from './seldon-program.ts';
import { shareOf } from './share.ts';
import { exitCode, note, tellFault } from './terminal.ts';

const version: string = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;

/** Shares, percent or plain: `0.2` or `20%`. */
function parseShare(text: string): number {
  const share = shareOf(text);
  if (!(share >= 0 && share <= 1))
    throw new CommanderError(
      exitCode.failure,
      'assay.usage',
      `error: "${text}" is not a share, must be in 0..1 or 0%..100%`,
    );
  return share;
}

const parseCount =
  (rule: { readonly min: number; readonly max: number; readonly what: string }) =>
  (text: string): number => {
    const count = Number(text);
    if (!Number.isInteger(count) || count < rule.min || count > rule.max)
      throw new CommanderError(
        exitCode.failure,
        'assay.usage',
        `error: ${rule.what} is ${text}, must be an integer in [${rule.min}, ${rule.max}]`,
      );
    return count;
  };

const parseNumber = (text: string): number => {
  const number = Number(text);
  if (text.trim() === '' || !Number.isFinite(number))
    throw new CommanderError(exitCode.failure, 'assay.usage', `error: "${text}" is no number, must be one`);
  return number;
};
const countWorkers = parseCount({ min: 1, max: 64, what: '--workers' });
const parseWorkers = (text: string): number => (text === 'auto' ? availableParallelism() : countWorkers(text));
const parsePort = parseCount({ min: 0, max: 65_535, what: 'the port' });
const collect = (text: string, before: readonly string[]): readonly string[] => [...before, text];

const serverOption = (): Option =>
  new Option('--server <url>', 'address of the API').env('ASSAY_SERVER').default('http://127.0.0.1:8081');
const namespaceOption = (): Option =>
  new Option('--namespace <name>', 'namespace of the experiment').default('default');
/** A report may leave the program as one HTML file. */
const asFile = (command: Command): Command =>
  command
    .option('--html', 'one HTML file that opens anywhere, without script or network')
    .option('-o, --output <file>', 'where the HTML goes; default: standard output')
    .option('--show-invalid', 'in the HTML: effects of a broken experiment too, marked');
const jsonOption = (): Option => new Option('--json', 'print one JSON document on stdout, nothing else');

/** Builds the whole command tree; commands load their code when they run, so that `--help` is instant. */
function createProgram(): Command {
  const program = new Command('assay')
    .description('A/B tests between machine-learning models in production: route, record, attribute, decide, act.')
    .version(version)
    .showHelpAfterError('(run with --help for the options and examples)')
    .configureHelp({ helpWidth: Math.min(100, process.stdout.columns ?? 80) })
    .enablePositionalOptions()
    .addHelpText(
      'after',
      `
Examples:
  assay demo                                  the whole story on this machine, with real models
  assay init --url http://127.0.0.1:9001 --url http://127.0.0.1:9002 -o experiment.yaml
  assay serve -f experiment.yaml --start      put it in front of your own two models
  assay report my-experiment                  what the evidence says
  assay analyze results.csv --unit user --variant group --control A --metric clicked:proportion

Environment: ASSAY_SERVER, ASSAY_TOKEN, ASSAY_UNIT_KEY, ASSAY_UNIT_KEY_FILE, NO_COLOR, ASSAY_DEBUG
Exit codes:  0 done; verdict: 0 ship, 1 roll back or invalid, 3 undecided or no difference; 2 usage or failure`,
    );

  program
    .command('demo')
    .description('two real forecasting models, a gateway, late truth, report and verdict, on this machine')
    .option('--requests <n>', 'requests to send', parseCount({ min: 50, max: 200_000, what: '--requests' }), 2500)
    .option('--workers <n>', 'concurrent callers', parseCount({ min: 1, max: 64, what: '--workers' }), 5)
    .option('--seed <n>', 'seeds users, days and delays', parseCount({ min: 0, max: 2 ** 32 - 1, what: '--seed' }), 11)
    .addOption(
      new Option('--scenario <name>', 'real, or a named effect or fault injected on top')
        .choices(['real', 'ship', 'rollback', 'broken-split'])
        .default('real'),
    )
    .option('--service-ms <baseline,enhanced>', 'simulated service times in ms, for example 45,62')
    .option('--keep <dir>', 'keep the logs of the run in this directory')
    .option('--page', 'keep the live page open after the verdict, until Ctrl-C')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExamples:\n  assay demo\n  assay demo --page\n  assay demo --scenario rollback\n  assay demo --service-ms 45,62 --json > report.json',
    )
    .action(async (options) => (await import('./demo-command.ts')).demoCommand(options));

  program
    .command('serve')
    .description('gateway and control plane in one process')
    .requiredOption('-f, --file <path>', 'experiment file or a folder of them; repeatable', collect, [])
    .option('--data <dir>', 'data directory: logs and the unit key', './assay-data')
    .option('--host <address>', 'address of the data plane', '127.0.0.1')
    .option('--port <n>', 'port of the data plane; 0 takes any', parsePort, 8080)
    .option('--api-host <address>', 'address of the API; beyond loopback only with a token', '127.0.0.1')
    .option('--api-port <n>', 'port of the API; 0 takes any', parsePort, 8081)
    .option('--default-upstream <url>', 'where requests go that match no experiment')
    .option('--token-file <path>', 'file with the API token (or ASSAY_TOKEN)')
    .addOption(
      new Option('--durability <level>', 'when a prediction must be on disk')
        .choices(['after-reply', 'before-reply'])
        .default('after-reply'),
    )
    .addOption(
      new Option('--on-log-failure <policy>', 'predictions while the log cannot be written')
        .choices(['serve-unrecorded', 'refuse'])
        .default('serve-unrecorded'),
    )
    .addOption(
      new Option('--front <kind>', 'fast: lean front for cleartext HTTP/1.1; node: node:http, which also serves TLS')
        .choices(['fast', 'node'])
        .default('fast'),
    )
    .option('--tls-cert <file>', 'serve HTTPS and HTTP/2 with this certificate, PEM')
    .option('--tls-key <file>', 'its private key, PEM')
    .option('--tls-client-ca <file>', 'callers must show a certificate signed by one of these, PEM')
    .option(
      '--trusted-proxies <list>',
      'peers believed in X-Forwarded-*: addresses, networks, loopback, private; default: loopback',
    )
    .option('--grpc-port <n>', 'take Open Inference Protocol calls by gRPC on this port; 0 takes any', parsePort)
    .option('--grpc-max-message <size>', 'longest request message by gRPC, such as 64MB; default: 10MB')
    .option(
      '--max-in-flight <n>',
      'requests under way in one process beyond which further ones get 503',
      parseCount({ min: 1, max: 1_000_000, what: '--max-in-flight' }),
      4096,
    )
    .option('--workers <n|auto>', 'gateway processes; auto: one for every core', parseWorkers, 1)
    .option(
      '--drain-ms <ms>',
      'how long requests in flight may take to end after SIGTERM, then they are cut',
      parseCount({ min: 0, max: 3_600_000, what: '--drain-ms' }),
      25_000,
    )
    .option('--keep <duration>', 'evidence that arrived longer ago goes, such as 90d; default: it stays')
    .option('--max-bytes <size>', 'the oldest evidence goes beyond this, such as 50GB; default: no limit')
    .option('--analytics <url>', 'database for reports: clickhouse://USER@HOST:8123/DB or postgres://USER@HOST:5432/DB')
    .option('--ship-to <url>', 'hand all evidence to the API of another server, which makes the reports')
    .addOption(
      new Option('--log-format <format>', 'events on stderr as sentences or as one JSON object a line')
        .choices(['text', 'json'])
        .default('text'),
    )
    .addOption(
      new Option('--log-level <level>', 'events that matter less are left out')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .option('--kubernetes [namespace]', 'take over Experiment resources; default: the own namespace; all: of every one')
    .option('--seldon [namespace]', 'keep the weights of the Seldon Experiments of the same names in step')
    .option('--webhook <url>', 'tell every change to this address, signed; repeat it', collect, [])
    .option('--webhook-secret-file <path>', 'file with the secret that signs them (or ASSAY_WEBHOOK_SECRET)')
    .option('--start', 'start every draft experiment at once')
    .addHelpText(
      'after',
      '\nExamples:\n  assay serve -f experiment.yaml --start\n  assay serve -f experiment.yaml --workers auto\n  assay serve -f experiments/ --data /var/lib/assay --default-upstream http://127.0.0.1:9000',
    )
    .action(async (options) => (await import('./serve-command.ts')).serveCommand(options));

  program
    .command('init')
    .description('write a first experiment file from two or more endpoints')
    .requiredOption('--url <url>', 'endpoint of a variant, the control first; repeat it', collect, [])
    .option('--name <name>', 'name of the experiment', 'my-experiment')
    .option('--model <name>', 'OIP model name; repeat it per variant when they differ', collect, [])
    .option('--path <path>', 'path of a plain JSON service', '/predict')
    .addOption(
      new Option('--template <name>', 'what it is for: a comparison, a small share first, or a climb to all')
        .choices(['compare', 'canary', 'ramp'])
        .default('compare'),
    )
    .option('-o, --output <file>', 'write here instead of stdout; never overwrites')
    .addHelpText(
      'after',
      '\nExamples:\n  assay init --url http://127.0.0.1:9001 --url http://127.0.0.1:9002 --path /score\n  assay init --url http://127.0.0.1:9001 --url http://127.0.0.1:9002 --model forecast -o experiment.yaml',
    )
    .action(async (options) => (await import('./init-command.ts')).initCommand(options));

  program
    .command('validate')
    .description('check experiment files; every fault with its line and fix')
    .requiredOption('-f, --file <path>', 'experiment file or a folder of them; repeatable', collect, [])
    .addOption(jsonOption())
    .action(async (options) => (await import('./validate-command.ts')).validateCommand(options));

  asFile(
    program
      .command('analyze')
      .argument('<file>', 'CSV or Parquet with a row per unit, or a JSON document of published summaries')
      .description('the same report from a file, with no server'),
  )
    .option('--unit <column>', 'column of the unit id')
    .option('--variant <column>', 'column of the variant')
    .option('--control <name>', 'which variant is the control')
    .option('--metric <name:kind>', 'column and kind: proportion or mean; the first is primary; repeat it', collect, [])
    .option('--share <variant=share>', 'planned share of a variant; default: equal; repeat it', collect, [])
    .option('--winsorize <metric=quantiles>', 'values beyond become it: 0.99, or 0.01,0.99; repeat it', collect, [])
    .option('--covariate <metric=column>', 'what was known of the unit before (CUPED); repeat it', collect, [])
    .option('--lower-is-better', 'for the primary metric')
    .option('--alpha <p>', 'two-sided significance level', Number, 0.05)
    .option('--gate', 'exit like `assay verdict`')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExamples:\n  assay analyze results.csv --unit userid --variant version --control gate_30 --metric retention_7:proportion --metric sum_gamerounds:mean\n  assay analyze examples/financial-forecast/published.json',
    )
    .action(async (file, options) => (await import('./analyze-command.ts')).analyzeCommand(file, options));

  program
    .command('replay')
    .argument('<name>', 'experiment whose bodies were kept')
    .description('run captured requests against another model server and compare the replies')
    .requiredOption('--to <url>', 'base address of the other model server')
    .option('--data <dir>', 'data directory of the server that kept them', './assay-data')
    .addOption(namespaceOption())
    .addOption(
      new Option('--protocol <name>', 'what the other server speaks; default: the requests as they came').choices([
        'json',
        'oip',
        'openai',
        'mlflow',
        'tensorflow',
      ]),
    )
    .option('--model <name>', 'model name at the other server')
    .option('--model-version <version>', 'model version at the other server')
    .option('--header-env <header=variable>', 'header with its value from the environment; repeat it', collect, [])
    .option('--variant <name>', 'only requests that this variant answered')
    .option('--value <place>', 'number to compare: a JSON path of the reply, or tensor:NAME')
    .option('--threshold <number>', 'compare decisions too: the value is yes from here on', parseNumber)
    .option('--ignore <path>', 'JSON path that may differ, such as $.request_id; repeat it', collect, [])
    .option('--include-redacted', 'send requests with redacted values as they were kept')
    .option('--limit <n>', 'requests at most', parseCount({ min: 1, max: 10_000_000, what: '--limit' }), 10_000)
    .option('--concurrency <n>', 'requests at once', parseCount({ min: 1, max: 256, what: '--concurrency' }), 4)
    .option('--rate <n>', 'requests per second at most', parseCount({ min: 1, max: 100_000, what: '--rate' }))
    .option('--timeout-ms <n>', 'for one reply', parseCount({ min: 1, max: 600_000, what: '--timeout-ms' }), 30_000)
    .option(
      '--deadline <seconds>',
      'nothing is sent after this time',
      parseCount({ min: 1, max: 604_800, what: '--deadline' }),
      3600,
    )
    .option('--out <file>', 'write every pair as a line of JSON')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExamples:\n  assay replay ranking --data ./assay-data --to http://127.0.0.1:9003 --value $.score --threshold 0.5\n  assay replay forecast --to http://127.0.0.1:9002 --protocol oip --model forecast-v3 --value tensor:up --limit 500',
    )
    .action(async (name, options) => (await import('./replay-command.ts')).replayCommand(name, options));

  const remote = (command: Command): Command =>
    command.addOption(serverOption()).addOption(namespaceOption()).addOption(jsonOption());

  remote(asFile(program.command('report').argument('<name>', 'experiment').description('the full report')))
    .addHelpText(
      'after',
      '\nExamples:\n  assay report my-experiment\n  assay report my-experiment --html -o report.html',
    )
    .action(async (name, options) => (await import('./report-command.ts')).reportCommand(name, options));
  remote(
    program
      .command('get')
      .argument('[name]', 'experiment; all without a name')
      .description('experiments as they are, and where they drift from their file'),
  ).action(async (name, options) => (await import('./remote-commands.ts')).getCommand(name, options));
  remote(
    program.command('history').argument('<name>', 'experiment').description('who changed what, when and why'),
  ).action(async (name, options) => (await import('./remote-commands.ts')).historyCommand(name, options));
  remote(
    program
      .command('explain')
      .argument('<name>', 'experiment')
      .requiredOption('--unit <id>', 'unit id')
      .description('why this unit gets this variant'),
  ).action(async (name, options) => (await import('./remote-commands.ts')).explainCommand(name, options));
  remote(
    program
      .command('apply')
      .requiredOption('-f, --file <path>', 'experiment file or a folder of them; repeatable', collect, [])
      .option('--author <name>', 'who; default: the user of this shell')
      .option('--reason <text>', 'why', 'applied from the command line')
      .description('create or revise experiments on a running server'),
  ).action(async (options) => (await import('./remote-commands.ts')).applyCommand(options));

  addAuditCommands(program, remote);

  const steps: Readonly<Record<string, string>> = {
    start: 'begin the split',
    pause: 'the control answers everybody; evidence is kept',
    resume: 'go on after a pause',
    ramp: 'change the share of units that take part; widening moves nobody',
    promote: 'give everybody one variant',
    'roll-back': 'give everybody the control, for good',
    stop: 'end the experiment without a winner',
  };
  for (const action of experimentActions) {
    const command = remote(
      program
        .command(action)
        .argument('<name>', 'experiment')
        .description(steps[action] ?? action)
        .requiredOption('--reason <text>', 'why; the audit trail keeps it')
        .option('--author <name>', 'who; default: the user of this shell'),
    );
    if (action === 'start' || action === 'resume' || action === 'ramp')
      command.option('--coverage <share>', 'share of units that take part', parseShare);
    if (action === 'promote') {
      command.option('--variant <name>', 'the winner');
      addGitOptions(command, { isRequired: false });
    }
    command.action(async (name, options) =>
      options.git === undefined
        ? (await import('./remote-commands.ts')).stepCommand(action, { name, ...options })
        : (await import('./git-command.ts')).promoteToGitCommand({ name, ...options }),
    );
  }

  addImportCommands(program);
  addExportCommands(program);
  addLogCommands(program);
  addPlanningCommands(program, { share: parseShare, count: parseCount });

  remote(program.command('portfolio').description('what all experiments of a namespace have brought together'))
    .option('--cost-per-test <n>', 'cost of one experiment, in the currency of the money models', parseNumber)
    .action(async (options) => (await import('./portfolio-command.ts')).portfolioCommand(options));
  addSeldonCommands(program);
  addModelCommands(program);

  program
    .command('completion')
    .argument('<shell>', 'bash, zsh or fish')
    .description('print a completion script')
    .addHelpText(
      'after',
      '\nExamples:\n  source <(assay completion bash)\n  assay completion fish > ~/.config/fish/completions/assay.fish',
    )
    .action(async (shell) => (await import('./completion-command.ts')).completionCommand(shell, program));

  program
    .command('model-server', { hidden: true })
    .description('one of the demo models as an Open Inference Protocol server')
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (_options, command: Command) =>
      (await import('./demo/model-server.ts')).modelServerMain(command.args),
    );

  return program;
}

/** Runs the command line and gives the exit code. */
async function main(args: readonly string[]): Promise<void> {
  const program = createProgram();
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)])
    command.exitOverride();
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (fault) {
    if (fault instanceof CommanderError) {
      // Commander has printed its own message; ours has none yet.
      if (fault.code === 'assay.usage') note(fault.message);
      process.exitCode = fault.exitCode === 0 ? exitCode.done : exitCode.failure;
      return;
    }
    tellFault(fault);
    process.exitCode = exitCode.failure;
  }
}

// A reader that goes away (`assay report | head`) is no fault.
process.stdout.on('error', (fault: NodeJS.ErrnoException) =>
  process.exit(fault.code === 'EPIPE' ? 0 : exitCode.failure),
);
await main(process.argv.slice(2));
