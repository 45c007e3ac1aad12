import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { ExperimentSummary, LogRecord, NewRecord, VariantSummary } from '../evidence/index.ts';
import { mergeJointMoments } from '../stats/index.ts';
import { outcome, type Prediction, plan, prediction, t0, write } from './analytics-records.fixture.ts';
import { openDuckdbAnalytics } from './duckdb-analytics.ts';
import { expectClose } from './expect-close.fixture.ts';
import { kinds, type NaiveVariant, stepMs, summariseKinds } from './naive-kinds.fixture.ts';
import { readLog } from './read-evidence-log.ts';

const directory = mkdtempSync(join(tmpdir(), 'assay-kinds-'));
afterAll(() => rm(directory, { recursive: true, force: true }));

const reduced = (variants: readonly VariantSummary[]): readonly NaiveVariant[] =>
  variants.map(({ variant, units, metrics, waiting }) => ({ variant, units, metrics, waiting }));
const bySegment = (a: { segment: string; value: string }, b: { segment: string; value: string }): number =>
  a.segment + a.value < b.segment + b.value ? -1 : 1;

describe('the SQL of the metric kinds', () => {
  it('agrees with a naive recomputation on random small logs, for the whole, each allocation and each segment', async () => {
    const analytics = await openDuckdbAnalytics({ directory });
    let round = 0;
    await fc.assert(
      fc.asyncProperty(randomLog(), async ({ lists, nowMs }) => {
        round += 1;
        const namespace = `run-${round}`;
        await write(
          directory,
          lists.map((records) => records.map((record) => ({ ...record, namespace }) as NewRecord)),
          7,
        );
        const asked = {
          ...plan(kinds, {
            namespace,
            nowMs,
            segments: ['new_unit', 'first_seen', 'days_since_exposure'],
            sensitivity: ['exclude-mixed'],
          }),
          epochs: [
            { epoch: 1, shares: { a: 0.5, b: 0.5 } },
            { epoch: 2, shares: { a: 0.2, b: 0.8 } },
            { epoch: 3, shares: { a: 0.5, b: 0.5 } },
          ],
        };
        const records: LogRecord[] = [];
        for await (const piece of readLog(directory)) {
          if (piece.kind !== 'frame') continue;
          const lines = piece.payload.toString('utf8').trimEnd().split('\n');
          records.push(
            ...lines
              .map((line) => JSON.parse(line) as LogRecord)
              .filter((r) => 'namespace' in r && r.namespace === namespace),
          );
        }
        const found = await analytics.summarise(asked);
        const expected = summariseKinds(asked, records);
        expectClose(reduced(found.variants), expected.variants, 'whole');
        expectClose(reduced(found.unmixed?.variants ?? []), expected.unmixed, 'unmixed');
        expect(found.strata?.map(({ epochs }) => epochs)).toEqual([[1, 3], [2]]);
        for (const [index, stratum] of (found.strata ?? []).entries())
          expectClose(reduced(stratum.variants), expected.strata[index], `stratum ${index}`);
        const segments = found.segments.map(({ segment, value, variants }) => ({
          segment,
          value,
          variants: reduced(variants),
        }));
        expectClose(segments.toSorted(bySegment), expected.segments.toSorted(bySegment), 'segments');
        expectSeries(found);
      }),
      { numRuns: 12, interruptAfterTimeLimit: 60_000 },
    );
    await analytics.close();
  }, 120_000);
});

/** The points of a series add up to the whole, and each stands where its units came in. */
function expectSeries({ series, variants, fromMs, toMs }: ExperimentSummary): void {
  for (const { variant, metrics } of variants) {
    for (const [name, summary] of Object.entries(metrics)) {
      const points = (series?.points ?? []).filter((point) => point.metric === name && point.variant === variant);
      for (const { atMs } of points) {
        expect(atMs % (series?.widthMs ?? 1)).toBe(0);
        expect(atMs + (series?.widthMs ?? 0)).toBeGreaterThan(fromMs ?? 0);
        expect(atMs).toBeLessThanOrEqual(toMs ?? 0);
      }
      if (summary.kind !== 'ratio' && summary.kind !== 'mean') continue;
      const merged = points.map(({ moments }) => moments).reduce(mergeJointMoments);
      const whole = summary.kind === 'ratio' ? summary.moments.mean : [summary.mean, 1];
      expectClose(merged.mean, whole, `series of ${name}`);
    }
  }
}

function randomLog() {
  const id = fc.integer({ min: 0, max: 7 }).map(String);
  const variant = fc.constantFrom('a', 'b');
  const value = fc.constantFrom<number | string | boolean>(0, 1, 2.5, 4, 'x', true, false);
  const item = fc.record({ item_id: fc.constantFrom('i1', 'i2', 'i3'), hot: fc.boolean() });
  const anyPrediction = fc
    .record({
      id,
      step: fc.oneof(
        { weight: 4, arbitrary: fc.integer({ min: 0, max: 6 }) },
        { weight: 1, arbitrary: fc.integer({ min: 7, max: 20 }) },
      ),
      unit: fc.constantFrom('u1', 'u2', 'u3', 'u4', 'u5', null),
      assigned: variant,
      latencyMs: fc.integer({ min: 1, max: 80 }),
      prediction: value,
      past: fc.constantFrom(0, 1, 2, 3, undefined),
      epoch: fc.constantFrom(1, 2, 3),
      confidence: fc.constantFrom(0, 0.2, 0.25, 0.6, 1, undefined),
      items: fc.option(fc.uniqueArray(item, { selector: (each) => each.item_id, maxLength: 3 }), { nil: undefined }),
    })
    .map(
      (it): Prediction =>
        prediction(it.id, {
          at: it.step * stepMs,
          unit: it.unit,
          assigned: it.assigned,
          epoch: it.epoch,
          attempts: [{ variant: it.assigned, status: 200, latencyMs: it.latencyMs, error: null }],
          prediction: it.prediction,
          context: it.past === undefined ? {} : { past: it.past },
          captured: {
            ...(it.confidence === undefined ? {} : { confidence: it.confidence }),
            ...(it.items === undefined ? {} : { items: it.items }),
          },
          requestId: `r-${Number(it.id) % 5}`,
        }),
    );
  const earlier = fc
    .record({ id, step: fc.integer({ min: -40, max: -1 }), unit: fc.constantFrom('u1', 'u2', 'u3') })
    .map((it): NewRecord => prediction(it.id, { at: it.step * stepMs, unit: it.unit, experiment: 'other' }));
  const subject = fc.oneof(
    id.map((predictionId) => ({ kind: 'prediction', predictionId }) as const),
    id.map((name) => ({ kind: 'request', requestId: `r-${name}` }) as const),
    fc.constantFrom('u1', 'u2', 'u3', 'u9').map((unit) => ({ kind: 'unit', unit }) as const),
    fc.constantFrom('u1', 'u2', 'u3', 'u4').map((unit) => ({ kind: 'unit', unit }) as const),
  );
  const anyOutcome = fc
    .record({
      id: fc.integer({ min: 0, max: 20 }).map((number) => `o${number}`),
      step: fc.integer({ min: -5, max: 16 }),
      type: fc.constantFrom('label', 'revenue', 'revenue', 'click', 'click', 'click'),
      value,
      subject,
      itemId: fc.constantFrom('i1', 'i2', 'i3', undefined),
      good: fc.constantFrom(0, 1, 'yes', undefined),
    })
    .map((it) =>
      outcome(it.id, {
        at: it.step * stepMs,
        type: it.type,
        value: it.value,
        subject: it.subject,
        attributes: {
          ...(it.itemId === undefined ? {} : { item_id: it.itemId }),
          ...(it.good === undefined ? {} : { good: it.good }),
        },
      }),
    );
  return fc
    .record({
      predictions: fc.array(anyPrediction, { minLength: 6, maxLength: 20 }),
      earlier: fc.array(earlier, { maxLength: 3 }),
      outcomes: fc.array(anyOutcome, { minLength: 6, maxLength: 24 }),
      order: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 47, maxLength: 47 }),
      cut: fc.integer({ min: 0, max: 47 }),
      nowMs: fc.integer({ min: 5, max: 30 }).map((step) => t0 + step * stepMs),
    })
    .map(({ predictions, earlier: others, outcomes, order, cut, nowMs }) => {
      const shuffled = [...predictions, ...others, ...outcomes]
        .map((record, index) => ({ record, key: order[index] ?? 0 }))
        .sort((x, y) => x.key - y.key)
        .map(({ record }) => record);
      return { nowMs, lists: [shuffled.slice(0, cut), shuffled.slice(cut)] };
    });
}
