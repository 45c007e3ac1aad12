// `assay validate`: every fault of every file, with its line and its fix.

import { type Finding, valueWarnings } from '../decision/index.ts';
import { AssayError } from '../errors.ts';
import { parseExperimentFile } from '../experiment/index.ts';
import { readExperimentTexts } from './experiment-files.ts';
import { exitCode, say, sayJson, tellFault } from './terminal.ts';

/** Checks the files; exit 0 when all are sound, warnings or not, 2 otherwise. */
export async function validateCommand(options: {
  readonly file: readonly string[];
  readonly json?: boolean;
}): Promise<void> {
  const results: {
    file: string;
    ok: boolean;
    experiment?: string;
    issues: readonly unknown[];
    warnings: readonly Finding[];
  }[] = [];
  for (const { file, text } of await readExperimentTexts(options.file)) {
    try {
      const experiment = parseExperimentFile(text, { file });
      const warnings = valueWarnings(experiment);
      results.push({ file, ok: true, experiment: experiment.name, issues: [], warnings });
      if (options.json) continue;
      say(`${file}: sound (experiment ${experiment.name}, ${experiment.variants.length} variants)`);
      for (const { code, text } of warnings) say(`  warning ${code}: ${text}`);
    } catch (fault) {
      if (!(fault instanceof AssayError)) throw fault;
      results.push({ file, ok: false, issues: fault.issues, warnings: [] });
      if (!options.json) tellFault(fault);
    }
  }
  if (options.json) sayJson({ files: results });
  process.exitCode = results.every((result) => result.ok) ? exitCode.done : exitCode.failure;
}
