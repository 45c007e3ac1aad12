import { describe, expect, it } from 'vitest';
import type { EvidenceHealth, ExperimentSummary } from '../evidence/index.ts';
import { checkSampleRatio, expectedShares, runChecks } from './checks.ts';
import { checkCode } from './findings.ts';
import { makeReport } from './make-report.ts';
import { mean, quietHealth, specification, summaryOf, variant } from './summary.fixture.ts';

const none = { elapsedMs: undefined, minDurationMs: undefined, planChanges: [] };
const health = (change: Partial<EvidenceHealth>): EvidenceHealth => ({ ...quietHealth, ...change });
const summary = (change: Partial<ExperimentSummary>): ExperimentSummary => ({
  ...summaryOf([variant('old', 100, {}), variant('new', 100, {})]),
  ...change,
});

describe('the sample-ratio check', () => {
  it('agrees with the published example of Kohavi, Tang and Xu, chapter 3', () => {
    const check = checkSampleRatio([{ epoch: 0, shares: { a: 0.5, b: 0.5 }, units: { a: 821_588, b: 815_482 } }]);
    expect(check.pValue).toBeCloseTo(1.82e-6, 8);
    expect(check.ok).toBe(false);
  });

  it('gives a variant with share 0 no degree of freedom', () => {
    // [1000, 1100, 0] against [.5, .5, 0]: p = .0291 with one degree of freedom, .0925 with two
    const check = checkSampleRatio([{ epoch: 0, shares: { a: 0.5, b: 0.5, c: 0 }, units: { a: 1000, b: 1100, c: 0 } }]);
    expect(check.pValue).toBeCloseTo(0.0291, 4);
    expect(check.numbers?.df).toBe(1);
  });

  it('is broken by a single unit where none was allowed', () => {
    const check = checkSampleRatio([{ epoch: 0, shares: { a: 0.5, b: 0.5 }, units: { a: 50, b: 50, c: 1 } }]);
    expect(check.ok).toBe(false);
    expect(check.pValue).toBe(0);
    expect(check.text).toContain('where none were allowed');
  });

  it('adds epochs, each against its own shares', () => {
    const check = checkSampleRatio([
      { epoch: 1, shares: { a: 0.9, b: 0.1 }, units: { a: 900, b: 100 } },
      { epoch: 2, shares: {}, units: { a: 70 } },
      { epoch: 3, shares: { a: 0.5, b: 0.5 }, units: { a: 520, b: 480 } },
    ]);
    expect(check.numbers).toMatchObject({ df: 2 });
    expect(check.numbers?.statistic).toBeCloseTo(1.6, 12);
    // exp(-1.6 / 2), the survival function of chi-squared with two degrees of freedom
    expect(check.pValue).toBeCloseTo(Math.exp(-0.8), 12);
  });

  it('weights expected shares by the units of each epoch', () => {
    expect(
      expectedShares([
        { epoch: 1, shares: { a: 0.9, b: 0.1 }, units: { a: 290, b: 10 } },
        { epoch: 2, shares: { a: 0.5, b: 0.5 }, units: { a: 50, b: 50 } },
      ]),
    ).toEqual({ a: 0.8, b: 0.2 });
    expect(expectedShares([{ epoch: 1, shares: { a: 0.7, b: 0.3 }, units: {} }])).toEqual({ a: 0.7, b: 0.3 });
  });
});

describe('the checks', () => {
  it.each<[string, ExperimentSummary, string]>([
    ['severalVariants', summary({ health: health({ unitsInSeveralVariants: 9 }) }), '9 units (4.5 %)'],
    [
      'outcomeJoin',
      summary({ health: health({ outcomes: { received: 110, duplicates: 10, joined: 80, orphans: 20, late: 0 } }) }),
      'Of 100 outcomes 80 joined a prediction, 20 found none',
    ],
    ['uncleanShutdown', summary({ health: health({ uncleanShutdowns: 1 }) }), '1 writer ended without closing'],
    [
      'fallback',
      summary({ variants: [variant('old', 100, {}), { ...variant('new', 100, {}), fallback: 5 }] }),
      "5 of new's requests (5.0 %)",
    ],
    [
      'maturity',
      summary({ variants: [variant('old', 100, {}), { ...variant('new', 100, {}), waiting: { accuracy: 40 } }] }),
      "40 of new's predictions (40.0 %) still wait",
    ],
  ])('%s fails with its numbers in a sentence', (name, broken, sentence) => {
    expect(runChecks(summary({ health: health({}) }), none)[name]?.ok).toBe(true);
    expect(runChecks(broken, none)[name]).toMatchObject({ ok: false, text: expect.stringContaining(sentence) });
  });

  it('tell a short run from a long one, and both from one without times', () => {
    const run = (elapsedMs: number | undefined) =>
      runChecks(summary({}), { ...none, elapsedMs, minDurationMs: 48 * 3_600_000 }).minDuration;
    expect(run(47 * 3_600_000)).toMatchObject({ ok: false, text: expect.stringContaining('47 h under its own plan') });
    expect(run(48 * 3_600_000)).toMatchObject({ ok: true });
    expect(run(undefined)).toMatchObject({ ok: false, text: expect.stringContaining('no times') });
  });

  it('show a plan that was changed after the start', () => {
    const changed = runChecks(summary({}), { ...none, planChanges: ['primary was "a > 1"'] }).planUnchanged;
    expect(changed).toMatchObject({ ok: false, text: 'Changed after the start: primary was "a > 1".' });
  });

  it('ask nothing of a log that is not there', () => {
    expect(Object.keys(runChecks(summary({ health: null }), none))).toEqual(['sampleRatio']);
  });
});

describe('an experiment in which nothing is as it should be', () => {
  const covered = (n: number, covariate: number) => ({
    ...mean(n, 0.7, 1),
    adjusted: {
      n,
      mean: [0.7, covariate],
      m2: [
        [n - 1, 0],
        [0, n - 1],
      ],
    },
  });
  const side = (name: string, units: number, measured: number, covariate: number) => ({
    ...variant(name, units, { revenue: covered(measured, covariate) }),
    fallback: units / 4,
    waiting: { revenue: units },
  });
  const hour = 3_600_000;
  const broken: ExperimentSummary = {
    ...summaryOf([side('old', 5_000, 4_900, 1), side('new', 4_000, 3_000, 1.5)], [0.5, 0.5]),
    segments: [
      {
        segment: 'page',
        value: 'home',
        variants: [variant('old', 3_000, {}), variant('new', 2_000, {})],
      },
    ],
    series: {
      widthMs: hour,
      points: [1, 2, 6, 7].map((at) => ({
        metric: 'revenue',
        variant: 'old',
        atMs: at * hour,
        n: 500,
        moments: {
          n: 500,
          mean: [1, 1],
          m2: [
            [0, 0],
            [0, 0],
          ],
        },
      })),
    },
    health: health({
      unitsInSeveralVariants: 2_000,
      outcomes: { received: 1_000, duplicates: 0, joined: 400, orphans: 500, late: 100 },
      namespace: { outcomes: 1_000, orphans: 500 },
      modelUsed: { compared: 100, mismatched: 50 },
      variantServed: { compared: 100, mismatched: 50 },
      uncleanShutdowns: 2,
      expired: 700,
    }),
  };
  const options = {
    experiment: {
      ...specification({ primary: ['revenue > control.revenue'], minDurationMs: 48 * hour, method: 'fixed' }),
      plan: { units: 20_000 },
    },
    startedAtMs: 0,
    nowMs: 30 * hour,
    planChanges: ['primary was "revenue > 1"'],
  };
  const report = makeReport(broken, options);

  it('every check says so by a code, a sentence, numbers and what to do', () => {
    expect(Object.keys(report.checks).sort()).toEqual(
      [
        ...[
          'covariates',
          'expired',
          'fallback',
          'gaps',
          'joinRates',
          'maturity',
          'minDuration',
          'modelUsed',
          'orphans',
        ],
        ...['outcomeJoin', 'peeking', 'planUnchanged', 'sampleRatio', 'segmentRatio', 'severalVariants'],
        ...['uncleanShutdown', 'variantServed', 'wholeWeeks'],
      ].sort(),
    );
    const codes = report.findings.map(({ code }) => code);
    for (const [name, check] of Object.entries(report.checks)) {
      expect(check.ok, name).toBe(false);
      expect(check.text, name).toMatch(/^.{20,}[.:]/s);
      expect(Object.values(check.numbers ?? {}).length, name).toBeGreaterThan(0);
      for (const value of Object.values(check.numbers ?? {})) expect(Number.isFinite(value), name).toBe(true);
      expect(check.fix, name).toMatch(/^[A-Z].{15,}\.$/);
      expect(checkCode(name), name).toMatch(/^[a-z]+(-[a-z]+)+$|^peeking$/);
      expect(codes, name).toContain(checkCode(name));
    }
    expect(new Set(codes).size).toBe(codes.length);
  });

  it('is invalid, and would not ship for any check that blocks', () => {
    expect(report.verdict.kind).toBe('invalid');
    const blocking = Object.entries(report.checks).flatMap(([name, { blocks }]) => (blocks ? [name] : []));
    expect(blocking.sort()).toEqual(
      [
        ...['covariates', 'fallback', 'maturity', 'modelUsed', 'peeking', 'segmentRatio', 'severalVariants'],
        'variantServed',
      ].sort(),
    );
  });
});
