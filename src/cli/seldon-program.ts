// The commands that read and write Seldon Core's Experiments: `assay import seldon`, `assay export seldon`.
import type { Command } from 'commander';

const collect = (text: string, before: readonly string[]): readonly string[] => [...before, text];

/** Adds both commands to the groups `import` and `export`; their code is loaded when they run. */
export function addSeldonCommands(program: Command): void {
  const group = (name: string, description: string): Command =>
    program.commands.find((command) => command.name() === name) ?? program.command(name).description(description);

  group('import', 'take over what other systems hold')
    .command('seldon')
    .argument('<file>', 'YAML with Experiments of mlops.seldon.io/v1alpha1')
    .description('turn Seldon Core v2 Experiments into experiment files')
    .requiredOption('--seldon-mesh <url>', 'address of the service seldon-mesh, which the models are asked through')
    .option(
      '--unit-header <name>',
      'header that carries the unit id; default: every request is drawn anew, as in Seldon',
    )
    .option('--namespace <name>', 'namespace of the experiments', 'default')
    .option('-o, --output <file>', 'write here instead of stdout; never overwrites')
    .addHelpText(
      'after',
      '\nExamples:\n  assay import seldon experiment.yaml --seldon-mesh http://seldon-mesh.seldon-mesh --unit-header x-user-id -o iris.yaml',
    )
    .action(async (file, options) => (await import('./seldon-command.ts')).importSeldonCommand(file, options));

  group('export', 'write files for other systems')
    .command('seldon')
    .description('turn experiment files into Seldon Core v2 Experiments')
    .requiredOption('-f, --file <path>', 'experiment file or a folder of them; repeatable', collect, [])
    .option('--seldon-namespace <name>', 'Kubernetes namespace to write into the manifests')
    .option('-o, --output <file>', 'write here instead of stdout; never overwrites')
    .addHelpText('after', '\nExamples:\n  assay export seldon -f iris.yaml | kubectl apply -n seldon-mesh -f -')
    .action(async (options) => (await import('./seldon-command.ts')).exportSeldonCommand(options));
}
