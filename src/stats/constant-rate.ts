// How far from 0 (or 1) can a rate still be when every row of every unit was 0 (or 1)?
import { bounded, type Interval, type TestOptions } from './interval.ts';
import { refuse, requireAlpha, requirePositive } from './precondition.ts';

/**
 * Exact binomial interval of a rate that was the same in every row, units taken as the trials:
 * 0 to 1 - (alpha/2)^(1/units) where all rows were 0, (alpha/2)^(1/units) to 1 where all were 1. Its free end is the
 * one-sided bound at alpha / 2; with one-sided alpha 0.05 it is near 3 / units, the rule of three.
 *
 * Rows of one unit may depend on one another, so they are no trials; units are independent, so they are. Exact is the
 * bound on q, the share of units in which it happens at all, whatever goes on inside a unit. A unit has at most as many
 * events as rows, so the rate of rows is at most q x (mean rows of units with an event / mean rows of all units): the
 * bound holds for rows too, and is generous, unless the units it happens in have more rows than others and fail
 * throughout. Rows that fail independently at one rate, or units whose rate has nothing to do with their size, are
 * within it. It stops being conservative where trouble sits in the few largest units; then count by unit instead.
 * @param rate what every row was
 * @param units how many units had rows, > 0
 * @throws RangeError when alpha is outside (0, 1) or units is not > 0.
 * @see Clopper & Pearson 1934, Biometrika 26, at 0 of n; Hanley & Lippman-Hand 1983, JAMA 249 (rule of three)
 */
export function constantRateInterval(rate: 0 | 1, units: number, options: TestOptions): Interval {
  const alpha = requireAlpha(options.alpha);
  requirePositive('units', units);
  const inside = Math.log(alpha / 2) / units;
  return rate === 0 ? bounded(0, -Math.expm1(inside)) : bounded(Math.exp(inside), 1);
}

/**
 * Units after which `constantRateInterval` reaches no further than `margin`, if every row stays the same; a whole number.
 * @param margin distance from the constant rate, in (0, 1)
 * @throws RangeError when alpha or margin is outside (0, 1).
 * @see as `constantRateInterval`, solved for the units
 */
export function unitsForConstantRate(margin: number, options: TestOptions): number {
  const alpha = requireAlpha(options.alpha);
  if (!(margin > 0 && margin < 1)) refuse('margin', margin, 'in (0, 1)');
  return Math.ceil(Math.log(alpha / 2) / Math.log1p(-margin));
}
