// What each metric kind means, one small log per rule; random logs stand in analytics.contract.ts.
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { makeReport } from '../decision/index.ts';
import type { AnalysisPlan, ExperimentSummary, NewRecord, VariantSummary } from '../evidence/index.ts';
import type { Experiment, Metric } from '../experiment/index.ts';
import { outcome, plan, prediction, t0, write } from './analytics-records.fixture.ts';
import { openDuckdbAnalytics } from './duckdb-analytics.ts';

const made: string[] = [];
afterAll(async () => {
  for (const directory of made) await rm(directory, { recursive: true, force: true });
});

async function summarise(asked: AnalysisPlan, lists: readonly (readonly NewRecord[])[]): Promise<ExperimentSummary> {
  const directory = mkdtempSync(join(tmpdir(), 'assay-kinds-'));
  made.push(directory);
  await write(directory, lists);
  const analytics = await openDuckdbAnalytics({ directory });
  try {
    return await analytics.summarise(asked);
  } finally {
    await analytics.close();
  }
}

const hour = 3_600_000;
const only = ({ variants }: Pick<ExperimentSummary, 'variants'>, name = 'a'): VariantSummary =>
  variants.find(({ variant }) => variant === name) as VariantSummary;
const of = (name: string, definition: Metric['definition'], rest: Partial<Metric> = {}): Metric => ({
  name,
  definition,
  windowMs: hour,
  ...rest,
});
const later = (metrics: readonly Metric[], changes: Partial<Experiment> & { nowMs?: number } = {}): AnalysisPlan =>
  plan(metrics, { nowMs: t0 + 100 * hour, ...changes });
const click = (id: string, at: number, rest: Parameters<typeof outcome>[1] = {}) =>
  outcome(id, { type: 'click', value: true, at, subject: { kind: 'unit', unit: 'u' }, ...rest });

describe('a metric per unit', () => {
  const clicks = of('clicks', { kind: 'count', of: 'click' });

  it('counts every outcome from the first exposure on, however it names its unit, each id once', async () => {
    const found = await summarise(later([clicks]), [
      [
        click('by-unit', 10),
        click('by-unit', 20),
        click('before', -1),
        click('by-prediction', 30, { subject: { kind: 'prediction', predictionId: '2' } }),
        click('by-request', 40, { subject: { kind: 'request', requestId: 'r-1' } }),
        click('late', hour + 1),
        click('last', hour),
      ],
      [prediction('2', { unit: 'u', at: 25 }), prediction('1', { unit: 'u', at: 0 }), prediction('3', { unit: 'v' })],
    ]);
    expect(only(found).metrics.clicks).toMatchObject({ kind: 'mean', n: 2, mean: 2 });
    // The one before is known to the experiment and belongs to no prediction; the late one is late by its unit's first exposure.
    expect(found.health?.outcomes).toMatchObject({ received: 7, duplicates: 1, joined: 4, late: 1, orphans: 0 });
    expect(found.perUnit).toEqual(['clicks']);
  });

  it('takes a unit in only when its window has ended', async () => {
    const records = [[prediction('1', { at: 0 }), prediction('2', { at: hour }), click('c', 5)]];
    const open = await summarise(later([clicks], { nowMs: t0 + hour }), records);
    expect(only(open).metrics.clicks).toEqual({
      kind: 'insufficient',
      reason: 'no unit of a has a value of clicks yet; 2 units still wait for the end of its window',
    });
    const half = await summarise(later([clicks], { nowMs: t0 + hour + 1 }), records);
    expect(only(half)).toMatchObject({ metrics: { clicks: { n: 1 } }, waiting: { clicks: 1 } });
  });

  it('adds up what a prediction takes only the last of', async () => {
    const metrics = [
      of('sum', { kind: 'sum', expression: 'outcome.revenue' }),
      of('last', { kind: 'mean', expression: 'outcome.revenue' }),
    ];
    const paid = (id: string, value: number, at: number) =>
      outcome(id, { type: 'revenue', value, at, subject: { kind: 'prediction', predictionId: '1' } });
    const found = await summarise(later(metrics), [[prediction('1'), paid('x', 20, 1), paid('y', -5, 2)]]);
    expect(only(found).metrics).toMatchObject({ sum: { mean: 15 }, last: { mean: -5 } });
    expect(found.health?.corrections).toBe(1);
  });

  it('tells in a retention whether a unit came back in [from, to)', async () => {
    const day = 24 * hour;
    const back = of('back', { kind: 'retention', of: 'prediction', fromMs: day, toMs: 2 * day }, { windowMs: 2 * day });
    const visit = (unit: string, at: number) => prediction(`${unit}-${at}`, { unit, at });
    const found = await summarise(later([back]), [
      [visit('u', 0), visit('u', day), visit('v', 0), visit('v', day - 1), visit('w', 0), visit('w', 2 * day)],
    ]);
    expect(only(found).metrics.back).toEqual({ kind: 'proportion', n: 3, successes: 1 });
  });

  it('knows items by what was shown: a click belongs to the last reply that showed its item', async () => {
    const items = (...ids: string[]) => ({ items: ids.map((item_id) => ({ item_id, fresh: item_id === 'n' })) });
    const about = (id: string, at: number, item_id: string) => click(id, at, { attributes: { item_id } });
    const metrics = [
      of('rate', {
        kind: 'ratio',
        numerator: { kind: 'count', of: 'click' },
        denominator: { kind: 'count', of: 'item' },
      }),
      of(
        'fresh_rate',
        { kind: 'ratio', numerator: { kind: 'count', of: 'click' }, denominator: { kind: 'count', of: 'item' } },
        { filter: 'item.fresh' },
      ),
      of('order', { kind: 'ndcg', outcome: 'click', k: 3 }),
      of('hit', { kind: 'hit_rate', outcome: 'click', k: 1 }),
    ];
    const found = await summarise(later(metrics), [
      [
        prediction('1', { unit: 'u', at: 0, captured: items('x', 'n', 'y') }),
        prediction('2', { unit: 'u', at: 100, captured: items('y', 'z') }),
        // Of the first reply, though the second is the unit's last before it.
        about('c1', 200, 'n'),
        about('c2', 300, 'y'),
        about('c3', 400, 'never shown'),
      ],
    ]);
    const { rate, fresh_rate: fresh, order, hit } = only(found).metrics;
    expect(rate).toMatchObject({ kind: 'ratio', n: 1, rows: 5, moments: { mean: [3, 5] } });
    expect(fresh).toMatchObject({ moments: { mean: [1, 1] } });
    expect(order).toMatchObject({ rows: 2, moments: { mean: [expect.closeTo(1 / Math.log2(3) + 1, 12), 2] } });
    expect(hit).toMatchObject({ rows: 2, moments: { mean: [1, 2] } });
  });
});

describe('a covariate', () => {
  it('is what the unit did before its first exposure, 0 where it did nothing', async () => {
    const spend = of(
      'spend',
      { kind: 'sum', expression: 'outcome.revenue' },
      { covariate: { expression: null, beforeMs: 5 * hour } },
    );
    const paid = (id: string, unit: string, value: number, at: number) =>
      outcome(id, { type: 'revenue', value, at, subject: { kind: 'unit', unit } });
    const found = await summarise(later([spend]), [
      [
        prediction('1', { unit: 'u' }),
        prediction('2', { unit: 'v' }),
        paid('long ago', 'u', 100, -5 * hour - 1),
        paid('before', 'u', 7, -5 * hour),
        paid('just before', 'u', 3, -1),
        paid('after', 'u', 2, 0),
      ],
    ]);
    expect(only(found).metrics.spend).toEqual({
      kind: 'mean',
      n: 2,
      mean: 1,
      m2: 2,
      adjusted: {
        n: 2,
        mean: [1, 5],
        m2: [
          [2, 10],
          [10, 50],
        ],
      },
    });
  });
});

describe('the allocation a unit came in under', () => {
  const shares = (epoch: number, a: number) => ({ epoch, shares: { a, b: 1 - a } });
  const records = [1, 2, 3].map((epoch) => prediction(String(epoch), { epoch, at: epoch }));

  it('tells units apart where shares changed, and not where only the coverage did', async () => {
    const asked = later([of('latency', { kind: 'mean', expression: 'attempt_ms' })]);
    const same = await summarise({ ...asked, epochs: [shares(1, 0.5), shares(2, 0.5), { epoch: 3, shares: {} }] }, [
      records,
    ]);
    expect(same.strata).toBeUndefined();
    const ramp = await summarise({ ...asked, epochs: [shares(1, 0.9), shares(2, 0.5), shares(3, 0.9)] }, [records]);
    expect(ramp.strata?.map(({ epochs, variants }) => [epochs, variants[0]?.units])).toEqual([
      [[1, 3], 2],
      [[2], 1],
    ]);
  });
});

describe('what others say was served', () => {
  it('is compared under every name a variant goes by', async () => {
    const upstream = { url: 'http://127.0.0.1:1', protocol: 'json', model: 'm-b' } as const;
    const asked = later([], {
      capture: [{ name: 'model_used', from: 'reply', source: { kind: 'json', path: '$.model_used' } }],
      outcomes: [{ name: 'c', type: 'click', subject: { kind: 'unit', path: '$.u' }, served: '$.v', attributes: {} }],
      variants: [
        { name: 'a', weight: 1, upstream: { ...upstream, model: 'm-a' }, timeoutMs: 1, set: { json: { use: 'v1' } } },
        { name: 'b', weight: 1, upstream, timeoutMs: 1 },
      ],
    });
    const says = (id: string, assigned: string, word: string, served = assigned) =>
      prediction(id, { unit: id, assigned, served, captured: { model_used: word } });
    const claims = (id: string, word: string) =>
      click(`c${id}`, 10, { subject: { kind: 'unit', unit: id }, attributes: { variant_served: word } });
    const found = await summarise(asked, [
      [
        ...[says('1', 'a', 'v1'), says('2', 'a', 'm-a'), says('3', 'b', 'b'), says('4', 'b', 'a', 'a')],
        says('5', 'b', 'v1'),
        prediction('6', { unit: '6' }),
        ...[claims('1', 'a'), claims('4', 'm-a'), claims('5', 'm-a'), claims('9', 'a')],
      ],
    ]);
    expect(found.health).toMatchObject({
      modelUsed: { compared: 5, mismatched: 1 },
      variantServed: { compared: 3, mismatched: 1 },
      namespace: { outcomes: 4, orphans: 1 },
    });
  });
});

const cookies = fileURLToPath(new URL('../../../shared/data/cookie_cats.csv', import.meta.url));
if (!existsSync(cookies)) console.info(`skipped: ${cookies} is not there`);

describe.skipIf(!existsSync(cookies))('90,189 players of a game', () => {
  it('get the winsorized test of R', async () => {
    const [, ...lines] = readFileSync(cookies, 'utf8').trim().split('\n');
    const records = lines.map((line) => {
      const [id = '', version, rounds] = line.split(',');
      return prediction(id, {
        unit: id,
        assigned: version === 'gate_30' ? 'a' : 'b',
        captured: { rounds: Number(rounds) },
      });
    });
    const metric = of('rounds', { kind: 'mean', expression: 'rounds' }, { cap: { kind: 'quantile', upper: 0.999 } });
    const found = await summarise(later([metric]), [records]);
    expect(found.caps).toEqual({ rounds: { upper: 1074, raised: 0, lowered: 90, n: 90_189 } });
    const entry = makeReport(found).metrics[0];
    const difference = entry?.variants.find(({ variant }) => variant === 'b')?.difference as { pValue: number };
    // R 4.2: t.test on pmin(sum_gamerounds, quantile(sum_gamerounds, 0.999, type = 1)).
    expect(difference.pValue).toBeCloseTo(0.883458634611749, 9);
    expect(entry?.capped).toMatchObject({ upper: 1074, lowered: 90 });
  }, 120_000);
});
