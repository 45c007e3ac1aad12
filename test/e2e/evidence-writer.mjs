// Writes, seals and merges evidence in several directories at once, as fast as it can, and prints each id, with the place of its
// directory, once its record is durable; its test kills it. Plain JavaScript on the built package, because starting is most of its work.
import { compactSegments } from '../../dist/adapters/evidence-store/compact-segments.js';
import { sealLogs } from '../../dist/adapters/evidence-store/seal-logs.js';
import { openEvidenceLog } from '../../dist/adapters/file-evidence-log.js';

const [maxSegmentBytes, ...directories] = process.argv.slice(2);

let next = 0;
const write = async (log, place) => {
  for (;;) {
    const id = `${place}-${process.pid}-${next}`;
    next += 1;
    const isOutcome = next % 3 === 0;
    const common = { timeMs: Date.now(), namespace: 'default' };
    const outcome = {
      kind: 'outcome',
      id,
      receivedMs: common.timeMs,
      type: 'label',
      value: 1,
      subject: { kind: 'prediction', predictionId: id },
      attributes: {},
      ...common,
    };
    const prediction = {
      kind: 'prediction',
      experiment: `e${next % 2}`,
      revision: 1,
      epoch: 1,
      predictionId: id,
      requestId: id,
      row: 0,
      unit: '0123456789abcdef',
      assigned: 'a',
      served: 'a',
      reason: 'split',
      propensity: 0.5,
      attempts: [{ variant: 'a', status: 200, latencyMs: 10, error: null }],
      context: {},
      prediction: 1,
      captured: {},
      status: 200,
      callerMs: 12,
      streaming: false,
      ...common,
    };
    await log.appendDurable([isOutcome ? outcome : prediction]);
    process.stdout.write(`${id}\n`);
    // Enough to fill files all the time, not so much that the test counts for ever.
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
};
const work = async (directory, place) => {
  const log = await openEvidenceLog({
    directory,
    now: Date.now,
    maxSegmentBytes: Number(maxSegmentBytes),
    observer: { count: () => undefined, fault: () => undefined },
  });
  for (let count = 0; count < 4; count += 1) void write(log, place);
  for (;;) {
    process.stdout.write(`sealing ${place}\n`);
    await sealLogs({ directory, nowMs: Date.now(), batchBytes: 60_000 });
    process.stdout.write(`merging ${place}\n`);
    await compactSegments({ directory, atLeast: 4 });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
await Promise.all(directories.map(work));
