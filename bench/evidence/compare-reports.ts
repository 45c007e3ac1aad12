// What does a report cost over the same files beside hand-written SQL: when nothing is known yet, when something new came, when nothing did?
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createCountingObserver } from '../../src/adapters/counting-observer.ts';
import { openDuckdbAnalytics } from '../../src/adapters/duckdb-analytics.ts';
import { openDuckdbSession } from '../../src/adapters/duckdb-session.ts';
import { segmentFolder } from '../../src/adapters/evidence-store/manifest.ts';
import { segmentRows } from '../../src/adapters/evidence-store/segment-columns.ts';
import { segmentPath } from '../../src/adapters/evidence-store/segment-file.ts';
import { openEvidenceLog } from '../../src/adapters/file-evidence-log.ts';
import type { NewRecord } from '../../src/evidence/index.ts';
import { benchPlan } from './bench-plan.ts';
import { askByHand, differencesOf, type HandAnswers, shortSql } from './hand-sql.ts';
import { type EvidenceSize, makeEvidence } from './make-evidence.ts';
import { type Known, newRecords } from './new-records.ts';

/** What to compare on. */
export interface CompareOptions {
  readonly predictions: number;
  readonly repeats: number;
  readonly memoryLimit: string;
  readonly say: (line: string) => void;
}

interface Comparison {
  readonly name: string;
  readonly value: number;
  readonly target: number;
  readonly note: string;
}

/** Makes the evidence, asks in turn, and compares the middle times. */
export async function compareReports(below: string, options: CompareOptions): Promise<readonly Comparison[]> {
  const { predictions, memoryLimit, say } = options;
  const size: EvidenceSize = { predictions, outcomes: predictions / 2, units: Math.ceil(predictions / 10) };
  const directory = join(below, 'reports');
  const stateFile = join(below, 'state.duckdb');
  const segments = await makeEvidence(directory, size);
  const pathsOf = (kind: string): string[] =>
    segments.filter((each) => each.kind === kind).map((each) => segmentPath(directory, each));
  const files = { predictions: pathsOf('predictions'), outcomes: pathsOf('outcomes') };
  const openHand = (): ReturnType<typeof openDuckdbSession> =>
    openDuckdbSession({ folders: [join(directory, segmentFolder)], memoryLimit });

  const times: Record<'hand' | 'short' | 'full' | 'cached', number[]> = { hand: [], short: [], full: [], cached: [] };
  const cpu: Record<'hand' | 'short' | 'full', number[]> = { hand: [], short: [], full: [] };
  let differences: readonly string[] = [];
  for (let repeat = 0; repeat < options.repeats; repeat += 1) {
    const note = <T>(name: keyof typeof cpu, { ms, cpuMicros, result }: Measured<T>): T => {
      times[name].push(ms);
      cpu[name].push(cpuMicros / 1_000);
      return result;
    };
    const short = await openHand();
    note('short', await measured(() => short.read(shortSql(files))));
    await short.close();
    const hand = await openHand();
    const byHand: HandAnswers = note('hand', await measured(() => askByHand(hand, files)));
    await hand.close();
    const anew = await openDuckdbAnalytics({ directory, memoryLimit, keep: false });
    const ours = note('full', await measured(() => anew.summarise(benchPlan())));
    await anew.close();
    differences = differencesOf(byHand, ours);
    for (const difference of differences) say(`the report and the SQL by hand differ: ${difference}`);
  }

  let kept = await openDuckdbAnalytics({ directory, stateFile, memoryLimit });
  const first = await measured(() => kept.summarise(benchPlan()));
  await kept.close();
  // The state outlives its process.
  kept = await openDuckdbAnalytics({ directory, stateFile, memoryLimit });
  for (let repeat = 0; repeat < 5; repeat += 1)
    times.cached.push((await measured(() => kept.summarise(benchPlan()))).ms);
  say(
    `state file: first report ${first.ms.toFixed(0)} ms, ${(statSync(stateFile).size / predictions).toFixed(0)} B per exposure`,
  );

  const batch = Math.min(100_000, Math.ceil(predictions / 20));
  const hand = await openHand();
  const known = (await hand.read(
    `SELECT p.unit, p."predictionId" FROM ${segmentRows('predictions', pathsOf('predictions'))} p ORDER BY hash(p."predictionId") LIMIT ${batch}`,
  )) as unknown as readonly Known[];
  await hand.close();
  let distance = 0;
  let askedMicros = 0;
  let perRow = 0;
  for (const [round, size] of [1, 1_000, 10_000, batch].entries()) {
    const records = newRecords(known.slice(0, Math.max(2, size)), round);
    await append(directory, records);
    const taken = await measured(() => kept.catchUp());
    const renewed = await measured(() => kept.summarise(benchPlan()));
    // What a question costs however little came is not the batch's.
    if (round === 0) askedMicros = renewed.cpuMicros;
    const [takenIn, followed] = [taken.cpuMicros, renewed.cpuMicros - askedMicros].map((us) => us / records.length);
    perRow = (takenIn ?? 0) + (followed ?? 0);
    say(
      `micro-batch of ${records.length} rows in any order: ${takenIn?.toFixed(1)} us CPU per row to take in, ${followed?.toFixed(1)} to follow; ` +
        `the report from state ${(askedMicros / 1_000).toFixed(0)} ms of processor, with the batch ${(renewed.cpuMicros / 1_000).toFixed(0)}, ${renewed.ms.toFixed(0)} ms of wall`,
    );
    if (round < 2) continue;
    const anew = await openDuckdbAnalytics({ directory, memoryLimit, keep: false });
    distance = Math.max(distance, distanceOf(await kept.summarise(benchPlan()), await anew.summarise(benchPlan())));
    await anew.close();
  }
  await kept.close();

  for (const ids of ['counter', 'random'] as const) {
    const place = join(below, ids);
    const made = await makeEvidence(place, { predictions: 200_000, outcomes: 100_000, units: 20_000, ids });
    const bytesOf = (kind: string): string => {
      const ours = made.filter((each) => each.kind === kind);
      const sum = (of: 'bytes' | 'rows'): number => ours.reduce((total, each) => total + each[of], 0);
      return (sum('bytes') / sum('rows')).toFixed(1);
    };
    say(`disk, sealed, ${ids} ids: ${bytesOf('predictions')} B per exposure, ${bytesOf('outcomes')} B per outcome`);
    rmSync(place, { recursive: true });
  }
  rmSync(directory, { recursive: true });
  rmSync(stateFile, { force: true });
  const [byHand, full, cached] = [middle(times.hand), middle(times.full), middle(times.cached)];
  const what = `${predictions} exposures, ${size.outcomes} outcomes`;
  say(
    `report: SQL by hand ${byHand.toFixed(0)} ms (${middle(cpu.hand).toFixed(0)} ms of processor), full report ${full.toFixed(0)} ms ` +
      `(${middle(cpu.full).toFixed(0)}), kept report ${cached.toFixed(1)} ms; the short SQL, which answers less, ` +
      `${middle(times.short).toFixed(0)} ms (${middle(cpu.short).toFixed(0)}); ${what}`,
  );
  return [
    {
      name: 'report_vs_hand_sql',
      value: differences.length === 0 ? byHand / full : 0,
      target: 0.67,
      note:
        `${what}; the same answers, by processor time ${(middle(cpu.hand) / middle(cpu.full)).toFixed(2)}; ` +
        `against SQL for the metrics alone ${(middle(times.short) / full).toFixed(2)}`,
    },
    {
      name: 'incremental_equals_recompute',
      value: distance <= 1e-12 ? 1 : 0,
      target: 1,
      note: `largest relative difference ${distance.toExponential(1)}, with late, early, doubled and corrected records`,
    },
    {
      name: 'micro_batch_cpu',
      value: 20 / perRow,
      target: 1,
      note: `20 us above ${perRow.toFixed(1)} us of processor per new row, in a batch of ${batch} in any order, over ${what}`,
    },
    { name: 'cached_report_vs_full', value: full / cached, target: 20, note: `${cached.toFixed(1)} ms; ${what}` },
  ];
}

async function append(directory: string, records: readonly NewRecord[]): Promise<void> {
  const log = await openEvidenceLog({ directory, now: Date.now, observer: createCountingObserver({ now: Date.now }) });
  for (let from = 0; from < records.length; from += 5_000) await log.appendDurable(records.slice(from, from + 5_000));
  await log.close();
}

interface Measured<T> {
  readonly ms: number;
  readonly cpuMicros: number;
  readonly result: T;
}

async function measured<T>(work: () => Promise<T>): Promise<Measured<T>> {
  const startedMs = performance.now();
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return { ms: performance.now() - startedMs, cpuMicros: user + system, result };
}

/** The largest difference between two documents, relative to the larger number (at least 1); 1 where they differ in shape. */
function distanceOf(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return Math.abs(a - b) / Math.max(1, Math.abs(a), Math.abs(b));
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b ? 0 : 1;
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return Math.max(
    0,
    ...names.map((name) => distanceOf((a as Record<string, unknown>)[name], (b as Record<string, unknown>)[name])),
  );
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
