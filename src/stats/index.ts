// The door of the statistics library: numbers in, numbers out; imports nothing.
export { beta, fisherF } from './beta.ts';
export { constantRateInterval, unitsForConstantRate } from './constant-rate.ts';
export type { Distribution } from './distribution.ts';
export { type FisherResult, fisherExact } from './fisher-exact.ts';
export { chiSquared, gamma } from './gamma.ts';
export type { Estimate, Insufficient, Interval, TestOptions, TestResult } from './interval.ts';
export { type Combination, linearCombination, probabilityAbove, type WeightedEstimates } from './linear-combination.ts';
export { compareMeans, comparePairs, estimateMean } from './means.ts';
export type { JointMoments, Moments } from './moments.ts';
export { jointMomentsOf, mergeJointMoments, mergeMoments, momentsOf, varianceOf } from './moments.ts';
export { normal } from './normal.ts';
export type { Aim, MeansDesign, ProportionsDesign, Units } from './power.ts';
export {
  detectableDifference,
  growthToDecide,
  powerOfMeans,
  powerOfProportions,
  unitsForMeans,
  unitsForProportions,
} from './power.ts';
export {
  clopperPearsonInterval,
  compareProportions,
  estimateProportion,
  newcombeInterval,
  type Proportion,
  scoreInterval,
} from './proportions.ts';
export { compareQuantiles, estimateQuantile, type QuantileSample, quantileOf, quantileSampleOf } from './quantiles.ts';
export { createRandom, type Random } from './random.ts';
export { compareRatios, covarianceOfRatios, estimateRatio, ratioStandardError } from './ratios.ts';
export { type Measured, relativeDifference } from './relative-difference.ts';
export { type SampleRatioResult, sampleRatio, type WatchedSampleRatio, watchSampleRatio } from './sample-ratio.ts';
export { mixtureSprt, type SequentialResult, watchDifference } from './sequential.ts';
export { studentT } from './student-t.ts';
export { binomial, poisson } from './whole-number.ts';
