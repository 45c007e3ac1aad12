// `assay import seldon` and `assay export seldon`: files in, files out, and on stderr what the other side has no form for.
import { readFile, writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import { fromSeldonExperiment, toSeldonManifest } from '../adapters/seldon-conversion.ts';
import { parseSeldonExperiments } from '../adapters/seldon-experiment.ts';
import { AssayError } from '../errors.ts';
import { parseExperimentFile, parseExperimentFiles } from '../experiment/index.ts';
import { readExperimentTexts } from './experiment-files.ts';
import { note, say } from './terminal.ts';

interface ImportSeldonOptions {
  readonly seldonMesh: string;
  readonly unitHeader?: string;
  readonly namespace: string;
  readonly output?: string;
}

/** @throws AssayError `file-unreadable`, `experiment-invalid`, `usage-invalid`. */
export async function importSeldonCommand(file: string, options: ImportSeldonOptions): Promise<void> {
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new AssayError('file-unreadable', `${file} cannot be read: ${cause.message}`, { cause });
  });
  const { value: found, warnings } = parseSeldonExperiments(text, { file });
  const made = found.map((each) =>
    fromSeldonExperiment(each, {
      meshUrl: options.seldonMesh,
      unitHeader: options.unitHeader,
      namespace: options.namespace,
    }),
  );
  const texts = made.map(({ value }) => stringify(value));
  // What comes out must go in: a broken address or header is told here and not at the start of the server.
  for (const each of texts) parseExperimentFile(each, { file: options.output ?? 'the imported experiment' });
  for (const each of [...warnings, ...made.flatMap((one) => one.warnings)]) note(`warning ${each}`);
  await deliver(texts, options.output);
}

interface ExportSeldonOptions {
  readonly file: readonly string[];
  readonly seldonNamespace?: string;
  readonly output?: string;
}

/** @throws AssayError `file-unreadable`, `experiment-invalid`, `usage-invalid`. */
export async function exportSeldonCommand(options: ExportSeldonOptions): Promise<void> {
  const texts = await readExperimentTexts(options.file);
  const experiments = texts.flatMap(({ file, text }) => parseExperimentFiles(text, { file }));
  const made = experiments.map((each) => ({
    name: each.name,
    ...toSeldonManifest(each, { namespace: options.seldonNamespace }),
  }));
  const manifests = made.map(({ value }) => stringify(value));
  // Names that Seldon refuses, such as a model that stands for two variants, are told before they reach a cluster.
  for (const manifest of manifests) parseSeldonExperiments(manifest, { file: 'the exported manifest' });
  for (const { name, warnings } of made) for (const each of warnings) note(`warning experiment "${name}", ${each}`);
  await deliver(manifests, options.output);
}

async function deliver(documents: readonly string[], output: string | undefined): Promise<void> {
  const text = documents.join('---\n');
  if (output === undefined) {
    say(text.trimEnd());
    return;
  }
  await writeFile(output, text, { flag: 'wx' }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'EEXIST')
      throw new AssayError('usage-invalid', `${output} exists already, must be a new file`, {
        fix: 'Choose another name with -o.',
      });
    throw new AssayError('file-unreadable', `${output} cannot be written: ${cause.message}`, { cause });
  });
  note(`Wrote ${output}.`);
}
