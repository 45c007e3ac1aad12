// The commands below `assay import`, which take evidence from exported files.
import { type Command, InvalidArgumentError, Option } from 'commander';

const collect = (text: string, before: readonly string[]): readonly string[] => [...before, text];
const parseRow = (text: string): number => {
  const row = Number(text);
  if (!Number.isSafeInteger(row) || row < 1) throw new InvalidArgumentError('must be an integer >= 1.');
  return row;
};

/** Adds `assay import` with its commands; their code is loaded when they run. */
export function addImportCommands(program: Command): void {
  const group = program
    .command('import')
    .description('take outcomes or predictions from CSV, Parquet or lines of JSON')
    .addHelpText(
      'after',
      `
Examples:
  assay import outcomes orders.csv --map unit=customer_id,value=amount,time=paid_at --set type=revenue
  assay import predictions history.parquet -f experiment.yaml --data assay-data --map variant=model`,
    );
  const add = (name: string, description: string, examples: readonly string[]): Command =>
    group
      .command(name)
      .argument('<file>', 'CSV with a header, .parquet, .ndjson or .jsonl (also .gz)')
      .description(description)
      .option('--map <member=column>', 'which column holds what; several with commas, or repeat it', collect, [])
      .option('--set <member=value>', 'the same value for every row; repeat it', collect, [])
      .option('--dry-run', 'check every row and change nothing')
      .addOption(new Option('--json', 'print one JSON document on stdout, nothing else'))
      .addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}`);

  add('outcomes', 'report what happened, from a file; a second time changes nothing', [
    'assay import outcomes labels.parquet --map predictionId=prediction,value=truth --set type=label',
    'assay import outcomes orders.csv --map unit=customer_id,value=amount,time=paid_at,attributes.shop=shop --set type=revenue',
  ])
    .addOption(new Option('--server <url>', 'address of the API').env('ASSAY_SERVER').default('http://127.0.0.1:8081'))
    .addOption(new Option('--namespace <name>', 'namespace of the outcomes').default('default'))
    .option('--data <dir>', 'write into this data directory instead; no server may be running on it')
    .option('--skip-empty', 'leave rows out whose value is empty, instead of refusing them')
    .option('--from-row <n>', 'leave the rows before this one out', parseRow, 1)
    .action(async (file, options) => (await import('./import/index.ts')).importOutcomesCommand(file, options));

  add('predictions', 'back-fill an experiment with predictions made before; a second time changes nothing', [
    'assay import predictions history.csv -f experiment.yaml --map variant=model,time=served_at,unit=user_id',
  ])
    .requiredOption('-f, --file <path>', 'file of the experiment')
    .option('--data <dir>', 'data directory; no server may be running on it', './assay-data')
    .action(async (file, options) => (await import('./import/index.ts')).importPredictionsCommand(file, options));
}
