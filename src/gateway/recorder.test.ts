import { describe, expect, it } from 'vitest';
import { createMemoryEvidenceLog } from '../adapters/memory-evidence-log.ts';
import type { NewRecord } from '../evidence/index.ts';
import { createRecorder } from './recorder.ts';

const prediction: NewRecord = {
  kind: 'prediction',
  timeMs: 1,
  namespace: 'default',
  experiment: 'scores',
  revision: 1,
  epoch: 1,
  predictionId: 'p-1',
  row: 0,
  unit: null,
  assigned: 'a',
  served: 'a',
  reason: 'split',
  propensity: 1,
  attempts: [],
  callerMs: null,
  status: 200,
  context: {},
  prediction: null,
  captured: {},
  requestId: 'r-1',
  streaming: false,
};
const outcome: NewRecord = {
  kind: 'outcome',
  timeMs: 2,
  receivedMs: 2,
  namespace: 'default',
  id: 'o-1',
  type: 'like',
  value: 1,
  subject: { kind: 'prediction', predictionId: 'p-1' },
  attributes: {},
};

describe('a recorder', () => {
  it('hands over at once what waits for company, so that an outcome stands behind its prediction', async () => {
    const log = createMemoryEvidenceLog({ now: () => 3 });
    const recorder = createRecorder(log, { count: () => {}, fault: () => {} });
    recorder.add(() => prediction);
    recorder.handOver();
    await log.appendDurable([outcome]);
    // The time to wait for company is over by then.
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(log.records().map(({ kind }) => kind)).toEqual(['prediction', 'outcome']);
  });
});
