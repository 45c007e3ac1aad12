// What does evidence cost beside the bare disk and hand-written SQL, and is it still the same evidence?
// `npm run bench:evidence [-- --quick | --full] [-- --json] [-- --check]`. docs/performance.md says how to read it.
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { beginBench } from './bench-rows.ts';
import { acksBesideReport } from './evidence/acks-beside-report.ts';
import { compareReports } from './evidence/compare-reports.ts';
import { benchRecord, ingestTurn } from './evidence/ingest.ts';
import { killWriter } from './evidence/killed.ts';
import { askPeers } from './evidence/peers.ts';
import { makeEvidenceFor, reportMemory } from './evidence/report-memory.ts';

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    /** Exposures of the report; half as many outcomes. */
    rows: { type: 'string' },
    /** Only asks how much memory a report takes under this limit of DuckDB, such as 400MB. */
    memory: { type: 'string' },
    /** Exposures of the report within 4 GB that is part of --full. */
    most: { type: 'string', default: '100000000' },
    /** Also asks PostgreSQL and, by `--python`, tea-tasting, where they are. */
    peers: { type: 'boolean', default: false },
    python: { type: 'string' },
    /** Where the evidence is made: the disk that is measured. */
    directory: { type: 'string', default: tmpdir() },
  },
});
const { directory, say, addRow, end } = beginBench({
  name: 'evidence',
  below: flags.directory,
  mostMinutes: flags.quick ? 3 : flags.full ? 90 : 15,
});

if (flags.memory !== undefined) {
  const size = Number(flags.rows ?? 10_000_000);
  await makeEvidenceFor(directory, size);
  for (const kept of [false, true]) {
    const {
      seconds,
      peakBytes,
      predictions: found,
    } = await reportMemory(directory, {
      memoryLimit: flags.memory,
      kept,
    });
    say(
      `report over ${found} exposures and ${size / 2} outcomes, ${kept ? 'tables kept in a state file' : 'nothing kept'}, limit ${flags.memory}: ` +
        `${(peakBytes / 2 ** 20).toFixed(0)} MB at most, ${seconds.toFixed(1)} s`,
    );
  }
  process.exit(0);
}

say('durability: acknowledged means written, and an fdatasync begun afterwards has returned');

const senders = 64;
const turns = flags.quick ? 7 : 9;
const ratios: number[] = [];
const rates: number[] = [];
for (let turn = 0; turn < turns; turn += 1) {
  const { rate, bareRate, rowsPerFlush, acksMs } = await ingestTurn(directory, {
    senders,
    seconds: flags.quick ? 0.6 : 2,
  });
  ratios.push(rate / bareRate);
  rates.push(rate);
  say(
    `ingest: ${rate.toFixed(0)} rows/s durable, bare disk ${bareRate.toFixed(0)} rows/s, ${rowsPerFlush.toFixed(0)} rows per fdatasync, ` +
      `ack p50 ${quantile(acksMs, 0.5).toFixed(2)} ms, p99 ${quantile(acksMs, 0.99).toFixed(2)} ms`,
  );
}
addRow(
  'ingest_vs_bare_fdatasync',
  median(ratios),
  0.7,
  `${senders} senders that wait for each row; JSON, write and fdatasync of the same rows by a bare loop`,
);

const killed = { acknowledged: 0, lost: 0, doubled: 0 };
for (let round = 0; round < (flags.quick ? 3 : 10); round += 1) {
  const found = await killWriter(directory, 50 + 150 * round);
  killed.acknowledged += found.acknowledged;
  killed.lost += found.lost;
  killed.doubled += found.doubled;
}
addRow(
  'killed_rows_lost',
  killed.lost === 0 && killed.doubled === 0 && killed.acknowledged > 0 ? 1 : 0,
  1,
  `${killed.lost} lost, ${killed.doubled} doubled of ${killed.acknowledged} acknowledged before SIGKILL`,
);

const predictions = Number(flags.rows ?? (flags.quick ? 1_000_000 : flags.full ? 20_000_000 : 2_000_000));
for (const row of await compareReports(directory, {
  predictions,
  repeats: flags.quick ? 2 : 3,
  memoryLimit: flags.full ? '4GB' : '2GB',
  say,
}))
  addRow(row.name, row.value, row.target, row.note);

if (!flags.quick) {
  const perSecond = Math.floor(median(rates) / 4);
  const { alone, besideReport, reports } = await acksBesideReport(directory, {
    perSecond,
    seconds: 8,
    predictions: 1_000_000,
    record: benchRecord(1),
  });
  const note = `p99 ${alone.toFixed(1)} ms alone, ${besideReport.toFixed(1)} ms while ${reports} reports ended, at ${perSecond} rows/s`;
  addRow('ack_p99_beside_report', alone / besideReport, 0.2, note);
}

if (flags.full) await askHundredMillion();

if (flags.peers) await askPeers(directory, { predictions: Math.min(predictions, 200_000), python: flags.python, say });

end(flags);

/** A hundredth first, which says how long the whole will take. */
async function askHundredMillion(): Promise<void> {
  const whole = Number(flags.most);
  const memoryLimit = '2500MB';
  const place = (size: number): string => join(directory, `most-${size}`);
  const make = async (size: number): Promise<number> => {
    const begunMs = performance.now();
    await makeEvidenceFor(place(size), size);
    return (performance.now() - begunMs) / 1_000;
  };
  const pilot = Math.ceil(whole / 100);
  const madeSeconds = await make(pilot);
  const small = await reportMemory(place(pilot), { memoryLimit, kept: false });
  const minutes = ((madeSeconds + small.seconds) * whole) / pilot / 60;
  say(
    `${whole} exposures and ${whole / 2} outcomes: about ${minutes.toFixed(0)} minutes and ${((whole * 30) / 1e9).toFixed(1)} GB of disk, ` +
      'as much again where the report spills',
  );
  rmSync(place(pilot), { recursive: true });
  await make(whole);
  const { seconds, peakBytes, predictions: found } = await reportMemory(place(whole), { memoryLimit, kept: false });
  const note =
    `${found} exposures and ${whole / 2} outcomes in ${seconds.toFixed(0)} s, ${(peakBytes / 2 ** 30).toFixed(2)} GB of memory at most, ` +
    `Node and the engine under its limit of ${memoryLimit} included`;
  addRow('report_within_4_gb', found === whole ? (4 * 2 ** 30) / peakBytes : 0, 1, note);
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
