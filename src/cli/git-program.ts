// The commands that change files in a git repository: `assay model set`, and the options of `assay promote`.
import { type Command, Option } from 'commander';

/** Adds `--git` and what belongs to it. */
export function addGitOptions(command: Command, { isRequired }: { readonly isRequired: boolean }): Command {
  const repository = new Option('--git <repository>', 'commit the change to this repository: an address or a path');
  return command
    .addOption(isRequired ? repository.makeOptionMandatory() : repository)
    .option('--path <file>', 'with --git: the YAML file in the repository')
    .option('--branch <name>', "with --git: default: the repository's own");
}

/** Adds `assay model set`; its code is loaded when it runs. */
export function addModelCommands(program: Command): void {
  const set = program
    .command('model')
    .description('versions of models, as commits to a git repository')
    .command('set')
    .argument('<variant>', 'variant of an experiment file, or name of a Seldon Model')
    .argument('<version>', 'version of the model; for a Seldon Model also its storage address')
    .description('deploy a version of a model by a commit')
    .option('--experiment <name>', 'which experiment, where the file holds several')
    .option('--author <name>', 'who; default: the user of this shell')
    .option('--reason <text>', 'why; stands in the commit')
    .addOption(new Option('--json', 'print one JSON document on stdout, nothing else'));
  addGitOptions(set, { isRequired: true })
    .addHelpText(
      'after',
      '\nExamples:\n  assay model set enhanced 7 --git git@forge:team/deploy.git --path experiments/forecast.yaml --reason "trained on November"',
    )
    .action(async (variant, version, options) =>
      (await import('./git-command.ts')).modelSetCommand({ variant, version, ...options }),
    );
}
