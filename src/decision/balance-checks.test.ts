import { describe, expect, it } from 'vitest';
import type { ExperimentSummary } from '../evidence/index.ts';
import { runChecks } from './checks.ts';
import { makeReport } from './index.ts';
import { mean, proportion, specification, summaryOf, variant } from './summary.fixture.ts';

const day = 86_400_000;
const none = { elapsedMs: day, minDurationMs: undefined, planChanges: [] };
const side = (name: string, n = 4_000) => variant(name, n, { accuracy: proportion(n, name === 'new' ? 0.78 : 0.7) });
const sound = summaryOf([side('old'), side('new')], [0.5, 0.5]);
const segment = (value: string, old: number, candidate: number): ExperimentSummary['segments'][number] => ({
  segment: 'page',
  value,
  variants: [variant('old', old, {}), variant('new', candidate, {})],
});
/** Moments of [value, covariate] with this mean of the covariate, deviations 1. */
const adjusted = (n: number, covariate: number) => ({
  n,
  mean: [0.7, covariate],
  m2: [
    [n - 1, 0],
    [0, n - 1],
  ],
});

describe('a check of balance', () => {
  it('finds the one segment whose split is broken although the whole is as declared', () => {
    const summary = { ...sound, segments: [segment('home', 2_300, 1_700), segment('list', 1_700, 2_300)] };
    const { segmentRatio, sampleRatio } = runChecks(summary, none);
    expect(sampleRatio.ok).toBe(true);
    expect(segmentRatio).toMatchObject({
      ok: false,
      blocks: true,
      text: expect.stringContaining('broken where page is'),
      fix: expect.stringContaining('segment'),
    });
    const even = { ...sound, segments: [segment('home', 2_030, 1_970), segment('list', 1_970, 2_030)] };
    expect(runChecks(even, none).segmentRatio).toMatchObject({ ok: true });
    expect(runChecks(even, none).segmentRatio).not.toHaveProperty('fix');
    expect(runChecks({ ...sound, segments: [segment('rare', 4, 0)] }, none)).not.toHaveProperty('segmentRatio');
  });

  it('tests the split within segments at every look while an experiment runs', () => {
    // chi-squared 13.9 and twice that p-value are far below 0.001 at one look, not at every look.
    const odd = { ...sound, segments: [segment('home', 2_200, 1_964), segment('list', 2_000, 2_000)] };
    expect(runChecks(odd, none).segmentRatio?.ok).toBe(false);
    expect(runChecks(odd, { ...none, isWatched: true }).segmentRatio?.ok).toBe(true);
    const broken = { ...sound, segments: [segment('home', 2_400, 1_700), segment('list', 2_000, 2_000)] };
    expect(runChecks(broken, { ...none, isWatched: true }).segmentRatio).toMatchObject({
      ok: false,
      text: expect.stringContaining('at every look'),
      numbers: { units: 4_100, segments: 2 },
    });
  });

  it('holds each allocation of a segment against its own shares', () => {
    const under = (shares: readonly [number, number], old: number, candidate: number) => ({
      epochs: [1],
      shares: { old: shares[0], new: shares[1] },
      variants: [variant('old', old, {}), variant('new', candidate, {})],
    });
    // `home` came in mostly under 90/10, `list` under 50/50: each as declared, neither as the mixture of both.
    const home = {
      ...segment('home', 1_900, 300),
      strata: [under([0.9, 0.1], 1_800, 200), under([0.5, 0.5], 100, 100)],
    };
    const list = {
      ...segment('list', 1_090, 1_010),
      strata: [under([0.9, 0.1], 90, 10), under([0.5, 0.5], 1_000, 1_000)],
    };
    const mixed = summaryOf([side('old', 2_990), side('new', 1_310)]);
    expect(runChecks({ ...mixed, segments: [home, list] }, none).segmentRatio).toMatchObject({ ok: true });
    const lost = { ...list, strata: [list.strata[0]!, under([0.5, 0.5], 1_000, 800)] };
    expect(runChecks({ ...mixed, segments: [home, lost] }, none).segmentRatio).toMatchObject({
      ok: false,
      blocks: true,
    });
  });

  it('finds units that were not alike before their first exposure', () => {
    const with_ = (covariate: number): ExperimentSummary => {
      const metrics = (center: number) => ({
        revenue: { ...mean(4_000, 0.7, 1), adjusted: adjusted(4_000, center) } as ReturnType<typeof mean>,
      });
      return summaryOf([variant('old', 4_000, metrics(1)), variant('new', 4_000, metrics(covariate))]);
    };
    expect(runChecks(with_(1.01), none).covariates).toMatchObject({ ok: true });
    expect(runChecks(with_(1.1), none).covariates).toMatchObject({ ok: false, blocks: true });
    // 3.6 standard errors are enough at one look, not at every one; 6.7 are.
    const watched = { ...none, isWatched: true };
    expect(runChecks(with_(1.08), none).covariates?.ok).toBe(false);
    expect(runChecks(with_(1.08), watched).covariates?.ok).toBe(true);
    expect(runChecks(with_(1.15), watched).covariates).toMatchObject({ ok: false, blocks: true });
    expect(runChecks(with_(1.15), watched).covariates?.text).toContain('at every look');
    expect(runChecks(sound, none)).not.toHaveProperty('covariates');
  });

  it('finds a metric of which one variant has values of fewer units', () => {
    const some = (name: string, n: number) => variant(name, 4_000, { accuracy: proportion(n, 0.7) });
    expect(runChecks(summaryOf([some('old', 3_900), some('new', 3_500)]), none).joinRates).toMatchObject({
      ok: false,
      text: expect.stringContaining("87.5 % of new's units have a value of accuracy, 97.5 % of old's"),
    });
    expect(runChecks(summaryOf([some('old', 3_900), some('new', 3_890)]), none).joinRates).toMatchObject({ ok: true });
    const few = summaryOf([some('old', 3_900), some('new', 3_840)]);
    expect(runChecks(few, none).joinRates?.ok).toBe(false);
    expect(runChecks(few, { ...none, isWatched: true }).joinRates?.ok).toBe(true);
  });

  it.each([
    [3, false],
    [7, true],
    [10, false],
    [14, true],
    [28, true],
  ])('after %i days says whether the weeks are whole: %s', (days, ok) => {
    const { wholeWeeks } = runChecks(sound, { ...none, elapsedMs: days * day, minDurationMs: 2 * day });
    expect(wholeWeeks?.ok).toBe(ok);
    expect(wholeWeeks).not.toHaveProperty('blocks');
  });

  it('finds hours without new units between busy ones, and no gap where units are few', () => {
    const series = (n: number, hours: readonly number[]): ExperimentSummary => ({
      ...sound,
      series: {
        widthMs: 3_600_000,
        points: hours.map((hour) => ({
          metric: 'accuracy',
          variant: 'old',
          atMs: hour * 3_600_000,
          n,
          moments: {
            n,
            mean: [1, 1],
            m2: [
              [0, 0],
              [0, 0],
            ],
          },
        })),
      },
    });
    expect(runChecks(series(50, [1, 2, 5, 6]), none).gaps).toMatchObject({
      ok: false,
      numbers: { missing: 2, stretches: 6, typical: 50 },
    });
    expect(runChecks(series(50, [1, 2, 3]), none).gaps).toMatchObject({ ok: true });
    expect(runChecks(series(3, [1, 2, 5, 6]), none).gaps).toMatchObject({ ok: true });
    // Hours 3 and 4 are missing: an outage over both explains them, a moment in one of them does not.
    const outage = { text: 'outage of the feed', atMs: 3.5 * 3_600_000, untilMs: 4.2 * 3_600_000 };
    expect(runChecks(series(50, [1, 2, 5, 6]), { ...none, annotations: [outage] }).gaps).toMatchObject({
      ok: true,
      numbers: { missing: 0, explained: 2 },
      text: expect.stringContaining('outage of the feed'),
    });
    const moment = { text: 'deployment', atMs: 3.5 * 3_600_000 };
    expect(runChecks(series(50, [1, 2, 5, 6]), { ...none, annotations: [moment] }).gaps).toMatchObject({
      ok: false,
      numbers: { missing: 1, explained: 1 },
    });
  });

  it('holds a ship back when a plan for one look is looked at early, and lets it go at its end', () => {
    const decide = (units: number) =>
      makeReport(sound, {
        experiment: { ...specification({ primary: ['accuracy > control.accuracy'] }), plan: { units } },
      });
    const early = decide(20_000);
    expect(early.verdict.kind).toBe('keep-testing');
    expect(early.verdict.reasons[0]).toMatchObject({ code: 'peeking' });
    expect(early.findings.map(({ code }) => code)).toContain('peeking');
    expect(decide(8_000).verdict.kind).toBe('ship');
  });

  it('does not stand in the way of a roll-back', () => {
    const worse = summaryOf([side('new'), { ...side('old'), variant: 'old' }], [0.5, 0.5]);
    const report = makeReport(
      { ...worse, control: 'new' },
      { experiment: { ...specification({ primary: ['accuracy > control.accuracy'] }), plan: { units: 20_000 } } },
    );
    expect(report.verdict.kind).toBe('roll-back');
  });

  it('tests the split at every look while an experiment runs', () => {
    const odd = summaryOf([side('old', 5_000), side('new', 4_640)], [0.5, 0.5]);
    // chi-squared 13.4, p = 0.00025 at one look: at every look the evidence is thinner.
    const once = runChecks(odd, none).sampleRatio;
    const watched = runChecks(odd, { ...none, isWatched: true }).sampleRatio;
    expect(once.ok).toBe(false);
    expect(watched).toMatchObject({ ok: true, text: expect.stringContaining('at every look') });
    expect(watched.pValue).toBeGreaterThan(once.pValue as number);
    expect(watched.numbers?.fixedHorizonPValue).toBe(once.pValue);
    const broken = summaryOf([side('old', 5_000), side('new', 4_200)], [0.5, 0.5]);
    expect(runChecks(broken, { ...none, isWatched: true }).sampleRatio.ok).toBe(false);
  });
});
