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
import { benchPlan, handSql } from './bench-plan.ts';
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
  const sql = handSql(pathsOf('predictions'), pathsOf('outcomes'));
  const openHand = (): ReturnType<typeof openDuckdbSession> =>
    openDuckdbSession({ folders: [join(directory, segmentFolder)], memoryLimit });

  const times = { hand: [] as number[], full: [] as number[], cached: [] as number[] };
  for (let repeat = 0; repeat < options.repeats; repeat += 1) {
    const hand = await openHand();
    times.hand.push((await measured(() => hand.read(sql))).ms);
    await hand.close();
    const anew = await openDuckdbAnalytics({ directory, memoryLimit, keep: false });
    times.full.push((await measured(() => anew.summarise(benchPlan()))).ms);
    await anew.close();
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

  const batch = Math.min(50_000, Math.ceil(predictions / 50));
  const hand = await openHand();
  const known = (await hand.read(
    `SELECT p.unit, p."predictionId" FROM ${segmentRows('predictions', pathsOf('predictions'))} p ORDER BY hash(p."predictionId") LIMIT ${batch}`,
  )) as unknown as readonly Known[];
  await hand.close();
  let distance = 0;
  for (let round = 0; round < 2; round += 1) {
    const records = newRecords(known, round);
    await append(directory, records);
    const taken = await measured(() => kept.catchUp());
    const renewed = await measured(() => kept.summarise(benchPlan()));
    say(
      `micro-batch of ${records.length} rows in any order: taken in ${(taken.cpuMicros / records.length).toFixed(1)} us CPU per row, ` +
        `report ${renewed.ms.toFixed(0)} ms, ${(renewed.cpuMicros / records.length).toFixed(1)} us CPU per row`,
    );
    const anew = await openDuckdbAnalytics({ directory, memoryLimit, keep: false });
    distance = Math.max(distance, distanceOf(await kept.summarise(benchPlan()), await anew.summarise(benchPlan())));
    await anew.close();
  }
  await kept.close();

  for (const ids of ['counter', 'random'] as const) {
    const place = join(below, ids);
    const made = await makeEvidence(place, { predictions: 200_000, outcomes: 100_000, units: 20_000, ids });
    const perRow = (kind: string): string => {
      const ours = made.filter((each) => each.kind === kind);
      const sum = (of: 'bytes' | 'rows'): number => ours.reduce((total, each) => total + each[of], 0);
      return (sum('bytes') / sum('rows')).toFixed(1);
    };
    say(`disk, sealed, ${ids} ids: ${perRow('predictions')} B per exposure, ${perRow('outcomes')} B per outcome`);
    rmSync(place, { recursive: true });
  }
  rmSync(directory, { recursive: true });
  rmSync(stateFile, { force: true });
  const [byHand, full, cached] = [middle(times.hand), middle(times.full), middle(times.cached)];
  const what = `${predictions} exposures, ${size.outcomes} outcomes`;
  say(
    `report: hand-written SQL ${byHand.toFixed(0)} ms, full report ${full.toFixed(0)} ms, kept report ${cached.toFixed(1)} ms; ${what}`,
  );
  return [
    {
      name: 'report_vs_hand_sql',
      value: byHand / full,
      target: 0.67,
      note: `${what}; ours also drops doubles, waits for windows and checks health`,
    },
    {
      name: 'incremental_equals_recompute',
      value: distance <= 1e-12 ? 1 : 0,
      target: 1,
      note: `largest relative difference ${distance.toExponential(1)}, with late, early, doubled and corrected records`,
    },
    { name: 'cached_report_vs_full', value: full / cached, target: 20, note: `${cached.toFixed(1)} ms; ${what}` },
  ];
}

async function append(directory: string, records: readonly NewRecord[]): Promise<void> {
  const log = await openEvidenceLog({ directory, now: Date.now, observer: createCountingObserver({ now: Date.now }) });
  for (let from = 0; from < records.length; from += 5_000) await log.appendDurable(records.slice(from, from + 5_000));
  await log.close();
}

async function measured(work: () => Promise<unknown>): Promise<{ readonly ms: number; readonly cpuMicros: number }> {
  const startedMs = performance.now();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { ms: performance.now() - startedMs, cpuMicros: user + system };
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
