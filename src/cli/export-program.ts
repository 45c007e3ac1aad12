// The commands below `assay export`, which write files for other systems.
import { type Command, Option } from 'commander';

const collect = (text: string, before: readonly string[]): readonly string[] => [...before, text];

/** Adds `assay export` with its commands; their code is loaded when they run. */
export function addExportCommands(program: Command): void {
  const target = program
    .command('export')
    .description('write files for other systems: alert rules, dashboards')
    .addHelpText(
      'after',
      `
Examples:
  assay export prometheus -f experiments/ -o deploy/prometheus
  assay export alertmanager -o deploy/prometheus
  assay export grafana -o deploy/grafana`,
    );
  const add = (name: string, description: string): Command =>
    target
      .command(name)
      .description(description)
      .requiredOption('-o, --output <dir>', 'folder to write to; its files of the same names are replaced')
      .addOption(new Option('--json', 'print the names of the files as one JSON document on stdout, nothing else'));

  add('prometheus', 'alerting and recording rules, a unit test for every alert, an example configuration')
    .option(
      '-f, --file <path>',
      'experiment file or a folder of them, whose guardrails are the thresholds; repeatable',
      collect,
      [],
    )
    .option('--target <host:port>', 'API of Assay as Prometheus reaches it', '127.0.0.1:8081')
    .option('--window <duration>', 'window of rates', '5m')
    .option('--for <duration>', 'how long a condition must hold, for every alert; default: each has its own')
    .action(async (options) => (await import('./export-command.ts')).exportPrometheus(options));
  add('alertmanager', 'an example configuration that hands alerts to Assay')
    .option('--url <url>', 'API of Assay as Alertmanager reaches it', 'http://127.0.0.1:8081')
    .action(async (options) => (await import('./export-command.ts')).exportAlertmanager(options));
  add('grafana', 'a dashboard with its provisioning files')
    .option('--prometheus-url <url>', 'Prometheus as Grafana reaches it', 'http://127.0.0.1:9090')
    .action(async (options) => (await import('./export-command.ts')).exportGrafana(options));
}
