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

  it('finds units that were not alike before their first exposure', () => {
    const with_ = (covariate: number): ExperimentSummary => {
      const metrics = (center: number) => ({
        revenue: { ...mean(4_000, 0.7, 1), adjusted: adjusted(4_000, center) } as ReturnType<typeof mean>,
      });
      return summaryOf([variant('old', 4_000, metrics(1)), variant('new', 4_000, metrics(covariate))]);
    };
    expect(runChecks(with_(1.01), none).covariates).toMatchObject({ ok: true });
    expect(runChecks(with_(1.1), none).covariates).toMatchObject({ ok: false, blocks: true });
    expect(runChecks(sound, none)).not.toHaveProperty('covariates');
  });

  it('finds a metric of which one variant has values of fewer units', () => {
    const some = (name: string, n: number) => variant(name, 4_000, { accuracy: proportion(n, 0.7) });
    expect(runChecks(summaryOf([some('old', 3_900), some('new', 3_500)]), none).joinRates).toMatchObject({
      ok: false,
      text: expect.stringContaining("87.5 % of new's units have a value of accuracy, 97.5 % of old's"),
    });
    expect(runChecks(summaryOf([some('old', 3_900), some('new', 3_890)]), none).joinRates).toMatchObject({ ok: true });
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
