// Do acknowledgements wait for reports? Their latency at a steady rate, alone and while the analysis process computes without a pause.
import { join } from 'node:path';
import { startAnalysisProcess } from '../../src/adapters/analysis-process.ts';
import { openEvidenceLog } from '../../src/adapters/file-evidence-log.ts';
import type { NewRecord } from '../../src/evidence/index.ts';
import { benchPlan } from './bench-plan.ts';
import { makeEvidence, reportMs } from './make-evidence.ts';

/** 99th percentiles of the time from the moment a row was due to its acknowledgement, milliseconds. */
export interface AckTimes {
  readonly alone: number;
  readonly besideReport: number;
  /** Reports that ended meanwhile. */
  readonly reports: number;
}

/** @param load.perSecond rows; latency counts from the schedule, so that queueing counts. */
export async function acksBesideReport(
  below: string,
  load: {
    readonly perSecond: number;
    readonly seconds: number;
    readonly predictions: number;
    readonly record: NewRecord;
  },
): Promise<AckTimes> {
  const directory = join(below, 'beside');
  await makeEvidence(directory, {
    predictions: load.predictions,
    outcomes: load.predictions / 2,
    units: load.predictions / 10,
  });
  const log = await openEvidenceLog({
    directory: join(below, 'beside-log'),
    now: Date.now,
    observer: { count: () => undefined, fault: () => undefined },
  });
  const alone = await paced(log, load);
  const analysis = startAnalysisProcess({ directory, isLive: () => true, tell: () => undefined });
  await analysis.catchUp();
  let isDone = false;
  let reports = 0;
  const reporting = (async () => {
    for (; !isDone; reports += 1) {
      // Another plan each time: nothing of the last one can be used.
      const plan = benchPlan(reportMs);
      await analysis.summarise({ ...plan, experiment: { ...plan.experiment, hypothesis: String(reports) } });
    }
  })();
  const besideReport = await paced(log, load);
  isDone = true;
  await reporting;
  await analysis.close();
  await log.close();
  return { alone, besideReport, reports };
}

async function paced(
  log: { appendDurable(records: readonly NewRecord[]): Promise<void> },
  load: { readonly perSecond: number; readonly seconds: number; readonly record: NewRecord },
): Promise<number> {
  const acksMs: number[] = [];
  const waiting: Promise<void>[] = [];
  const startedMs = performance.now();
  const total = load.perSecond * load.seconds;
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - startedMs) / 1_000) * load.perSecond));
    for (; sent < due; sent += 1) {
      const dueMs = startedMs + (sent / load.perSecond) * 1_000;
      waiting.push(log.appendDurable([load.record]).then(() => void acksMs.push(performance.now() - dueMs)));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(waiting);
  return acksMs.sort((a, b) => a - b)[Math.floor(acksMs.length * 0.99)] ?? Number.NaN;
}
