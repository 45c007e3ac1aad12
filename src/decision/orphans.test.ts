import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const source = new URL('../', import.meta.url);

/** Values (not types) that the door of the statistics library exports. */
function methodsOfStats(): readonly string[] {
  const door = readFileSync(new URL('stats/index.ts', source), 'utf8');
  return [...door.matchAll(/^export \{([^}]*)\}/gm)].flatMap(([, names = '']) =>
    names
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '' && !name.startsWith('type ')),
  );
}

/** Everything the product is made of, except the library itself and tests. */
function productText(): string {
  return readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter(
      (path) => path.endsWith('.ts') && !path.startsWith('stats/') && !/\.(test|fixture|contract)\.ts$/.test(path),
    )
    .map((path) => readFileSync(new URL(path, source), 'utf8'))
    .join('\n');
}

/**
 * Methods that no metric kind, switch or report field reaches: for analyses of one's own through `assay/stats`. A method
 * may leave this list when the product begins to use it; a new one may only enter it under a reason.
 */
const forOwnAnalyses: { readonly [reason: string]: readonly string[] } = {
  'planning, before an experiment': [
    'daysForUnits',
    'growthToDecideWithPrior',
    'watchedInflation',
    'arcsineEffect',
    'powerOfArcsine',
    'powerOfChiSquared',
    'detectableEffect',
    'detectableLift',
    'powerOfEstimate',
    'unitsForEstimate',
    'designEffect',
    'meanNoise',
    'pairNoise',
    'quantileNoise',
    'ratioNoise',
    'detectableDifference',
    'growthToDecide',
    'powerOfMeans',
    'powerOfProportions',
    'unitsForMeans',
    'unitsForProportions',
    'detectableProportion',
    'powerOfRateMargin',
    'unitsForRateMargin',
    'powerOfRareEvents',
    'unitsForRareEvents',
    'crossingsUnder',
  ],
  'splits that adapt, and logged decisions': [
    'adaptiveMean',
    'compareAdaptiveMeans',
    'compareBatches',
    'chancesOfBest',
    'sharesWithFloor',
    'evaluatePolicy',
  ],
  'interleaving, switchback and crossover designs': [
    'compareInterleaved',
    'creditsOf',
    'probabilisticInterleaving',
    'slotChances',
    'teamDraft',
    'drawPlanned',
    'planMultileaving',
    'switchbackEffect',
    'crossoverCheck',
  ],
  'rows the evidence store does not hand out: order of arrival, pairs, times, predictions of another model': [
    'createBettingSequence',
    'createBettingTest',
    'compareDelayedMeans',
    'delayedMean',
    'rankEffects',
    'compareInteracted',
    'linearRegression',
    'cohensKappa',
    'watchPairedModels',
    'predictionPoweredMean',
    'brierScore',
    'classificationRates',
    'logLoss',
    'rankSum',
    'signedRank',
    'reciprocalRank',
    'mergeRegressionErrors',
    'pinballLoss',
    'regressionErrorsOf',
    'regressionQuality',
    'compareRocAreas',
    'rocArea',
    'logRank',
    'outcomeShare',
    'survivalCurve',
    'empiricalDistributionBound',
    'calibrationOf',
    'mergeCalibrations',
    'quantileSampleOf',
    'capBoundsOf',
    'cappedMomentsOf',
    'compareStrata',
  ],
  'drift of values one by one, or without their counts': [
    'compareDistributions',
    'fitsDistribution',
    'populationStability',
  ],
  'events per time': [
    'compareGammaPoisson',
    'compareRates',
    'estimateRate',
    'exactRates',
    'gammaExponentialMixture',
    'gammaPoissonMixture',
    'watchEventRatio',
  ],
  'several experiments at once': ['winnerEffect', 'selectByEValues'],
  'other forms of what the report has: criteria carry margins and bands, entries their own interval': [
    'notInferior',
    'notInferiorByShare',
    'proportionsNotInferior',
    'estimateAfterStop',
    'readLook',
    'mixtureSprt',
    'watchDifference',
    'relativeDifference',
    'relativeLift',
    'relativeLiftOfPairs',
    'mantelHaenszel',
    'clopperPearsonInterval',
    'newcombeInterval',
    'compareSeveralProportions',
    'compareAllPairs',
    'studentizedRange',
    'adjustPValues',
    'falseCoverageLevel',
    'linearCombination',
    'bothMetrics',
    'differenceOfMetrics',
  ],
  'building blocks': [
    'spentBy',
    'tunedRho',
    'fisherF',
    'gamma',
    'betaBinomialMixture',
    'normalMixture',
    'stitchedBound',
    'studentT',
    'poisson',
    'jointMomentsOf',
    'mergeJointMoments',
    'mergeMoments',
    'varianceOf',
    'histogramError',
    'histogramFromJson',
    'histogramOf',
    'histogramQuantile',
    'histogramQuantileInterval',
    'mergeHistograms',
  ],
};

describe('the methods of the statistics library', () => {
  it('are used by the product or stand on the list of those for analyses of one’s own', () => {
    const text = productText();
    const orphans = methodsOfStats().filter((name) => !new RegExp(`\\b${name}\\b`).test(text));
    const listed = Object.values(forOwnAnalyses).flat();
    expect(orphans.filter((name) => !listed.includes(name))).toEqual([]);
    expect(listed.filter((name) => !methodsOfStats().includes(name))).toEqual([]);
  });

  it('of a report are at hand: Bayesian, sequential, planned looks, adjusted, by segment, for compliers, paired, calibrated and drifted', () => {
    const text = productText();
    const used = ['posteriorOfEffect', 'compareBetaBinomial', 'watchLimit', 'watchRate', 'watchSampleRatio'];
    const more = ['designLooks', 'selectComparisons', 'compareGroupEffects', 'simpsonCheck', 'complierEffect'];
    const models = ['comparePairedModels', 'comparePairs', 'calibrationError', 'stabilityIndex'];
    for (const name of [...used, ...more, ...models]) expect(text).toMatch(new RegExp(`\\b${name}\\b`));
  });
});
