import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ends, nearWithin, sure } from './answer.fixture.ts';
import { calibrationError, calibrationOf, mergeCalibrations } from './calibration-error.ts';
import { cohensKappa, type KappaWeights } from './kappa.ts';
import { estimateMean } from './means.ts';
import quality from './model-quality.fixture.json' with { type: 'json' };
import reference from './models.fixture.json' with { type: 'json' };
import { momentsOf } from './moments.ts';
import { brierScore, classificationRates, logLoss } from './probability-scores.ts';
import { createRandom } from './random.ts';
import { hit, ndcg, reciprocalRank } from './ranking.ts';
import { mergeRegressionErrors, pinballLoss, regressionErrorsOf, regressionQuality } from './regression-error.ts';
import { compareRocAreas, rocArea } from './roc-area.ts';

const alpha = 0.05;
const near = nearWithin(1e-9);

describe('scores of probabilities', () => {
  const probabilities = [0.1, 0.4, 0.35, 0.8, 0.9, 0.65];
  const labels = [0, 0, 1, 1, 1, 0] as const;

  it('Brier and log loss give the published means', () => {
    const brier = momentsOf(probabilities.map((p, i) => brierScore(p, labels[i]!)));
    near(brier.mean, 0.1775);
    near(momentsOf(probabilities.map((p, i) => logLoss(p, labels[i]!))).mean, 0.5073890758988681);
    expect(estimateMean(brier, { alpha }).kind).toBe('estimated');
  });

  it('log loss of certainty is large, not infinite, and bad input is refused', () => {
    near(logLoss(0, 1), -Math.log(1e-15));
    near(logLoss(1, 0, { least: 0.01 }), -Math.log(0.01));
    expect(() => brierScore(1.5, 1)).toThrow(new RangeError('probability is 1.5, must be in [0, 1]'));
    expect(() => logLoss(0.5, 2 as 1)).toThrow('label is 2, must be 0 or 1');
  });

  it('rates of a classifier are proportions, and F1 is the harmonic mean of two of them', () => {
    const counts = { truePositives: 40, falsePositives: 10, trueNegatives: 35, falseNegatives: 15 };
    const rates = classificationRates(counts, { alpha });
    const [precision, recall, f1] = [sure(rates.precision), sure(rates.recall), sure(rates.f1)];
    near(sure(rates.accuracy).estimate, 0.75);
    near(f1.estimate, (2 * precision.estimate * recall.estimate) / (precision.estimate + recall.estimate));
    expect(ends(f1)[0]).toBeLessThan(f1.estimate);
    expect(ends(f1)[1]).toBeGreaterThan(f1.estimate);
    const none = classificationRates(
      { truePositives: 0, falsePositives: 0, trueNegatives: 3, falseNegatives: 0 },
      { alpha },
    );
    expect(none.f1).toMatchObject({ kind: 'insufficient', reason: 'no row is positive or called positive' });
    expect(none.specificity.kind).toBe('estimated');
  });
});

describe('area under the ROC curve', () => {
  const labels = reference.labels as (0 | 1)[];
  const { s100b, ndka, wfns } = reference;

  it('and its error agree with pROC on the aneurysm data', () => {
    const areas = reference['areas s100b ndka wfns'];
    const variances = reference['var s100b ndka wfns'];
    for (const [i, scores] of [s100b, ndka, wfns].entries()) {
      const got = sure(rocArea({ labels, scores }, { alpha }));
      near(got.estimate, areas[i]!);
      near(got.standardError ** 2, variances[i]!);
    }
    const [lower, upper] = ends(sure(rocArea({ labels, scores: s100b }, { alpha })));
    near(lower, reference['ci s100b'][0]!);
    near(upper, reference['ci s100b'][1]!);
    expect(lower).toBeCloseTo(0.630118, 6);
    expect(upper).toBeCloseTo(0.832619, 6);
  });

  it('paired comparison gives the published Z, p, variance and covariance', () => {
    const got = sure(compareRocAreas({ labels, control: s100b, candidate: wfns }, { alpha }));
    near(got.candidate, 0.823678861788618);
    near(got.control, 0.731368563685637);
    near(got.statistic, 2.20898359144091);
    near(got.pValue, 0.0271757822291882);
    near(got.covariance, 0.00119615567376754);
    near(sure(rocArea({ labels, scores: s100b }, { alpha })).standardError ** 2, 0.00266868245717244);
    const other = sure(compareRocAreas({ labels, control: s100b, candidate: ndka }, { alpha }));
    near(other.statistic, reference['ndka against s100b: z p'][0]!);
    near(other.pValue, reference['ndka against s100b: z p'][1]!);
  });

  it('swapping models flips signs, turning the scores round mirrors the area, and any rising change leaves it', () => {
    const rows = fc.array(fc.tuple(fc.constantFrom(0 as const, 1 as const), fc.nat(8), fc.nat(8)), {
      minLength: 8,
      maxLength: 40,
    });
    fc.assert(
      fc.property(rows, (some) => {
        const own = some.map(([label]) => label);
        const one = some.map(([, score]) => score);
        const two = some.map(([, , score]) => score);
        const there = compareRocAreas({ labels: own, control: one, candidate: two }, { alpha });
        if (there.kind === 'insufficient') return;
        const back = sure(compareRocAreas({ labels: own, control: two, candidate: one }, { alpha }));
        expect(back.difference).toBeCloseTo(-there.difference, 12);
        expect(back.pValue).toBeCloseTo(there.pValue, 12);
        const turned = compareRocAreas(
          { labels: own, control: one.map((x) => -x), candidate: two.map((x) => Math.exp(x)) },
          { alpha },
        );
        if (turned.kind === 'insufficient') return;
        expect(turned.control).toBeCloseTo(1 - there.control, 12);
        expect(turned.candidate).toBeCloseTo(there.candidate, 12);
      }),
      { seed: 8 },
    );
  });

  it('of a perfect model is insufficient, not sure, and bad input is refused', () => {
    expect(rocArea({ labels: [0, 0, 1, 1], scores: [1, 2, 3, 4] }, { alpha })).toMatchObject({
      reason: 'every row is placed alike at area 1, so the noise cannot be estimated',
    });
    expect(rocArea({ labels: [0, 1, 1], scores: [1, 2, 3] }, { alpha })).toMatchObject({ kind: 'insufficient' });
    expect(() => rocArea({ labels: [0, 1], scores: [1] }, { alpha })).toThrow(
      'scores.length is 1, must be 2 as in labels',
    );
    const scores = [1, 3, 2, 4];
    expect(compareRocAreas({ labels: [0, 0, 1, 1], control: scores, candidate: scores }, { alpha })).toMatchObject({
      kind: 'insufficient',
    });
  });
});

describe('calibration', () => {
  const random = createRandom('calibration');
  const rows = Array.from({ length: 400 }, () => {
    const probability = random.uniform();
    return { probability, label: (random.uniform() < probability ? 1 : 0) as 0 | 1 };
  });

  it('merging pieces in any order equals one pass', () => {
    const whole = calibrationOf(rows, 10);
    const pieces = [rows.slice(300), rows.slice(0, 120), rows.slice(120, 300)].map((piece) => calibrationOf(piece, 10));
    const merged = mergeCalibrations(mergeCalibrations(pieces[0]!, pieces[1]!), pieces[2]!);
    expect(merged.bins.map(({ n, observed }) => [n, observed])).toEqual(
      whole.bins.map(({ n, observed }) => [n, observed]),
    );
    near(sure(calibrationError(merged)).expected, sure(calibrationError(whole)).expected);
    expect(() => mergeCalibrations(whole, calibrationOf([], 5))).toThrow('b.bins.length is 5, must be 10 as in a');
  });

  it('a calibrated model is not rejected, one that is too sure is, and the error is what was put in', () => {
    const honest = sure(calibrationError(calibrationOf(rows, 10))).test;
    if ('kind' in honest) throw new Error(honest.reason);
    expect(honest.pValue).toBeGreaterThan(0.01);
    const bold = rows.map(({ probability, label }) => ({ probability: probability < 0.5 ? 0.02 : 0.98, label }));
    const test = sure(calibrationError(calibrationOf(bold, 10))).test;
    if ('kind' in test) throw new Error(test.reason);
    expect(test.pValue).toBeLessThan(1e-10);
    expect(test.statistic).toBeGreaterThan(0);
    const flat = Array.from({ length: 100 }, (_, i) => ({ probability: 0.7, label: (i < 60 ? 1 : 0) as 0 | 1 }));
    const error = sure(calibrationError(calibrationOf(flat, 10)));
    expect([error.expected, error.largest, error.bias]).toEqual([0.1, 0.1, -0.1].map((x) => expect.closeTo(x, 12)));
    // Spiegelhalter's z by hand: (60 * .3 - 40 * .7) * -.4 / sqrt(100 * .16 * .21).
    const z = sure(calibrationError(calibrationOf(flat, 10))).test;
    if ('kind' in z) throw new Error(z.reason);
    near(z.statistic, 4 / Math.sqrt(3.36));
  });

  it('is insufficient without rows, and its test where all predictions are certain', () => {
    expect(calibrationError(calibrationOf([], 10))).toMatchObject({ kind: 'insufficient' });
    expect(sure(calibrationError(calibrationOf([{ probability: 1, label: 1 }], 10))).test).toMatchObject({
      kind: 'insufficient',
    });
    expect(() => calibrationOf([], 0)).toThrow('bins is 0, must be a whole number > 0');
  });
});

describe("Cohen's kappa", () => {
  it.each(quality.kappa)('agrees with statsmodels: $weights, $table', (row) => {
    const got = sure(cohensKappa(row.table, { alpha, weights: row.weights as KappaWeights }));
    near(got.estimate, row.kappa);
    near(got.standardError, row.se);
    near(got.statistic, row.kappa / row.se0);
  });

  it('does not care which rater is first, and is insufficient where chance agrees fully', () => {
    const table = [
      [12, 3, 1],
      [4, 20, 2],
      [0, 6, 9],
    ];
    const turned = table.map((_, i) => table.map((row) => row[i]!));
    const [one, two] = [table, turned].map((t) => sure(cohensKappa(t, { alpha, weights: 'linear' })));
    near(one!.estimate, two!.estimate);
    near(one!.standardError, two!.standardError);
    expect(
      cohensKappa(
        [
          [5, 0],
          [0, 0],
        ],
        { alpha },
      ),
    ).toMatchObject({ kind: 'insufficient' });
    expect(
      cohensKappa(
        [
          [5, 0],
          [0, 5],
        ],
        { alpha },
      ),
    ).toMatchObject({ kind: 'insufficient' });
    expect(
      cohensKappa(
        [
          [0, 0],
          [0, 0],
        ],
        { alpha },
      ),
    ).toMatchObject({ reason: 'there are no rows yet' });
    expect(() => cohensKappa([[1, 2]], { alpha })).toThrow('table.length is 1, must be >= 2');
  });
});

describe('errors of numbers', () => {
  const rows = [3, -1, 2, 0.5, 4, -2.5, 1].map((truth, i) => ({
    prediction: truth + [0.5, -1, 0.25, 0, 2, -0.5, 1][i]!,
    truth,
  }));

  it('are bias, mean absolute and root mean squared error, from merged pieces too', () => {
    const merged = mergeRegressionErrors(regressionErrorsOf(rows.slice(4)), regressionErrorsOf(rows.slice(0, 4)));
    const quality = regressionQuality(merged, { alpha });
    near(sure(quality.bias).estimate, 2.25 / 7);
    near(sure(quality.meanAbsoluteError).estimate, 5.25 / 7);
    near(sure(quality.rootMeanSquaredError).estimate, Math.sqrt((0.25 + 1 + 0.0625 + 4 + 0.25 + 1) / 7));
    const [lower, upper] = ends(sure(quality.rootMeanSquaredError));
    expect(lower).toBe(0);
    const mean = sure(estimateMean(regressionErrorsOf(rows).squared, { alpha }));
    near(upper, Math.sqrt(ends(mean)[1]));
    expect(regressionQuality(regressionErrorsOf([]), { alpha }).bias).toMatchObject({ kind: 'insufficient' });
  });

  it('mean pinball loss is least at the quantile', () => {
    const truths = Array.from({ length: 101 }, (_, i) => i);
    const loss = (prediction: number) =>
      truths.reduce((sum, truth) => sum + pinballLoss({ prediction, truth }, 0.9), 0) / truths.length;
    const best = truths.reduce((least, candidate) => (loss(candidate) < loss(least) ? candidate : least));
    expect(best).toBe(90);
    near(pinballLoss({ prediction: 3, truth: 5 }, 0.9), 1.8);
    near(pinballLoss({ prediction: 5, truth: 3 }, 0.9), 0.2);
    expect(() => pinballLoss({ prediction: 1, truth: 1 }, 1)).toThrow('level is 1, must be in (0, 1)');
  });
});

describe('ranked lists', () => {
  it('NDCG of the textbook list, with linear and exponential gain', () => {
    // Jarvelin & Kekalainen's example as retold everywhere: relevances 3 2 3 0 1 2.
    const shown = [3, 2, 3, 0, 1, 2];
    expect(ndcg(shown, { k: 6 })).toBeCloseTo(0.9608081943360617, 12);
    expect(ndcg(shown, { k: 6, gain: 'exponential' })).toBeCloseTo(0.9488107485678985, 12);
    expect(ndcg([2, 0], { k: 2, all: [2, 2, 1] })).toBeCloseTo(2 / (2 + 2 / Math.log2(3)), 12);
  });

  it('is 1 for the best order only, and never rises when a better item is put behind a worse one', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(4), { minLength: 2, maxLength: 8 }), fc.integer({ min: 1, max: 8 }), (shown, k) => {
        const value = ndcg(shown, { k });
        if (typeof value !== 'number') return;
        const best = ndcg(
          [...shown].sort((a, b) => b - a),
          { k },
        );
        expect(best).toBeCloseTo(1, 12);
        const worse = [...shown];
        if (worse[0]! > worse[1]!) [worse[0], worse[1]] = [worse[1]!, worse[0]!];
        expect(ndcg(worse, { k }) as number).toBeLessThanOrEqual(value + 1e-12);
      }),
      { seed: 9 },
    );
  });

  it('hits and reciprocal ranks look at the first k places only', () => {
    expect(hit([0, 0, 1], { k: 2 })).toBe(0);
    expect(hit([0, 0, 1], { k: 3 })).toBe(1);
    expect(reciprocalRank([0, 0, 1], { k: 3 })).toBeCloseTo(1 / 3, 15);
    expect(reciprocalRank([0, 0, 1], { k: 2 })).toBe(0);
    expect(ndcg([0, 0], { k: 2 })).toMatchObject({ kind: 'insufficient' });
    expect(() => ndcg([1, -1], { k: 2 })).toThrow('shown[1] is -1, must be finite and >= 0');
    expect(() => hit([1], { k: 0 })).toThrow('k is 0, must be a whole number > 0');
    expect(() => ndcg([2, 2], { k: 2, all: [2, 0] })).toThrow(/must be at most 1/);
  });
});
