import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import reference from './adjustment.fixture.json' with { type: 'json' };
import { compareInteracted } from './interacted-regression.ts';
import type { Insufficient } from './interval.ts';
import { type ErrorModel, linearRegression, type Regression } from './linear-regression.ts';
import { compareMeans } from './means.ts';
import { momentsOf } from './moments.ts';
import { createRandom } from './random.ts';

const alpha = 0.05;

function fitted(result: Regression | Insufficient): Regression {
  if (result.kind !== 'fitted') throw new Error(result.reason);
  return result;
}

function agree(got: readonly number[], want: readonly number[], tolerance = 1e-9): void {
  expect(got.length).toBe(want.length);
  got.forEach((value, i) => {
    expect(Math.abs(value / want[i]! - 1), `entry ${i}: ${value} against ${want[i]}`).toBeLessThan(tolerance);
  });
}

const errorsOf = (fit: Regression): number[] => fit.coefficients.map((each) => each.standardError);
const estimatesOf = (fit: Regression): number[] => fit.coefficients.map((each) => each.estimate);
const dfOf = (fit: Regression): number[] => fit.coefficients.map((each) => each.df);
const pOf = (fit: Regression): number[] => fit.coefficients.map((each) => each.pValue);

// R's data set ChickWeight: 578 weights of 50 chicks on four diets; a chick keeps its diet.
const chicks = {
  response: reference['chicks: weight'],
  rows: reference['chicks: diet'].map((diet) => [1, ...[2, 3, 4].map((each) => (diet === each ? 1 : 0))]),
};
const clusters = reference['chicks: chick'];

describe('linearRegression', () => {
  it('agrees with R 4.2 lm and clubSandwich on ChickWeight by chick, CR0 and CR2', () => {
    const simple = fitted(
      linearRegression(chicks, { alpha, errors: { kind: 'clustered', clusters, correction: 'CR0' } }),
    );
    agree(estimatesOf(simple), reference['chicks: coefficients']);
    agree(errorsOf(simple), reference['chicks: CR0 se']);
    agree(pOf(simple), reference['chicks: CR0 p'], 1e-8);
    const corrected = fitted(linearRegression(chicks, { alpha, errors: { kind: 'clustered', clusters } }));
    agree(errorsOf(corrected), reference['chicks: CR2 se']);
    agree(dfOf(corrected), reference['chicks: CR2 df']);
    agree(pOf(corrected), reference['chicks: CR2 p'], 1e-8);
    // The reference list's digits, independent of the fixture's run. Its first CR0 error, 5.90573173191, has lost digits:
    // the intercept is the mean of diet 1, so its CR0 variance is sum (chick's sum of residuals)^2 / n^2, by hand:
    const first = chicks.response.filter((_, i) => chicks.rows[i]!.slice(1).every((value) => value === 0));
    const mean = first.reduce((sum, value) => sum + value, 0) / first.length;
    const perChick = new Map<string, number>();
    for (const [i, weight] of first.entries()) {
      perChick.set(clusters[i]!, (perChick.get(clusters[i]!) ?? 0) + weight - mean);
    }
    const byHand = Math.sqrt([...perChick.values()].reduce((sum, value) => sum + value * value, 0)) / first.length;
    agree(errorsOf(simple), [byHand, 11.1280325656, 10.0961102468, 7.4681876318], 1e-9);
    agree(errorsOf(corrected), [6.0624243699, 11.6444137661, 10.547852235, 7.7364029538]);
  });

  it('agrees with clubSandwich where a covariate varies within clusters, covariances included', () => {
    const rows = chicks.rows.map((row, i) => [...row, reference['chicks: time'][i]!]);
    const fit = fitted(
      linearRegression({ response: chicks.response, rows }, { alpha, errors: { kind: 'clustered', clusters } }),
    );
    agree(estimatesOf(fit), reference['chicks with time: coefficients']);
    agree(errorsOf(fit), reference['chicks with time: CR2 se']);
    agree(dfOf(fit), reference['chicks with time: CR2 df']);
    agree(fit.covariance.flat(), reference['chicks with time: CR2 covariance']);
  });

  it('agrees with R 4.2 lm on the anorexia data, textbook and HC2 errors', () => {
    const before = reference['anorexia: before'];
    // Offset: the response less the weight before.
    const response = reference['anorexia: after'].map((after, i) => after - before[i]!);
    const rows = reference['anorexia: treatment'].map((treatment, i) => [
      1,
      before[i]!,
      treatment === 'Cont' ? 1 : 0,
      treatment === 'FT' ? 1 : 0,
    ]);
    const plain = fitted(linearRegression({ response, rows }, { alpha, errors: { kind: 'equal' } }));
    agree(estimatesOf(plain), reference['anorexia: coefficients']);
    agree(errorsOf(plain), reference['anorexia: se']);
    agree(pOf(plain), reference['anorexia: p'], 1e-8);
    // Published in the help page of MASS::anorexia.
    agree(estimatesOf(plain), [49.771109015, -0.5655388496, -4.0970655281, 4.5630626529], 1e-9);
    agree(errorsOf(plain), [13.390958142, 0.1611823619, 1.893492607, 2.1333359226], 1e-9);
    const uneven = fitted(linearRegression({ response, rows }, { alpha }));
    agree(errorsOf(uneven), reference['anorexia: HC2 se']);
    agree(dfOf(uneven), reference['anorexia: HC2 df']);
  });

  it('with two columns of 0 and 1 HC2 is Welch’s standard error', () => {
    const [a, b] = [
      [3, 1, 4, 1, 5, 9, 2, 6],
      [2, 7, 1, 8, 2, 8, 1, 8, 9],
    ];
    const fit = fitted(
      linearRegression({ response: [...a, ...b], rows: [...a.map(() => [1, 0]), ...b.map(() => [1, 1])] }, { alpha }),
    );
    const welch = compareMeans(momentsOf(a), momentsOf(b), { alpha });
    if (welch.kind !== 'tested') throw new Error(welch.reason);
    agree([fit.coefficients[1]!.estimate, fit.coefficients[1]!.standardError], [welch.difference, welch.standardError]);
  });

  const models: ErrorModel[] = [
    { kind: 'equal' },
    { kind: 'uneven' },
    { kind: 'clustered', clusters: Array.from({ length: 24 }, (_, i) => i % 8) },
    { kind: 'clustered', clusters: Array.from({ length: 24 }, (_, i) => i % 8), correction: 'CR0' },
  ];
  it.each(models)('interval and p-value agree, and units of columns do not matter (%j)', (errors) => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.double({ min: 1e-6, max: 0.5, noNaN: true }),
        fc.constantFrom(-1e6, 1e-3, 0.5, 1e4),
        (seed, level, unit) => {
          const random = createRandom(seed);
          const rows = Array.from({ length: 24 }, () => [1, random.normal(), random.normal() + 3]);
          const response = rows.map((row) => row[1]! * 0.3 + random.normal());
          const fit = fitted(linearRegression({ response, rows }, { alpha: level, errors }));
          for (const { pValue, interval } of fit.coefficients) {
            if (interval.kind !== 'bounded') throw new Error(interval.kind);
            expect(pValue < level).toBe(interval.lower > 0 || interval.upper < 0);
          }
          const scaled = fitted(
            linearRegression(
              { response, rows: rows.map(([one, a, b]) => [one!, a! * unit, b!]) },
              { alpha: level, errors },
            ),
          );
          agree(
            estimatesOf(scaled).map((value, i) => value * (i === 1 ? unit : 1)),
            estimatesOf(fit),
            1e-7,
          );
          agree(pOf(scaled), pOf(fit), 1e-6);
          const order = rows.map((_, i) => rows.length - 1 - i);
          const turned = fitted(
            linearRegression(
              { response: order.map((i) => response[i]!), rows: order.map((i) => rows[i]!) },
              {
                alpha: level,
                errors:
                  errors.kind === 'clustered' ? { ...errors, clusters: order.map((i) => errors.clusters[i]!) } : errors,
              },
            ),
          );
          agree(pOf(turned), pOf(fit), 1e-6);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('holds its level with 12 clusters of uneven size, where rows taken as independent and CR0 do not', () => {
    const random = createRandom('CR2 level');
    const rounds = 1000;
    const alarms = { rows: 0, CR0: 0, CR2: 0 };
    for (let round = 0; round < rounds; round += 1) {
      const rows: number[][] = [];
      const response: number[] = [];
      const keys: number[] = [];
      for (let cluster = 0; cluster < 12; cluster += 1) {
        const level = random.normal();
        const size = 1 + random.integer(16);
        for (let i = 0; i < size; i += 1) {
          rows.push([1, cluster < 5 ? 1 : 0]);
          response.push(level + random.normal());
          keys.push(cluster);
        }
      }
      const p = (errors: ErrorModel): number =>
        fitted(linearRegression({ response, rows }, { alpha, errors })).coefficients[1]!.pValue;
      if (p({ kind: 'uneven' }) < alpha) alarms.rows += 1;
      if (p({ kind: 'clustered', clusters: keys, correction: 'CR0' }) < alpha) alarms.CR0 += 1;
      if (p({ kind: 'clustered', clusters: keys }) < alpha) alarms.CR2 += 1;
    }
    // Three binomial standard errors of 5 % are 2.1 points.
    expect(alarms.CR2 / rounds).toBeLessThan(0.071);
    expect(alarms.CR2 / rounds).toBeGreaterThan(0.02);
    expect(alarms.CR0 / rounds).toBeGreaterThan(0.071);
    expect(alarms.rows / rounds).toBeGreaterThan(0.3);
  });

  it('too little to say is said in a sentence', () => {
    const rows = [
      [1, 2, 4],
      [1, 3, 6],
      [1, 5, 10],
      [1, 8, 16],
    ];
    expect(linearRegression({ response: [1, 2, 3, 5], rows }, { alpha })).toEqual({
      kind: 'insufficient',
      reason: 'column 3 is 0 or a combination of the ones before it',
    });
    expect(linearRegression({ response: [1, 2], rows: rows.slice(0, 2) }, { alpha })).toMatchObject({
      reason: 'there are 2 rows, too few for the columns',
    });
    const two = rows.map((row) => row.slice(0, 2));
    expect(linearRegression({ response: [1, 2], rows: two.slice(0, 2) }, { alpha })).toMatchObject({
      reason: 'there are 2 rows, too few for the columns',
    });
    expect(linearRegression({ response: [3, 4, 6, 9], rows: two }, { alpha })).toMatchObject({
      reason: 'the columns explain every response, so no noise is left',
    });
    expect(
      linearRegression(
        { response: [1, 2, 3, 5], rows: two },
        { alpha, errors: { kind: 'clustered', clusters: [1, 1, 1, 1] } },
      ),
    ).toMatchObject({ reason: 'all rows belong to one cluster, so its noise cannot be estimated' });
  });

  it('a coefficient that one cluster or row decides alone has no known noise', () => {
    const response = [1, 2, 3, 5, 4, 6];
    const treated = [1, 1, 0, 0, 0, 0].map((z) => [1, z]);
    expect(
      linearRegression(
        { response, rows: treated },
        { alpha, errors: { kind: 'clustered', clusters: [1, 1, 2, 2, 3, 3] } },
      ),
    ).toMatchObject({
      reason: 'one row or cluster alone decides the coefficient of column 2, so its noise cannot be estimated',
    });
    const single = response.map((_, i) => [1, i === 0 ? 1 : 0]);
    expect(linearRegression({ response, rows: single }, { alpha })).toMatchObject({
      reason: 'one row or cluster alone decides the coefficient of column 2, so its noise cannot be estimated',
    });
  });

  it('bad input is refused by name, value and rule', () => {
    const model = { response: [1, 2, 4], rows: [[1], [1], [1]] };
    expect(() => linearRegression(model, { alpha: 1.2 })).toThrow(new RangeError('alpha is 1.2, must be in (0, 1)'));
    expect(() => linearRegression({ ...model, response: [1, 2] }, { alpha })).toThrow(
      'response.length is 2, must be 3 as in rows',
    );
    expect(() => linearRegression({ ...model, response: [1, 2, Number.NaN] }, { alpha })).toThrow(
      'response[2] is NaN, must be finite',
    );
    expect(() => linearRegression({ ...model, rows: [[1], [1], [1, 2]] }, { alpha })).toThrow(
      'rows[2].length is 2, must be 1 as in the first row',
    );
    expect(() => linearRegression({ response: [], rows: [] }, { alpha })).toThrow('rows.length is 0, must be > 0');
    expect(() => linearRegression(model, { alpha, errors: { kind: 'clustered', clusters: [1] } })).toThrow(
      'clusters.length is 1, must be 3 as in rows',
    );
  });
});

describe('compareInteracted', () => {
  const rowsOf = (treatment: string): number[][] =>
    reference['anorexia: treatment'].flatMap((each, i) =>
      each === treatment ? [[reference['anorexia: after'][i]!, reference['anorexia: before'][i]!]] : [],
    );

  it('agrees with R 4.2 lm and HC2 on two treatments of anorexia (Lin 2013)', () => {
    const result = compareInteracted({ rows: rowsOf('CBT') }, { rows: rowsOf('FT') }, { alpha });
    if (result.kind !== 'tested') throw new Error(result.reason);
    agree([result.control, result.difference], reference['lin: control effect']);
    agree([result.standardError], reference['lin: HC2 se']);
    agree([result.df!, result.pValue], reference['lin: df p'], 1e-8);
    expect(result.method).toBe("Lin's interacted regression, HC2");
  });

  it('swapping the arms flips the signs, and clusters of one row change nothing', () => {
    const [a, b] = [rowsOf('CBT'), rowsOf('FT')];
    const there = compareInteracted({ rows: a }, { rows: b }, { alpha });
    const back = compareInteracted(
      { rows: b, clusters: b.map((_, i) => `b${i}`) },
      { rows: a, clusters: a.map((_, i) => `a${i}`) },
      { alpha },
    );
    if (there.kind !== 'tested' || back.kind !== 'tested') throw new Error('tested expected');
    agree([back.difference, back.pValue, back.control], [-there.difference, there.pValue, there.candidate]);
    expect(back.method).toBe("Lin's interacted regression, CR2");
  });

  it('an empty side, a covariate that stands still and clusters on one side are answered in words', () => {
    const rows = rowsOf('FT');
    expect(compareInteracted({ rows: [] }, { rows }, { alpha })).toMatchObject({ reason: 'control has no units yet' });
    expect(compareInteracted({ rows: rows.map(([y]) => [y!, 7]) }, { rows }, { alpha }).kind).toBe('insufficient');
    expect(() => compareInteracted({ rows, clusters: rows.map(() => 1) }, { rows }, { alpha })).toThrow(
      `candidate.clusters.length is 0, must be ${rows.length} as in rows`,
    );
  });
});
