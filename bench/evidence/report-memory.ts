// How much memory does a report take? One with nothing known, in a process of its own under a limit; run as a program it is that process.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDuckdbAnalytics } from '../../src/adapters/duckdb-analytics.ts';
import { benchPlan } from './bench-plan.ts';
import { makeEvidence } from './make-evidence.ts';

/** What one report took. */
export interface ReportMemory {
  readonly seconds: number;
  /** Largest resident memory of the process, with Node's own. */
  readonly peakBytes: number;
  /** Predictions in the report. */
  readonly predictions: number;
}

/** @param of.kept with the tables of the analysis process in a state file, as `assay serve` keeps them. */
export async function reportMemory(
  directory: string,
  of: { readonly memoryLimit: string; readonly kept: boolean },
): Promise<ReportMemory> {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', fileURLToPath(import.meta.url), directory, of.memoryLimit, of.kept ? 'kept' : ''],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(`the report under ${of.memoryLimit} ended with ${code}`);
  return JSON.parse(printed) as ReportMemory;
}

/** Evidence for it, made once. */
export async function makeEvidenceFor(directory: string, predictions: number): Promise<void> {
  await makeEvidence(directory, { predictions, outcomes: predictions / 2, units: Math.ceil(predictions / 10) });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [directory = '', memoryLimit = '1GB', kept] = process.argv.slice(2);
  const startedMs = performance.now();
  const analytics = await openDuckdbAnalytics({
    directory,
    memoryLimit,
    tempDirectory: directory,
    ...(kept === 'kept' ? { stateFile: join(directory, 'state.duckdb') } : { keep: false }),
  });
  const summary = await analytics.summarise(benchPlan());
  await analytics.close();
  console.log(
    JSON.stringify({
      seconds: (performance.now() - startedMs) / 1_000,
      peakBytes: process.resourceUsage().maxRSS * 1_024,
      predictions: summary.health?.predictions ?? 0,
    } satisfies ReportMemory),
  );
}
