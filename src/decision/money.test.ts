import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseExperimentFile } from '../experiment/index.ts';
import { makeReport } from './make-report.ts';
import type { MoneyEntry } from './report.ts';
import { expectedLossOf, riskAdjustedNet } from './risk-register.ts';
import { mean, summaryOf, variant } from './summary.fixture.ts';
import { valueWarnings } from './value-findings.ts';

const file = new URL('../../examples/financial-forecast/experiment.yaml', import.meta.url);
const example = parseExperimentFile(readFileSync(file, 'utf8'));

/** Exactly the published differences, with ten thousand units a side: a net value of 3.9 points. */
const summary = {
  ...summaryOf([
    variant('baseline', 10_000, {
      accuracy: { kind: 'proportion', n: 10_000, successes: 7850 },
      latency: mean(10_000, 51, 17),
      error_rate: { kind: 'proportion', n: 10_000, successes: 120 },
    }),
    variant('enhanced', 10_000, {
      accuracy: { kind: 'proportion', n: 10_000, successes: 8210 },
      latency: mean(10_000, 70, 17),
      error_rate: { kind: 'proportion', n: 10_000, successes: 80 },
    }),
  ]),
  control: 'baseline',
};

const moneyOf = (experiment = example): MoneyEntry => {
  const { money } = makeReport(summary, { experiment }).value;
  if (money === undefined || 'kind' in money) throw new Error('no money in the report');
  return money;
};

describe('the value in money', () => {
  it('is that of the published example: 658,825 a year, 1,143 % without risks, 1,006 % with the mean of them', () => {
    const money = moneyOf();
    expect(money.gain).toBeCloseTo(3.9 * 168_929, 3);
    expect(money.gain).toBeCloseTo(658_825, -2);
    expect(money.returnOnCost).toBeCloseTo(11.43, 2);
    expect(money.expectedLoss).toBe(72_500);
    expect((money.net - money.expectedLoss) / money.infrastructure).toBeCloseTo(10.06, 2);
  });

  it('carries the noise of the net value and the risks into a distribution of years', () => {
    const { years, returns, gainInterval, net, expectedLoss, infrastructure, choices } = moneyOf();
    if ('kind' in years || 'kind' in returns || gainInterval.kind !== 'bounded') throw new Error('nothing is known');
    const noise = (gainInterval.upper - gainInterval.lower) / 2 / 1.96;
    // Variance of a risk is p loss^2 - (p loss)^2; of the two-sided one p loss^2.
    const risks = 0.15 * 0.85 * 2e5 ** 2 + 0.05 * 0.95 * 5e4 ** 2 + 0.08 * 0.92 * 5e5 ** 2 + 0.25 * 3e5 ** 2;
    const sd = Math.sqrt(noise ** 2 + risks);
    expect(Math.abs(years.mean - (net - expectedLoss))).toBeLessThan((4 * sd) / Math.sqrt(20_000));
    expect(years.p5).toBeLessThan(years.median);
    expect(years.p95 - years.p5).toBeGreaterThan(2 * sd);
    expect(returns.mean).toBeCloseTo(years.mean / infrastructure, 6);
    expect(choices).toMatchObject({ candidate: expect.any(Number), control: expect.any(Number) });
  });

  it('of a risk that is a range lies about its mean: triangular from low to high', () => {
    const loss = { low: 0, likely: 30, high: 90 } as const;
    const spread = riskAdjustedNet([{ probability: 1, loss }], { gain: 100, cost: 0 });
    expect(expectedLossOf([{ probability: 1, loss }])).toBe(40);
    expect(spread.mean).toBeCloseTo(60, 0);
    // The 95 % quantile of that law: high - sqrt(0.05 x 90 x 60); the 5 % one: sqrt(0.05 x 90 x 30).
    expect(spread.p5).toBeCloseTo(100 - (90 - Math.sqrt(0.05 * 90 * 60)), 0);
    expect(spread.p95).toBeCloseTo(100 - Math.sqrt(0.05 * 90 * 30), 0);
  });

  it('is absent without a money model, and has no return where nothing is spent', () => {
    const { value } = example;
    if (value?.money === undefined) throw new Error('the example has no money');
    const { money, ...bare } = value;
    expect(makeReport(summary, { experiment: { ...example, value: bare } }).value).not.toHaveProperty('money');
    const { infrastructure: _, ...free } = money;
    expect(moneyOf({ ...example, value: { ...bare, money: free } })).toMatchObject({
      infrastructure: 0,
      returnOnCost: { kind: 'insufficient' },
      returns: { kind: 'insufficient' },
    });
  });
});

describe('the units of a value model', () => {
  const findingsOf = (terms: NonNullable<typeof example.value>['terms'], base?: string): readonly string[] => {
    const { money } = example.value ?? {};
    const value = {
      unit: 'points',
      terms,
      ...(money === undefined ? {} : { money: { ...money, ...(base === undefined ? {} : { base }) } }),
    };
    return makeReport(summary, { experiment: { ...example, value } }).findings.map(({ code }) => code);
  };

  it('are questioned where a share is taken by the whole: 3.6 points would be 0.036 there', () => {
    const term = { name: 'lift', metric: 'accuracy', coefficient: 0.5 };
    expect(findingsOf([{ ...term, per: 1 }])).toContain('unit-slip');
    expect(findingsOf([{ ...term, per: 0.01 }])).not.toContain('unit-slip');
    expect(findingsOf([{ name: 'cost', metric: 'latency', coefficient: -0.1, per: 1 }])).not.toContain('unit-slip');
  });

  it('must have one base, and that of the money', () => {
    const lift = { name: 'lift', metric: 'accuracy', coefficient: 0.5, per: 0.01, base: 'percent of revenue' };
    const cost = { name: 'cost', metric: 'latency', coefficient: -0.1, per: 1, base: 'percent of operating cost' };
    expect(findingsOf([lift, cost])).toContain('mixed-bases');
    expect(findingsOf([lift], 'revenue')).not.toContain('base-mismatch');
    expect(findingsOf([lift], 'trading volume')).toContain('base-mismatch');
    // Whoever loads the file is told before anything is measured.
    const loaded = { ...example, value: { unit: 'points', terms: [lift, cost, { ...lift, name: 'slip', per: 1 }] } };
    expect(valueWarnings(loaded).map(({ code }) => code)).toEqual(['mixed-bases', 'unit-slip']);
    expect(valueWarnings(example)).toEqual([]);
  });
});
