// What is an arm worth, when the data themselves moved the chances of the arms (bandits, shifting traffic)?
import {
  bounded,
  type Estimate,
  type Insufficient,
  insufficient,
  type TestOptions,
  type TestResult,
} from './interval.ts';
import { normal } from './normal.ts';
import { refuse, requireAlpha, requireFinite } from './precondition.ts';
import { twoSidedTest } from './two-sided-test.ts';

/** One decision, in the order in which they were made. */
export interface AdaptiveStep {
  /** The arm that was chosen. */
  readonly arm: string;
  /** The chance each arm really had at this decision, fixed before its outcome; the arms asked about need one in (0, 1]. */
  readonly chances: Readonly<Record<string, number>>;
  /** What the chosen arm brought. */
  readonly value: number;
}

/**
 * How a step counts: `uniform` (1), `sqrt` (the root of the arm's chance, steadies the variance) or `chance` (the chance
 * itself). With chances that keep shrinking only `sqrt` and `chance` give an estimate that is near normal.
 */
export type AdaptiveWeights = 'uniform' | 'sqrt' | 'chance';

/** Options of estimates from adaptively collected data. */
export interface AdaptiveOptions extends TestOptions {
  /** Default `sqrt`. */
  readonly weights?: AdaptiveWeights;
}

/**
 * Mean of one arm from adaptively collected data: each step's augmented inverse-chance score (around the arm's mean so
 * far, 0 before any), averaged with weights that follow the chances. A plain mean of the chosen steps is biased downwards.
 * Valid when the chances are those really used, and the arm keeps getting some (say 30 choices or more of it).
 * Insufficient when the arm was chosen fewer than twice or its scores do not vary.
 * @param options `arm`: whose mean
 * @throws RangeError when alpha is outside (0, 1), a chance of the arm is not in (0, 1], or a value is not finite.
 * @see Hadad, Hirshberg, Zhan, Wager & Athey 2021, PNAS 118(15) (adaptively weighted AIPW estimator)
 */
export function adaptiveMean(
  steps: readonly AdaptiveStep[],
  options: AdaptiveOptions & { readonly arm: string },
): Estimate | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const weights = requireWeights(options.weights ?? 'sqrt');
  const mean = weighted(steps, { arm: options.arm, weights });
  if (mean.kind === 'insufficient') return mean;
  const margin = normal.isf(alpha / 2) * mean.standardError;
  return {
    kind: 'estimated',
    method: `adaptively weighted mean, ${weights} weights`,
    estimate: mean.estimate,
    standardError: mean.standardError,
    interval: bounded(mean.estimate - margin, mean.estimate + margin),
  };
}

/**
 * z-test of the difference of two arms' adaptively weighted means; the squared standard errors add up, because what
 * binds the two scores fades as their running means settle.
 * Valid and insufficient as `adaptiveMean`, for each of both arms.
 * @param options `control` and `candidate`: names of the arms
 * @throws RangeError as `adaptiveMean`, and when both names are the same.
 * @see Hadad et al. 2021 (contrasts of arms)
 */
export function compareAdaptiveMeans(
  steps: readonly AdaptiveStep[],
  options: AdaptiveOptions & { readonly control: string; readonly candidate: string },
): TestResult | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const weights = requireWeights(options.weights ?? 'sqrt');
  if (options.control === options.candidate) refuse('candidate', options.candidate, 'another arm than the control');
  const before = weighted(steps, { arm: options.control, weights });
  if (before.kind === 'insufficient') return before;
  const after = weighted(steps, { arm: options.candidate, weights });
  if (after.kind === 'insufficient') return after;
  const standardError = Math.hypot(before.standardError, after.standardError);
  return twoSidedTest(
    { control: before.estimate, candidate: after.estimate },
    { method: `z-test of adaptively weighted means, ${weights} weights`, standardError, alpha },
  );
}

function requireWeights(weights: AdaptiveWeights): AdaptiveWeights {
  if (weights !== 'uniform' && weights !== 'sqrt' && weights !== 'chance')
    refuse('weights', weights, 'uniform, sqrt or chance');
  return weights;
}

function weighted(
  steps: readonly AdaptiveStep[],
  options: { readonly arm: string; readonly weights: AdaptiveWeights },
): { readonly kind: 'mean'; readonly estimate: number; readonly standardError: number } | Insufficient {
  const { arm, weights } = options;
  let chosen = 0;
  let running = 0;
  let total = 0;
  let sum = 0;
  const scores: number[] = [];
  const shares: number[] = [];
  for (const [i, step] of steps.entries()) {
    const chance = Object.hasOwn(step.chances, arm) ? step.chances[arm]! : Number.NaN;
    if (!(chance > 0 && chance <= 1)) refuse(`steps[${i}].chances.${arm}`, chance, 'in (0, 1]');
    requireFinite(`steps[${i}].value`, step.value);
    const isChosen = step.arm === arm;
    const score = running + (isChosen ? (step.value - running) / chance : 0);
    const share = weights === 'uniform' ? 1 : weights === 'sqrt' ? Math.sqrt(chance) : chance;
    scores.push(score);
    shares.push(share);
    total += share;
    sum += share * score;
    // Only outcomes of earlier steps may enter a score, so the mean moves after it was used.
    if (isChosen) {
      chosen += 1;
      running += (step.value - running) / chosen;
    }
  }
  if (chosen < 2) return insufficient(`arm ${arm} was chosen ${chosen === 0 ? 'never' : 'once'}, two are needed`);
  const estimate = sum / total;
  let squares = 0;
  for (const [i, score] of scores.entries()) squares += (shares[i]! * (score - estimate)) ** 2;
  if (!(squares > 0)) return insufficient(`the scores of arm ${arm} do not vary, so the noise cannot be estimated`);
  return { kind: 'mean', estimate, standardError: Math.sqrt(squares) / total };
}
