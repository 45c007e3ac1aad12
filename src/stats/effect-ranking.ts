// Does a model that predicts each unit's effect rank units rightly, so that treating the best ones first pays?
import { compareGroupEffects, estimateWithTest, type GroupEffects } from './effect-groups.ts';
import { type Estimate, type Insufficient, insufficient, type TestOptions } from './interval.ts';
import { linearRegression } from './linear-regression.ts';
import { momentsOf } from './moments.ts';
import { refuse, requireAlpha, requireFinite } from './precondition.ts';

/** One unit of a randomised test. */
export interface RankedUnit {
  /** Predicted effect, or anything that should rise with it; from a model that has not seen this unit. */
  readonly score: number;
  readonly isCandidate: boolean;
  readonly outcome: number;
}

type Tested = Estimate & { readonly pValue: number };

/** How well a score ranks units by their effect. */
export interface EffectRanking {
  readonly kind: 'ranked';
  readonly method: string;
  /** Best linear predictor: mean effect, and the slope of the effect on the score (1: scores are right in size; 0: they say nothing). */
  readonly average: Tested;
  readonly slope: Tested;
  /** Effects by groups of equal size, lowest scores first. */
  readonly groups: GroupEffects | Insufficient;
  /** Area between the gain of treating best scores first and of treating at random, per unit. */
  readonly qini: Tested;
  /** Gain per unit of all when the best `share` of units by score is treated; shares 0.1, 0.2, ... 1. */
  readonly gains: readonly { readonly share: number; readonly gain: number }[];
}

/** Level, and how many groups. */
export interface EffectRankingOptions extends TestOptions {
  /** 2..100, default 5. */
  readonly groups?: number;
}

/**
 * Judges predicted effects on units whose variant was drawn at one constant chance: best linear predictor, sorted groups,
 * and the Qini coefficient with an interval. Assumes independent units and scores of a model fitted on other units (cross-
 * fitting over folds leaves some dependence that is not counted). Valid with some hundred units of each variant.
 * Units with the same score are treated in proportion.
 * Insufficient when a variant has fewer than two units, or neither scores nor outcomes vary.
 * @throws RangeError when alpha is outside (0, 1), groups is no whole number in 2..100, or a number is not finite.
 * @see Chernozhukov et al. 2018, NBER 24678 (best linear predictor, groups); Radcliffe 2007 (Qini); Yadlowsky et al.
 * 2021, arXiv 2111.07966 (its inference as a rank-weighted average effect)
 */
export function rankEffects(units: readonly RankedUnit[], options: EffectRankingOptions): EffectRanking | Insufficient {
  const alpha = requireAlpha(options.alpha);
  const groups = options.groups ?? 5;
  if (!(Number.isSafeInteger(groups) && groups >= 2 && groups <= 100)) {
    refuse('groups', groups, 'a whole number in 2..100');
  }
  for (const [i, unit] of units.entries()) {
    requireFinite(`units[${i}].score`, unit.score);
    requireFinite(`units[${i}].outcome`, unit.outcome);
  }
  const treated = units.filter(({ isCandidate }) => isCandidate).length;
  if (Math.min(treated, units.length - treated) < 2) return insufficient('a variant has fewer than two units');
  const sorted = [...units].sort((a, b) => a.score - b.score);
  const linear = bestLinearPredictor(sorted, alpha);
  if (linear.kind === 'insufficient') return linear;
  const { qini, gains } = qiniOf(sorted, alpha);
  if (qini.kind === 'insufficient') return qini;
  return {
    kind: 'ranked',
    method: 'best linear predictor, sorted groups and Qini coefficient',
    average: linear.average,
    slope: linear.slope,
    groups: compareGroupEffects(groupsOf(sorted, groups), { alpha }),
    qini,
    gains,
  };
}

/** Outcome on score, treatment - share, and their product: the last two coefficients are mean effect and slope. */
function bestLinearPredictor(
  units: readonly RankedUnit[],
  alpha: number,
): { readonly kind: 'linear'; readonly average: Tested; readonly slope: Tested } | Insufficient {
  const share = shareOf(units);
  const centre = momentsOf(units.map(({ score }) => score)).mean;
  const rows = units.map(({ score, isCandidate }) => {
    const treatment = (isCandidate ? 1 : 0) - share;
    return [1, score - centre, treatment, treatment * (score - centre)];
  });
  const fit = linearRegression(
    { response: units.map(({ outcome }) => outcome), rows },
    { alpha, errors: { kind: 'uneven' } },
  );
  if (fit.kind === 'insufficient') return fit;
  const tested = (i: number, method: string): Tested => {
    const { estimate, standardError, interval, pValue } = fit.coefficients[i]!;
    return { kind: 'estimated', method, estimate, standardError, interval, pValue };
  };
  return {
    kind: 'linear',
    average: tested(2, 'mean effect, HC2'),
    slope: tested(3, 'slope of the effect on the score, HC2'),
  };
}

function shareOf(units: readonly RankedUnit[]): number {
  return units.filter(({ isCandidate }) => isCandidate).length / units.length;
}

function groupsOf(sorted: readonly RankedUnit[], groups: number) {
  return Array.from({ length: groups }, (_, i) => {
    const inside = sorted.slice(
      Math.floor((i * sorted.length) / groups),
      Math.floor(((i + 1) * sorted.length) / groups),
    );
    const outcomes = (isCandidate: boolean) =>
      momentsOf(inside.filter((unit) => unit.isCandidate === isCandidate).map(({ outcome }) => outcome));
    return { name: `${i + 1} of ${groups}`, control: outcomes(false), candidate: outcomes(true) };
  });
}

/** Covariance of each unit's effect score with its place in the ranking, 0..1: the area over the diagonal. */
function qiniOf(
  sorted: readonly RankedUnit[],
  alpha: number,
): { readonly qini: Tested | Insufficient; readonly gains: EffectRanking['gains'] } {
  const n = sorted.length;
  const share = shareOf(sorted);
  const meanOf = (isCandidate: boolean): number =>
    momentsOf(sorted.filter((unit) => unit.isCandidate === isCandidate).map(({ outcome }) => outcome)).mean;
  const [before, after] = [meanOf(false), meanOf(true)];
  // Each unit's effect, as wildly as one outcome tells it: right on average.
  const effects = sorted.map(({ isCandidate, outcome }) =>
    isCandidate ? after - before + (outcome - after) / share : after - before - (outcome - before) / (1 - share),
  );
  const mean = momentsOf(effects).mean;
  const { place, above } = rankedSums(
    sorted.map(({ score }) => score),
    effects.map((effect) => effect - mean),
  );
  const area = effects.reduce((sum, effect, i) => sum + (effect - mean) * (place[i]! - 0.5), 0) / n;
  // The share of candidates is itself drawn, and matters where the score foretells the outcome too.
  const bend = (isCandidate: boolean): number => {
    const level = isCandidate ? after : before;
    const chance = isCandidate ? share : 1 - share;
    const moved = sorted.reduce(
      (sum, unit, i) => sum + (unit.isCandidate === isCandidate ? (unit.outcome - level) * (place[i]! - 0.5) : 0),
      0,
    );
    return moved / (n * chance * chance);
  };
  const slope = bend(true) + bend(false);
  const influence = sorted.map(
    ({ isCandidate }, i) =>
      (effects[i]! - mean) * (place[i]! - 0.5) + above[i]! / n - 2 * area - slope * ((isCandidate ? 1 : 0) - share),
  );
  const { m2 } = momentsOf(influence);
  const standardError = Math.sqrt(m2 / (n - 1) / n);
  return {
    qini:
      standardError > 0
        ? estimateWithTest('Qini coefficient', area, { standardError, alpha })
        : insufficient('neither scores nor outcomes vary'),
    gains: gainsOf(
      sorted.map(({ score }) => score),
      effects,
    ),
  };
}

/** Of values in rising order: each one's place in 0..1 (ties in the middle), and the sum of a column at it and above. */
function rankedSums(
  sorted: readonly number[],
  column: readonly number[],
): { readonly place: readonly number[]; readonly above: readonly number[] } {
  const n = sorted.length;
  const place: number[] = new Array(n);
  const above: number[] = new Array(n);
  let later = 0;
  for (let to = n; to > 0; ) {
    let from = to;
    let own = 0;
    while (from > 0 && sorted[from - 1] === sorted[to - 1]) {
      from -= 1;
      own += column[from]!;
    }
    for (let i = from; i < to; i += 1) {
      place[i] = (from + to) / (2 * n);
      above[i] = later + own / 2;
    }
    later += own;
    to = from;
  }
  return { place, above };
}

/** Gain per unit of all when so many of the best are treated, ties in proportion. */
function gainsOf(sorted: readonly number[], effects: readonly number[]): EffectRanking['gains'] {
  const n = sorted.length;
  const levelled = [...effects];
  for (let from = 0; from < n; ) {
    let to = from;
    let sum = 0;
    while (to < n && sorted[to] === sorted[from]) {
      sum += effects[to]!;
      to += 1;
    }
    levelled.fill(sum / (to - from), from, to);
    from = to;
  }
  return Array.from({ length: 10 }, (_, i) => {
    const share = (i + 1) / 10;
    const whole = Math.floor(share * n);
    const part = share * n - whole;
    const best = levelled.slice(n - whole).reduce((sum, effect) => sum + effect, 0);
    return { share, gain: (best + (part > 0 ? part * (levelled[n - whole - 1] ?? 0) : 0)) / n };
  });
}
