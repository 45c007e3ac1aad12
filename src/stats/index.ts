// The door of the statistics library: numbers in, numbers out; imports nothing.

export { type AdaptiveStep, type AdaptiveWeights, adaptiveMean, compareAdaptiveMeans } from './adaptive-inference.ts';
export { type Spending, spentBy } from './alpha-spending.ts';
export { type Batch, compareBatches } from './batched-means.ts';
export { type EffectPrior, posteriorOfEffect } from './bayes-normal.ts';
export { type BetaPrior, compareBetaBinomial } from './bayes-proportion.ts';
export { compareGammaPoisson, type EventCount, type RatePosterior } from './bayes-rate.ts';
export { type BestArm, chancesOfBest, sharesWithFloor } from './best-arm.ts';
export { beta, fisherF } from './beta.ts';
export { createBettingSequence, createBettingTest } from './betting-sequence.ts';
export { type CalibrationSummary, calibrationError, calibrationOf, mergeCalibrations } from './calibration-error.ts';
export { type CapBounds, type CappedMoments, capBoundsOf, cappedMomentsOf } from './capping.ts';
export { compareProportions, type ProportionTestResult } from './compare-proportions.ts';
export { type ComplierEffect, complierEffect } from './complier-effect.ts';
export { tunedRho, type WatchedLimit, watchLimit } from './confidence-sequence.ts';
export { constantRateInterval, unitsForConstantRate } from './constant-rate.ts';
export type { ExactRateResult, RateResult } from './count-rates.ts';
export { compareRates, type EventRate, estimateRate, exactRates } from './count-rates.ts';
export { type AdjustedResult, compareAdjustedMeans, compareAdjustedRatios } from './covariate-adjustment.ts';
export { compareDelayedMeans, type DelayedOutcome, delayedMean } from './delayed-mean.ts';
export type { Distribution } from './distribution.ts';
export { compareDistributions, fitsDistribution, populationStability, stabilityIndex } from './drift.ts';
export {
  daysForUnits,
  growthToDecideWatched,
  growthToDecideWithPrior,
  type Traffic,
  watchedInflation,
} from './duration.ts';
export { compareGroupEffects, type EffectGroup, type GroupEffects } from './effect-groups.ts';
export { type EffectRanking, type RankedUnit, rankEffects } from './effect-ranking.ts';
export { arcsineEffect, powerOfArcsine, powerOfChiSquared } from './effect-size-power.ts';
export { estimateAfterStop, type StoppedResult } from './estimate-after-stop.ts';
export type { EstimateDesign, Goal } from './estimate-design.ts';
export { detectableEffect, detectableLift, powerOfEstimate, unitsForEstimate } from './estimate-design.ts';
export { type FisherResult, fisherExact } from './fisher-exact.ts';
export { chiSquared, gamma } from './gamma.ts';
export { gammaExponentialMixture, gammaPoissonMixture } from './gamma-mixture.ts';
export { crossingsUnder, designLooks, type LooksDesign, type LooksOptions } from './group-sequential.ts';
export { type BalanceResult, type CrossoverResult, covariateBalance, crossoverCheck } from './imbalance.ts';
export { type CovariateRows, compareInteracted } from './interacted-regression.ts';
export {
  compareInterleaved,
  creditsOf,
  type InterleavedImpression,
  type InterleavedList,
  type InterleavingResult,
  probabilisticInterleaving,
  slotChances,
  teamDraft,
} from './interleaving.ts';
export type { Estimate, Insufficient, Interval, TestOptions, TestResult } from './interval.ts';
export { cohensKappa, type KappaResult } from './kappa.ts';
export { type Combination, linearCombination, probabilityAbove, type WeightedEstimates } from './linear-combination.ts';
export { type ErrorModel, linearRegression, type Regression } from './linear-regression.ts';
export {
  histogramError,
  histogramFromJson,
  histogramOf,
  histogramQuantile,
  histogramQuantileInterval,
  type LogHistogram,
  mergeHistograms,
} from './log-histogram.ts';
export type { MantelHaenszelOptions, MantelHaenszelResult, RateStratum, SimpsonCheck } from './mantel-haenszel.ts';
export { mantelHaenszel, simpsonCheck } from './mantel-haenszel.ts';
export { compareMeans, comparePairs, estimateMean } from './means.ts';
export { betaBinomialMixture, type MixtureMartingale, normalMixture } from './mixture-martingale.ts';
export type { JointMoments, Moments } from './moments.ts';
export { jointMomentsOf, mergeJointMoments, mergeMoments, momentsOf, varianceOf } from './moments.ts';
export { drawPlanned, type MultileavingPlan, planMultileaving } from './multileaving.ts';
export {
  adjustPValues,
  type Correction,
  falseCoverageLevel,
  selectByEValues,
  selectComparisons,
} from './multiplicity.ts';
export type { MarginOptions, MarginResult } from './non-inferiority.ts';
export { equivalent, notInferior, notInferiorByShare, proportionsNotInferior } from './non-inferiority.ts';
export { normal } from './normal.ts';
export { evaluatePolicy, type LoggedDecision, type OffPolicyResult } from './off-policy.ts';
export { comparePairedModels, type McNemarResult, type PairedOutcomes, watchPairedModels } from './paired-models.ts';
export { designEffect, meanNoise, pairNoise, quantileNoise, ratioNoise } from './pilot-noise.ts';
export { compareStrata, type StratifiedResult, type Stratum } from './post-stratification.ts';
export type { PosteriorComparison } from './posterior.ts';
export type { Aim, MeansDesign, ProportionsDesign, Units } from './power.ts';
export {
  detectableDifference,
  growthToDecide,
  powerOfMeans,
  powerOfProportions,
  unitsForMeans,
  unitsForProportions,
} from './power.ts';
export { type PredictionPoweredMean, predictionPoweredMean } from './prediction-powered.ts';
export { brierScore, type Confusion, classificationRates, logLoss } from './probability-scores.ts';
export { detectableProportion, powerOfRateMargin, unitsForRateMargin } from './proportion-design.ts';
export {
  clopperPearsonInterval,
  estimateProportion,
  newcombeInterval,
  type Proportion,
  scoreInterval,
} from './proportions.ts';
export { compareQuantiles, estimateQuantile, type QuantileSample, quantileOf, quantileSampleOf } from './quantiles.ts';
export { createRandom, type Random } from './random.ts';
export { type RankSumResult, rankSum } from './rank-sum.ts';
export { hit, ndcg, reciprocalRank } from './ranking.ts';
export { powerOfRareEvents, unitsForRareEvents } from './rare-event-power.ts';
export { compareRatios, covarianceOfRatios, estimateRatio, ratioStandardError } from './ratios.ts';
export { mergeRegressionErrors, pinballLoss, regressionErrorsOf, regressionQuality } from './regression-error.ts';
export { type Measured, relativeDifference } from './relative-difference.ts';
export { type LevelPair, relativeLift, relativeLiftOfPairs } from './relative-lift.ts';
export { type LookResult, readLook } from './repeated-interval.ts';
export { compareRocAreas, type PairedScores, rocArea, type ScoredRows } from './roc-area.ts';
export { type SampleRatioResult, sampleRatio, type WatchedSampleRatio, watchSampleRatio } from './sample-ratio.ts';
export { mixtureSprt, type SequentialResult, watchDifference } from './sequential.ts';
export {
  bothMetrics,
  differenceOfMetrics,
  estimatesOfRatios,
  type MetricEstimates,
  type SimulatedValue,
  valueByDelta,
  valueBySimulation,
} from './several-metrics.ts';
export { compareSeveralProportions, type SeveralProportionsResult } from './several-proportions.ts';
export type { MeasuredEffect, ShrunkEffects, WinnerEffect } from './shrinkage.ts';
export { shrinkEffects, winnerEffect } from './shrinkage.ts';
export { type SignedRankResult, signedRank } from './signed-rank.ts';
export { empiricalDistributionBound, stitchedBound } from './stitched-bound.ts';
export { studentT } from './student-t.ts';
export { compareAllPairs, type PairOfMeans, type StudentizedRange, studentizedRange } from './studentized-range.ts';
export type { FollowUp, HorizonOptions, LogRankResult, SurvivalCurve, SurvivalStep } from './survival.ts';
export { logRank, outcomeShare, survivalCurve } from './survival.ts';
export { type SwitchbackPeriod, type SwitchbackResult, switchbackEffect } from './switchback.ts';
export type { TemperedEstimate } from './tempered-weights.ts';
export { watchEventRatio, watchRate } from './watched-rate.ts';
export { binomial, poisson } from './whole-number.ts';
