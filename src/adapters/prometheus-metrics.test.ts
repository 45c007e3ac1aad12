import fc from 'fast-check';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import type { PredictionRecord } from '../evidence/index.ts';
import { experimentLabel } from '../experiment/index.ts';
import { exposeMetrics } from './prometheus-exposition.ts';
import { requestFamilies, type ServingFigures } from './prometheus-requests.ts';
import { addRequestCells, createRequestTally, type RequestCell, tallied } from './prometheus-tally.ts';

const prediction = (given: Partial<PredictionRecord> = {}): PredictionRecord => ({
  kind: 'prediction',
  timeMs: 0,
  namespace: 'default',
  experiment: 'scores',
  revision: 1,
  epoch: 1,
  predictionId: 'p',
  requestId: 'p',
  row: 0,
  unit: '0123456789abcdef',
  assigned: 'b',
  served: 'b',
  reason: 'split',
  propensity: 0.5,
  attempts: [{ variant: 'b', status: 200, latencyMs: 40, error: null }],
  context: {},
  prediction: null,
  captured: {},
  status: 200,
  callerMs: 45,
  streaming: false,
  ...given,
});

function cellOf(records: readonly Parameters<ReturnType<typeof createRequestTally>['add']>[0][]): RequestCell {
  const tally = createRequestTally();
  for (const record of records) tally.add(record);
  const [cell, ...others] = tally.read();
  expect(others).toEqual([]);
  return cell!;
}

const figures = (requests: readonly RequestCell[]): ServingFigures => ({
  requests,
  counters: [
    { name: 'fallback', labels: { experiment: 'scores', variant: 'b', error: 'timeout' }, value: 3 },
    { name: 'unmatched', labels: {}, value: 2 },
  ],
  faults: [{ code: 'internal', message: 'x', count: 4, lastMs: 0 }],
  evidence: { writer: 'w', appended: 10, durable: 7, lost: 1, fault: null },
  gateway: {
    requests: 12,
    variants: [
      { namespace: 'default', experiment: 'scores', variant: 'b', state: 'in' },
      { namespace: 'default', experiment: 'scores', variant: 'b', state: 'ejected' },
    ],
  },
  workers: 2,
});

describe('the tally of requests', () => {
  it("counts a failure of the assigned variant though another one's reply hid it", () => {
    const cell = cellOf([
      prediction({
        served: 'a',
        attempts: [
          { variant: 'b', status: null, latencyMs: 500, error: 'timeout' },
          { variant: 'a', status: 200, latencyMs: 20, error: null },
        ],
        callerMs: 521,
      }),
    ]);
    expect(cell).toMatchObject({
      variant: 'b',
      attempts: { success: 0, error: 1, aborted: 0 },
      codes: { '2xx': 1 },
      fallback: 1,
      attemptMs: { sumMs: 500 },
      callerMs: { sumMs: 521 },
    });
  });

  it('takes no time from an attempt that was never made', () => {
    const cell = cellOf([prediction({ attempts: [{ variant: 'b', status: null, latencyMs: 0, error: 'ejected' }] })]);
    expect(cell.attempts.error).toBe(1);
    expect(cell.attemptMs.within.reduce((sum, count) => sum + count)).toBe(0);
  });

  it('counts a batch of rows once and a stream at its end', () => {
    const cell = cellOf([
      prediction({ row: 0 }),
      prediction({ row: 1 }),
      prediction({ predictionId: 's', streaming: true, callerMs: null }),
      {
        kind: 'prediction-end',
        timeMs: 0,
        namespace: 'default',
        predictionId: 's',
        row: 0,
        callerMs: 900,
        attempt: { variant: 'b', status: 200, latencyMs: 890, error: 'reset' },
        prediction: null,
        captured: {},
      },
    ]);
    expect(cell.reasons).toEqual({ split: 2 });
    expect(cell.attempts).toEqual({ success: 1, error: 1, aborted: 0 });
    expect(cell.callerMs.sumMs).toBe(945);
  });

  it('adds up over processes to what one process would have counted', () => {
    const record = fc.record({
      assigned: fc.constantFrom('a', 'b'),
      latencyMs: fc.integer({ min: 0, max: 400_000 }),
      error: fc.constantFrom(null, 'timeout', 'aborted', 'ejected'),
      status: fc.constantFrom(null, 200, 404, 502),
    });
    fc.assert(
      fc.property(fc.array(record, { minLength: 1 }), fc.array(fc.nat(2)), (given, places) => {
        const records = given.map(({ assigned, latencyMs, error, status }) =>
          prediction({ assigned, status, attempts: [{ variant: assigned, status, latencyMs, error }] }),
        );
        const one = createRequestTally();
        const several = [createRequestTally(), createRequestTally(), createRequestTally()];
        for (const [place, each] of records.entries()) {
          one.add(each);
          several[places[place] ?? 0]!.add(each);
        }
        const byVariant = (cells: readonly RequestCell[]) =>
          [...cells].sort((x, y) => (x.variant < y.variant ? -1 : 1));
        expect(byVariant(addRequestCells(several.map((each) => each.read())))).toEqual(byVariant(one.read()));
      }),
    );
  });

  it('keeps the latest example of a bucket when processes are added up', () => {
    const [first, second] = [createRequestTally(), createRequestTally()];
    const traced = { namespace: 'default', experiment: 'scores', variant: 'b', attemptMs: 40, callerMs: 45 };
    first.exemplify({ ...traced, traceId: 'old', timeMs: 1 });
    second.exemplify({ ...traced, traceId: 'new', timeMs: 2 });
    const [cell] = addRequestCells([second.read(), first.read()]);
    expect(cell?.attemptMs.exemplars.filter((each) => each !== null)).toEqual([{ traceId: 'new', ms: 40, timeMs: 2 }]);
  });

  it('counts what a log was given, written or not', async () => {
    const tally = createRequestTally();
    const log = tallied(
      {
        append: () => {
          throw new Error('the disk is full');
        },
        appendDurable: async () => {},
        status: () => ({ writer: 'w', appended: 0, durable: 0, lost: 0, fault: null }),
      },
      tally,
    );
    expect(() => log.append([prediction()])).toThrow('the disk is full');
    await log.appendDurable([prediction()]);
    expect(tally.read()[0]?.reasons).toEqual({ split: 2 });
  });
});

describe('the exposition', () => {
  it('writes counters, gauges and cumulative buckets in the text format', async () => {
    const { contentType, text } = await exposeMetrics(requestFamilies(figures([cellOf([prediction()])])), {
      accept: '',
    });
    expect(contentType).toContain('text/plain');
    for (const line of [
      '# TYPE assay_requests_total counter',
      'assay_requests_total{experiment="scores",variant="b",status="success"} 1',
      'assay_assignments_total{experiment="scores",variant="b",reason="split"} 1',
      'assay_attempt_duration_seconds_bucket{le="0.025",experiment="scores",variant="b"} 0',
      'assay_attempt_duration_seconds_bucket{le="0.05",experiment="scores",variant="b"} 1',
      'assay_attempt_duration_seconds_bucket{le="+Inf",experiment="scores",variant="b"} 1',
      'assay_attempt_duration_seconds_sum{experiment="scores",variant="b"} 0.04',
      'ab_test_requests_total{model_name="b",experiment="scores",status="success"} 1',
      'ab_test_requests_total{model_name="b",experiment="scores",status="error"} 0',
      'ab_test_response_time_seconds_bucket{le="0.05",model_name="b",experiment="scores"} 1',
      'ab_test_response_time_seconds_bucket{le="0.2",model_name="b",experiment="scores"} 1',
      'assay_fallback_total{experiment="scores",variant="b",error="timeout"} 3',
      'assay_unmatched_total 2',
      'assay_faults_total{code="internal"} 4',
      'assay_evidence_pending_records 2',
      'assay_evidence_lost_records_total 1',
      'assay_evidence_writable 1',
      'assay_gateway_processes 2',
    ])
      expect(text.split('\n')).toContain(line);
  });

  it('counts the copies for a shadow from nothing, so that the first that is dropped shows in a rate', async () => {
    const labels = { experiment: 'scores' };
    const { text } = await exposeMetrics(
      requestFamilies(
        {
          ...figures([]),
          counters: [
            { name: 'mirror_sampled', labels, value: 5 },
            { name: 'mirror_sent', labels, value: 4 },
            { name: 'mirror_dropped', labels: { ...labels, reason: 'bytes' }, value: 1 },
          ],
        },
        ['scores'],
      ),
      { accept: '' },
    );
    expect(text.match(/^assay_mirror_\w+_total.*$/gm)?.sort()).toEqual(
      [
        'assay_mirror_sampled_total{experiment="scores"} 5',
        'assay_mirror_sent_total{experiment="scores"} 4',
        'assay_mirror_ok_total{experiment="scores"} 0',
        'assay_mirror_failed_total{experiment="scores"} 0',
        'assay_mirror_dropped_total{experiment="scores",reason="bytes"} 1',
        'assay_mirror_dropped_total{experiment="scores",reason="queue-full"} 0',
        'assay_mirror_dropped_total{experiment="scores",reason="overload"} 0',
        'assay_mirror_dropped_total{experiment="scores",reason="draining"} 0',
      ].sort(),
    );
  });

  it('says once that a variant is ejected, however many processes tell of it', async () => {
    const { text } = await exposeMetrics(requestFamilies(figures([])), { accept: '' });
    expect(text.match(/^assay_variant_ejected\{.*$/gm)).toEqual([
      'assay_variant_ejected{experiment="scores",variant="b"} 1',
    ]);
  });

  it('writes OpenMetrics with trace ids where that is asked for, and the text format the same afterwards', async () => {
    const tally = createRequestTally();
    tally.add(prediction());
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    tally.exemplify({
      namespace: 'default',
      experiment: 'scores',
      variant: 'b',
      traceId,
      timeMs: 5_000,
      attemptMs: 40,
      callerMs: 45,
    });
    const families = requestFamilies(figures(tally.read()));
    const own = new Registry();
    const { Counter } = await import('prom-client');
    new Counter({ name: 'process_things_total', help: 'x', registers: [own] }).inc();
    const accept = 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5';
    const open = await exposeMetrics(families, { accept, extra: [own] });
    expect(open.contentType).toContain('application/openmetrics-text');
    expect(open.text).toContain(
      `assay_attempt_duration_seconds_bucket{le="0.05",experiment="scores",variant="b"} 1 # {trace_id="${traceId}"} 0.04 5`,
    );
    expect(open.text).toContain('# TYPE assay_requests counter');
    expect(open.text).toContain('process_things_total 1');
    expect(open.text.endsWith('# EOF\n')).toBe(true);
    const plain = await exposeMetrics(families, { accept: 'text/plain', extra: [own] });
    expect(plain.text).toContain('# TYPE process_things_total counter');
    expect(plain.text).not.toContain(traceId);
  });

  it('names experiments of other namespaces with their namespace', () => {
    expect(experimentLabel('default', 'scores')).toBe('scores');
    expect(experimentLabel('team', 'scores')).toBe('team/scores');
  });
});
