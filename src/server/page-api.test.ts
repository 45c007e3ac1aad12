import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { experimentText, startModel } from '../../test/e2e/assay-process.ts';
import type {
  DistributionsAnswer,
  ListAnswer,
  NowAnswer,
  OverviewAnswer,
  PlaygroundAnswer,
  PowerAnswer,
  ProbeAnswer,
  RevisionsAnswer,
  SeriesAnswer,
  ServedAnswer,
  SplitCellsAnswer,
  TimelineAnswer,
  ValidateAnswer,
} from '../api/index.ts';
import { parseExperimentFile } from '../experiment/index.ts';
import { type RunningServer, startServer } from './index.ts';

const units = 240;
let server: RunningServer;
let directory: string;
let models: Awaited<ReturnType<typeof startModel>>[];
let text: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-page-'));
  models = [await startModel('a'), await startModel('b')];
  text = experimentText([models[0]!.url, models[1]!.url]);
  server = await startServer({
    dataDirectory: directory,
    port: 0,
    apiPort: 0,
    startDrafts: true,
    experiments: [parseExperimentFile(text)],
    // A verdict in the middle of a case would withdraw what the case proposed.
    verdictEveryMs: 3_600_000,
  });
  for (let unit = 0; unit < units; unit += 1) {
    const reply = await fetch(`${server.gatewayUrl}/score`, {
      method: 'POST',
      headers: { 'x-user-id': `u${unit}`, 'content-type': 'application/json' },
      body: '{}',
    });
    await reply.text();
  }
  // Records are durable within milliseconds; what was counted says when.
  await vi.waitFor(
    async () => {
      const { variants } = await get<NowAnswer>('/scores/now');
      expect(variants.reduce((sum, { requests }) => sum + requests, 0)).toBe(units);
    },
    { timeout: 60_000 },
  );
}, 120_000);

afterAll(async () => {
  await server?.close();
  for (const model of models ?? []) await model.close();
  await rm(directory, { recursive: true, force: true });
});

async function get<T>(path: string): Promise<T> {
  const reply = await fetch(`${server.apiUrl}/api/v1/experiments${path}`);
  expect(reply.status).toBe(200);
  return (await reply.json()) as T;
}

async function post<T>(path: string, body: string): Promise<T> {
  const reply = await fetch(`${server.apiUrl}/api/v1/${path}`, { method: 'POST', body });
  expect(reply.status).toBe(200);
  return (await reply.json()) as T;
}

describe('the list', { timeout: 120_000 }, () => {
  it('answers at once and gets its numbers from the last report of each experiment', async () => {
    const first = await get<ListAnswer>('?view=list');
    expect(first.rows.map(({ name, state }) => [name, state])).toEqual([['scores', 'running']]);
    const unitsOf = ({ rows }: ListAnswer): number => {
      const split = rows[0]?.split ?? [];
      return 'length' in split ? split.reduce((sum, each) => sum + each.units, 0) : 0;
    };
    await expect.poll(async () => unitsOf(await get<ListAnswer>('?view=list')), { timeout: 100_000 }).toBe(units);
    const [row] = (await get<ListAnswer>('?view=list')).rows;
    const report = await server.report('scores');
    expect(row?.split).toEqual(
      report.variants.map(({ name, units: counted, share, expectedShare }) => ({
        variant: name,
        isControl: name === 'a',
        units: counted,
        share,
        expectedShare,
      })),
    );
    expect(row?.verdict).toMatchObject({ kind: 'keep-testing', headline: expect.any(String) });
    expect(row?.health).toMatchObject({ vetoes: 0, total: expect.toSatisfy((total: number) => total >= 5) });
    expect(row?.attention).toBe(4);
  });

  it('leaves the old list as it was', async () => {
    expect(await get<readonly { name: string }[]>('')).toMatchObject([{ name: 'scores', specification: {} }]);
  });
});

describe('one experiment', { timeout: 120_000 }, () => {
  it('tells by time and revision whether the split is as declared, every unit once in each', async () => {
    const { groups, judged } = await get<SplitCellsAnswer>('/scores/split-cells');
    if ('kind' in groups) throw new Error(groups.reason);
    expect(groups.map(({ by }) => by)).toEqual(['time', 'revision']);
    const counted = groups[1]?.cells.flatMap(({ variants }) => variants.map((each) => each.units)) ?? [];
    expect(counted.reduce((sum, each) => sum + each, 0)).toBe(units);
    expect(judged).toBeGreaterThanOrEqual(2);
  });

  it('has everything above the charts in one answer, whose numbers are the report’s', async () => {
    const overview = await get<OverviewAnswer>('/scores/overview');
    expect(overview.report.variants.reduce((sum, each) => sum + each.units, 0)).toBe(units);
    expect(overview.headline).toBe(overview.report.verdict.headline);
    expect(overview.health.map(({ name }) => name).toSorted()).toEqual(Object.keys(overview.report.checks).toSorted());
    expect(overview.health[0]?.name).toBe('sampleRatio');
    expect(overview.formats).toMatchObject({
      latency: { kind: 'milliseconds', axis: 'ms' },
      liked: { kind: 'number' },
    });
    const offers = new Map(overview.steps.map((each) => [each.action, each]));
    expect(offers.get('pause')).toMatchObject({ isAllowed: true });
    expect(offers.get('start')).toMatchObject({ isAllowed: false, refusal: 'it is running; start needs draft' });
    expect(offers.get('promote')).toMatchObject({ agreement: 'against' });
    expect([offers.has('approve'), overview.proposal]).toEqual([false, undefined]);
  });

  it('says every difference as a share of the control too, at the same place', async () => {
    const { report, relative } = await get<OverviewAnswer>('/scores/overview');
    for (const [at, { variants }] of report.metrics.entries())
      for (const [place, { difference }] of variants.entries()) {
        const shares = relative.metrics[at]!.variants[place]!;
        if (difference === undefined || 'kind' in difference) expect(shares).toEqual({});
        else expect(Object.keys(shares).toSorted()).toEqual(['bayes', 'fixed', 'sequential']);
      }
    // On a machine that stalls, latencies can be so noisy that the share of their mean has no end; it is an interval all the same.
    const fixed = relative.metrics.flatMap(({ variants }) => variants.map((shares) => shares.fixed?.kind));
    expect(fixed.some((kind) => kind !== undefined && kind !== 'insufficient')).toBe(true);
  });

  it('offers the proposed step first, and takes it for whoever has seen it', async () => {
    const note = (proposal: { step: 'promote'; variant: string } | null) =>
      server.service.note({
        name: 'scores',
        author: 'decision-loop',
        reason: 'ship: it is better',
        note: { kind: 'propose', proposal },
      });
    await note({ step: 'promote', variant: 'b' });
    const { steps, proposal } = await get<OverviewAnswer>('/scores/overview');
    expect(steps[0]).toMatchObject({ action: 'approve', isAllowed: true, agreement: 'against' });
    expect(steps[0]?.effect).toContain('b answers everybody');
    expect(proposal).toMatchObject({ step: 'promote', variant: 'b', text: 'promote b', reason: 'ship: it is better' });
    const { rows } = await get<ListAnswer>('?view=list');
    expect(rows[0]).toMatchObject({ proposal: 'promote b', attention: 2 });
    const reply = await fetch(`${server.apiUrl}/api/v1/experiments/scores/approve`, {
      method: 'POST',
      body: JSON.stringify({ reason: 'seen another', proposal: { step: 'promote', variant: 'a' } }),
    });
    expect([reply.status, ((await reply.json()) as { code: string }).code]).toEqual([409, 'revision-conflict']);
    await note(null);
    expect((await get<OverviewAnswer>('/scores/overview')).steps[0]?.action).toBe('start');
  });

  it('takes a file only from whoever has seen the last one, where they say so', async () => {
    const put = (body: string, headers: Record<string, string>) =>
      fetch(`${server.apiUrl}/api/v1/experiments/scores`, { method: 'PUT', body, headers });
    const changed = text.replace('b scores better', 'b scores much better');
    expect((await put(changed, { 'if-match': '"7"' })).status).toBe(409);
    expect((await put(changed, { 'if-none-match': '*' })).status).toBe(409);
    expect((await put(changed, { 'if-match': 'W/"1"' })).status).toBe(400);
    // The same file again is no change, whoever sends it.
    expect((await put(text, { 'if-match': '"7"' })).status).toBe(200);
  });

  it('answers 304 to a reader who has the same already', async () => {
    const url = `${server.apiUrl}/api/v1/experiments/scores/timeline`;
    const first = await fetch(url);
    const etag = first.headers.get('etag') ?? '';
    expect(first.headers.get('cache-control')).toBe('private, no-cache');
    expect(etag).not.toBe('');
    const again = await fetch(url, { headers: { 'if-none-match': etag } });
    expect(again.status).toBe(304);
    expect((await fetch(url, { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
    const history = await fetch(`${server.apiUrl}/api/v1/experiments/scores/history`);
    const same = await fetch(history.url, { headers: { 'if-none-match': history.headers.get('etag') ?? '' } });
    expect([history.headers.get('cache-control'), same.status]).toEqual(['private, no-cache', 304]);
  });

  it('knows the last hour by variant', async () => {
    const { variants, fromMs, toMs } = await get<NowAnswer>('/scores/now');
    expect(toMs - fromMs).toBe(3_600_000);
    expect(variants.map(({ variant, isControl }) => [variant, isControl])).toEqual([
      ['a', true],
      ['b', false],
    ]);
    for (const { failed, fallback, p95Ms, requestsPerSecond } of variants) {
      expect([failed, fallback]).toEqual([0, 0]);
      expect(p95Ms).toBeGreaterThan(0);
      expect(requestsPerSecond).toBeGreaterThan(0);
    }
  });

  it('draws the split with its band from the same units as the report', async () => {
    const { split, looks, flags } = await get<SeriesAnswer>('/scores/series');
    if (!('points' in split)) throw new Error(split.reason);
    const counted = split.points.reduce((sum, each) => sum + (each.units.a ?? 0) + (each.units.b ?? 0), 0);
    expect(counted).toBe(units);
    const last = split.points.at(-1)!;
    const { variants } = await server.report('scores');
    expect(last.share.b).toBeCloseTo(variants.find(({ name }) => name === 'b')!.share, 12);
    expect(last.band.b!.lower).toBeLessThan(last.share.b!);
    expect(last.band.b!.upper).toBeGreaterThan(last.share.b!);
    expect(last.expected).toEqual({ a: 0.5, b: 0.5 });
    expect(flags.map(({ kind }) => kind)).toEqual(['create', 'start']);
    for (const { points } of looks) expect(points.length).toBeLessThanOrEqual(500);
  });

  it('has a rising curve of latencies with its quantiles on it', async () => {
    const { variants } = await get<DistributionsAnswer>('/scores/distributions');
    expect(variants.reduce((sum, { n }) => sum + n, 0)).toBe(units);
    for (const { points, quantiles } of variants) {
      if (!('length' in points)) throw new Error(points.reason);
      expect(points.length).toBeLessThanOrEqual(300);
      for (const [place, { ms, share }] of points.slice(1).entries()) {
        expect(ms).toBeGreaterThanOrEqual(points[place]!.ms);
        expect(share).toBeGreaterThan(points[place]!.share);
      }
      const median = quantiles.find(({ q }) => q === 0.5)?.ms;
      expect(median).toBeCloseTo(points.find(({ share }) => Math.abs(share - 0.5) < 1e-9)!.ms, 9);
      expect(quantiles.find(({ q }) => q === 0.99)?.ms).toBeTypeOf('number');
    }
  });

  it('counts who answered whom', async () => {
    const served = await get<ServedAnswer>('/scores/served');
    expect(served.cells.every(({ assigned, served: by, share }) => assigned === by && share === 1)).toBe(true);
    expect(served.cells.reduce((sum, { predictions }) => sum + predictions, 0)).toBe(units);
    expect(served.reasons).toEqual({ kind: 'insufficient', reason: `no fallback in ${units} predictions` });
    expect(served.mirror).toEqual({ kind: 'insufficient', reason: 'the experiment mirrors nothing' });
  });

  it('tells every change with what was before, and every revision as a file', async () => {
    const { entries } = await get<TimelineAnswer>('/scores/timeline');
    const start = entries.find(({ kind }) => kind === 'start');
    expect(start).toMatchObject({
      before: { state: 'draft' },
      after: { state: 'running', shares: { a: 0.5, b: 0.5 } },
    });
    expect(start?.text).toContain('a 50.0');
    const { revisions } = await get<RevisionsAnswer>('/scores/revisions');
    expect(revisions).toHaveLength(1);
    expect(parseExperimentFile(revisions[0]!.yaml)).toEqual(parseExperimentFile(text));
  });

  it('shows an earlier verdict as it was, without anything to do', async () => {
    const { report, summary, basis } = await judged();
    await server.service.recordVerdict({
      name: 'scores',
      author: 'test',
      reason: 'kept',
      verdict: report.verdict,
      summary,
      basis,
    } as never);
    const past = await get<OverviewAnswer>(`/scores/overview?at=${encodeURIComponent(new Date().toISOString())}`);
    expect(past.at).toBeDefined();
    expect(past.report.verdict).toEqual(report.verdict);
    expect(past.steps).toEqual([]);
    for (const at of ['yesterday', '1999-01-01']) {
      const reply = await fetch(`${server.apiUrl}/api/v1/experiments/scores/overview?at=${at}`);
      expect(reply.status).toBe(400);
      expect(await reply.json()).toMatchObject({ code: 'request-invalid' });
    }
  });

  it('is unknown by another name', async () => {
    for (const path of ['overview', 'now', 'series', 'distributions', 'served', 'timeline', 'revisions'])
      expect((await fetch(`${server.apiUrl}/api/v1/experiments/nobody/${path}`)).status).toBe(404);
  });
});

/** A summary as the loop keeps it. */
async function judged(): Promise<{ report: OverviewAnswer['report']; summary: object; basis: object }> {
  const { openDuckdbAnalytics } = await import('../adapters/duckdb-analytics.ts');
  const { makeReport } = await import('../decision/index.ts');
  const state = server.service.get('scores');
  const nowMs = Date.now();
  const analytics = await openDuckdbAnalytics({ directory, isLive: () => true });
  const summary = await analytics.summarise({ experiment: state.experiment, epochs: state.epochs, nowMs });
  await analytics.close();
  const basis = { nowMs, startedAtMs: state.startedAtMs!, planChanges: [] };
  return { report: makeReport(summary, { experiment: state.experiment, ...basis }), summary, basis };
}

describe('a draft', { timeout: 120_000 }, () => {
  it('is faulted with the command line’s sentence, line and column', async () => {
    const broken = text.replace('weight: 50', 'weight: -3');
    const answer = await post<ValidateAnswer>('validate', broken);
    let sentence = '';
    try {
      parseExperimentFile(broken);
    } catch (fault) {
      sentence = (fault as { issues: readonly { text: string }[] }).issues[0]!.text;
    }
    const line = broken.split('\n').findIndex((each) => each.includes('-3')) + 1;
    expect(answer).toMatchObject({ ok: false, faults: [{ text: sentence, line, code: 'experiment-invalid' }] });
    expect(broken.split('\n')[line - 1]!.slice(answer.faults[0]!.column! - 1)).toMatch(/^weight: -3/);
  });

  it('is told what it collides with', async () => {
    const other = text.replace('name: scores', 'name: others');
    const answer = await post<ValidateAnswer>('validate', other);
    expect(answer).toMatchObject({ ok: true, faults: [], experiments: [{ name: 'others', exists: false }] });
    expect(answer.warnings.map(({ code }) => code)).toContain('route-taken');
    expect((await post<ValidateAnswer>('validate', text)).experiments[0]?.exists).toBe(true);
  });

  it('has a power curve', async () => {
    const answer = await post<PowerAnswer>('power?unitsPerDay=1200', text);
    expect(answer.source).toBe('given');
    expect(answer.plan.unitsPerDay).toBe(1200);
    expect(answer.plan.curve.length).toBeGreaterThan(1);
  });

  it('learns whether a model server answers', async () => {
    expect(await post<ProbeAnswer>('probe', JSON.stringify({ url: models[0]!.url }))).toMatchObject({
      ok: true,
      status: 200,
    });
    const gone = await startModel('gone');
    await gone.close();
    expect(await post<ProbeAnswer>('probe', JSON.stringify({ url: gone.url }))).toMatchObject({
      ok: false,
      text: 'refused: is it running?',
    });
    const refused = await fetch(`${server.apiUrl}/api/v1/probe`, {
      method: 'POST',
      body: '{"url":"file:///etc/passwd"}',
    });
    expect(refused.status).toBe(400);
  });
});

describe('the playground', { timeout: 120_000 }, () => {
  it('decides as the gateway does, with the proof', async () => {
    const ids = Array.from({ length: 20 }, (_, place) => `u${place}`);
    const answer = await post<PlaygroundAnswer>('playground', JSON.stringify({ experiment: 'scores', units: ids }));
    for (const { unit, variant, splitAt } of answer.units) {
      const reply = await fetch(`${server.gatewayUrl}/score`, {
        method: 'POST',
        headers: { 'x-user-id': unit, 'content-type': 'application/json' },
        body: '{}',
      });
      expect(await reply.json()).toMatchObject({ model: variant });
      const range = answer.ranges.find(({ from, to }) => splitAt! >= from && splitAt! < to);
      expect(range?.variant).toBe(variant);
    }
  });

  it('refuses what it cannot decide', async () => {
    for (const body of ['{}', '{"experiment":"scores","units":[]}', '{"experiment":"scores","units":[7]}', 'no json'])
      expect((await fetch(`${server.apiUrl}/api/v1/playground`, { method: 'POST', body })).status).toBe(400);
  });
});
