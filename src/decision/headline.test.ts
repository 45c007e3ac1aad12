import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { jointMomentsOf } from '../stats/index.ts';
import { makeReport } from './make-report.ts';
import { planned } from './plan.fixture.ts';
import { analyzePublished } from './published-analysis.ts';
import { parsePublished } from './published-parser.ts';
import { mean, proportion, quietHealth, summaryOf, variant } from './summary.fixture.ts';

const example = (kind: string) =>
  analyzePublished(
    parsePublished(JSON.parse(readFileSync(new URL(`../../examples/verdicts/${kind}.json`, import.meta.url), 'utf8'))),
  ).verdict;

describe('the verdict in words', () => {
  it.each([
    ['ship', /^new meets .+\.$/],
    ['roll-back', /^new (breaks the guardrail|is worse than the control)/],
    ['keep-testing', /^new is not yet shown to meet accuracy > control\.accuracy\.$/],
    ['invalid', /^The split is broken, so no conclusion holds\.$/],
    ['no-difference', /do not differ by what matters|does not reach|The plan is over/],
  ])('%s says what was found, why, and what to do', (kind, headline) => {
    const verdict = example(kind);
    expect(verdict.kind).toBe(kind);
    expect(verdict.headline).toMatch(headline);
    expect(verdict.headline.length).toBeLessThanOrEqual(90);
    expect(verdict.because.length).toBeGreaterThan(0);
    expect(verdict.because.length).toBeLessThanOrEqual(2);
    expect(verdict.next).toMatch(/^\S.+\.$/);
    for (const text of [verdict.headline, ...verdict.because]) expect(text).not.toMatch(/significant|winner|trend/);
  });

  it('names the interval in digits, shares as points, and the term that carries the uncertainty', () => {
    const experiment = {
      ...planned('{ primary: [net_value > 2], minDuration: 1d }'),
      value: {
        unit: 'points',
        terms: [
          { name: 'gain', metric: 'score', coefficient: 10, per: 1 },
          { name: 'risk', metric: 'error_rate', coefficient: -1, per: 0.01 },
        ],
      },
    };
    const side = (name: string, score: number) =>
      variant(name, 2000, { score: mean(2000, score, 1), error_rate: proportion(2000, 0.1) });
    const { verdict } = makeReport(summaryOf([side('old', 1), side('new', 1.3)]), { experiment });
    expect(verdict).toMatchObject({ kind: 'keep-testing', headline: 'new is not yet shown to meet net_value > 2.' });
    expect(verdict.because[0]).toMatch(/^net_value > 2: \+3\.0\spoints \(95 %: .+ … .+\), probability 0\.\d+\.$/);
    expect(verdict.because[1]).toMatch(/^9\d % of the uncertainty of the net value comes from risk\.$/);
    expect(verdict.next).toMatch(/^Let it run: a decision is expected at about [\d,]+ units, .+ at this traffic\.$/);
    expect(verdict.outlook?.changes?.[0]).toMatchObject({ criterion: 'net_value > 2', now: 'undecided', limit: 2 });
    expect(verdict.outlook?.changes?.[0]?.units).toBeGreaterThan(4000);
  });
});

describe('the looks of a criterion', () => {
  const hourMs = 3_600_000;
  const at = (hour: number, name: string, values: readonly number[]) => ({
    metric: 'score',
    variant: name,
    atMs: hour * hourMs,
    n: values.length,
    moments: jointMomentsOf(values.map((value) => [value, 1])),
  });
  const rows = (level: number, n = 100): readonly number[] =>
    Array.from({ length: n }, (_, i) => level + (i % 2 === 0 ? 0.5 : -0.5));
  const whole = (level: number) => ({ score: mean(200, level, 0.5), error_rate: proportion(200, 0.01) });
  const summary = {
    ...summaryOf([variant('old', 200, whole(1)), variant('new', 200, whole(1.5))]),
    health: quietHealth,
    series: {
      widthMs: hourMs,
      points: [at(0, 'old', rows(1)), at(1, 'old', rows(1)), at(0, 'new', rows(2)), at(1, 'new', rows(1))],
    },
  };
  const experiment = planned('{ primary: [score - control.score > 0.1], minDuration: 0s }');

  it('are the units so far: estimate and interval of each look, the last being that of the whole', () => {
    const { looks = [], criteria } = makeReport(summary, { experiment });
    expect(looks).toHaveLength(1);
    expect(looks[0]).toMatchObject({ criterion: 'score - control.score > 0.1', variant: 'new', limit: 0.1 });
    expect(looks[0]?.points.map(({ units, estimate }) => [units, estimate])).toEqual([
      [200, expect.closeTo(1, 9)],
      [400, expect.closeTo(0.5, 9)],
    ]);
    expect(looks[0]?.points[0]?.at).toBe(new Date(hourMs).toISOString());
    const [first, last] = looks[0]?.points ?? [];
    if (first?.interval.kind !== 'bounded' || last?.interval.kind !== 'bounded') throw new Error('no intervals');
    expect(last.interval.lower).toBeLessThan(0.5);
    expect(criteria[0]?.estimate).toBeCloseTo(0.5, 9);
  });

  it('are none where shares changed on the way, and at most forty', () => {
    const many = Array.from({ length: 300 }, (_, hour) => [at(hour, 'old', rows(1, 2)), at(hour, 'new', rows(1, 2))]);
    const long = makeReport({ ...summary, series: { widthMs: hourMs, points: many.flat() } }, { experiment });
    expect(long.looks?.[0]?.points.length).toBeLessThanOrEqual(40);
    expect(long.looks?.[0]?.points.at(-1)?.units).toBe(1200);
    const strata = [
      { epochs: [0], shares: { old: 0.5, new: 0.5 }, variants: summary.variants },
      { epochs: [1], shares: { old: 0.1, new: 0.9 }, variants: summary.variants },
    ];
    expect(makeReport({ ...summary, strata }, { experiment })).not.toHaveProperty('looks');
  });
});
