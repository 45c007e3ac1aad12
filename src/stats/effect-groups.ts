// Does the effect differ between groups of units, and between which?
import { fisherF } from './beta.ts';
import {
  bounded,
  type Estimate,
  type Insufficient,
  insufficient,
  type TestOptions,
  type TestResult,
} from './interval.ts';
import { compareMeans } from './means.ts';
import type { Moments } from './moments.ts';
import { normal } from './normal.ts';
import { refuse, requireAlpha } from './precondition.ts';

/** One group of units, by something the variant cannot change: a segment, or a fifth of units by predicted effect. */
export interface EffectGroup {
  readonly name: string;
  readonly control: Moments;
  readonly candidate: Moments;
}

/** Effects of several groups, and whether they are one effect. */
export interface GroupEffects {
  readonly kind: 'grouped';
  readonly method: string;
  /** Welch's test of each group, in the order given; levels are per group. */
  readonly effects: readonly { readonly name: string; readonly effect: TestResult | Insufficient }[];
  /** Welch's F: are the groups' effects all the same? `df` belongs to the groups with an effect, `dfNoise` to their noise. */
  readonly sameEffect: {
    readonly statistic: number;
    readonly df: number;
    readonly dfNoise: number;
    readonly pValue: number;
  };
  /** Last group's effect - first group's, for groups in the order of a prediction; p from a z-test. */
  readonly lastAgainstFirst: (Estimate & { readonly pValue: number }) | Insufficient;
}

/**
 * Sorted group average treatment effects, or effects by segment: each group's own difference and a test that they are the
 * same. Assumes independent units and groups fixed before the outcomes were seen (a model's groups: fitted on other rows).
 * Valid with some 20 units of each variant in a group. Many groups: correct their p-values (`adjustPValues`).
 * Insufficient when fewer than two groups have an effect.
 * @param groups two or more, from summaries that merge
 * @throws RangeError when alpha is outside (0, 1), there are fewer than two groups, or moments cannot come from a sample.
 * @see Chernozhukov, Demirer, Duflo & Fernandez-Val 2018, NBER 24678 (sorted groups); Welch 1951, Biometrika 38 (several
 * estimates with noise of their own)
 */
export function compareGroupEffects(groups: readonly EffectGroup[], options: TestOptions): GroupEffects | Insufficient {
  const alpha = requireAlpha(options.alpha);
  if (groups.length < 2) refuse('groups.length', groups.length, '>= 2');
  const effects = groups.map(({ name, control, candidate }) => ({
    name,
    effect: compareMeans(control, candidate, { alpha }),
  }));
  const known = effects.flatMap(({ effect }) => (effect.kind === 'tested' ? [effect] : []));
  if (known.length < 2) return insufficient('fewer than two groups have units that vary in both variants');
  const weights = known.map(({ standardError }) => standardError ** -2);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const common = known.reduce((sum, { difference }, i) => sum + weights[i]! * difference, 0) / total;
  const squares = known.reduce((sum, { difference }, i) => sum + weights[i]! * (difference - common) ** 2, 0);
  const count = known.length;
  const df = count - 1;
  // How little is known of each group's noise; a plain chi-squared test of the squares alarms in 8 % with 24 units.
  const doubt = known.reduce((sum, each, i) => sum + (1 - weights[i]! / total) ** 2 / each.df!, 0);
  const statistic = squares / df / (1 + (2 * (count - 2) * doubt) / (count * count - 1));
  const dfNoise = (count * count - 1) / (3 * doubt);
  return {
    kind: 'grouped',
    method: "Welch's t-test in each group, Welch's F-test between them",
    effects,
    sameEffect: { statistic, df, dfNoise, pValue: fisherF(df, dfNoise).sf(statistic) },
    lastAgainstFirst: contrast(effects[0]!.effect, effects.at(-1)!.effect, alpha),
  };
}

function contrast(
  first: TestResult | Insufficient,
  last: TestResult | Insufficient,
  alpha: number,
): GroupEffects['lastAgainstFirst'] {
  if (first.kind === 'insufficient') return first;
  if (last.kind === 'insufficient') return last;
  const estimate = last.difference - first.difference;
  const standardError = Math.hypot(last.standardError, first.standardError);
  return estimateWithTest('difference of two groups’ effects', estimate, { standardError, alpha });
}

/** A near-normal estimate with the test that it is 0. */
export function estimateWithTest(
  method: string,
  estimate: number,
  options: { readonly standardError: number; readonly alpha: number },
): Estimate & { readonly pValue: number } {
  const { standardError, alpha } = options;
  const margin = normal.isf(alpha / 2) * standardError;
  return {
    kind: 'estimated',
    method,
    estimate,
    standardError,
    interval: bounded(estimate - margin, estimate + margin),
    pValue: Math.min(1, 2 * normal.sf(Math.abs(estimate / standardError))),
  };
}
