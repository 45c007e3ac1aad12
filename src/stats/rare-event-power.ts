// How likely is it that two rates of rare events are told apart by the very test that will be used?
import { testProportions } from './compare-proportions.ts';
import { type Aim, type ProportionsDesign, requireAim, type Units, unitsForProportions } from './power.ts';
import { refuse, requireAlpha } from './precondition.ts';
import { binomial } from './whole-number.ts';

const mostTables = 1e6;

/**
 * Power of `compareProportions` with its own choice of test: the summed probability of all tables that it rejects on the right
 * side. Where events are rare the formula of `powerOfProportions` promises more or less than that.
 * @param units whole numbers > 0
 * @throws RangeError when a rate or alpha is outside (0, 1), both rates are the same, units are not whole, or there are more than a million tables to
 * sum, which is no matter of rare events.
 */
export function powerOfRareEvents(design: ProportionsDesign, units: Units): number {
  const alpha = requireAlpha(design.alpha);
  for (const name of ['control', 'candidate'] as const) {
    if (!(design[name] > 0 && design[name] < 1)) refuse(name, design[name], 'in (0, 1)');
    if (!(Number.isSafeInteger(units[name]) && units[name] > 0)) {
      refuse(`units.${name}`, units[name], 'a whole number > 0');
    }
  }
  const [before, after] = [rowsOf(units.control, design.control), rowsOf(units.candidate, design.candidate)];
  const tables = before.length * after.length;
  if (tables > mostTables) refuse('number of tables', tables, `at most ${mostTables}; take powerOfProportions`);
  const sign = Math.sign(design.candidate - design.control);
  if (sign === 0) refuse('candidate', design.candidate, 'another rate than the control');
  let power = 0;
  for (const [x, left] of before) {
    for (const [y, right] of after) {
      const sides = [
        { n: units.control, successes: x },
        { n: units.candidate, successes: y },
      ] as const;
      if (sign * (y / units.candidate - x / units.control) <= 0) continue;
      const result = testProportions(...sides, 'automatic');
      if (result.kind === 'tested' && result.pValue < alpha) power += left * right;
    }
  }
  return Math.min(1, power);
}

/**
 * Whole units per variant with which `powerOfRareEvents` reaches the wished power. It rises in a saw: a few units fewer may do
 * as well, and a few more fall just short.
 * @throws RangeError when an argument is out of range or both rates are the same.
 */
export function unitsForRareEvents(design: ProportionsDesign, aim: Aim): Units {
  const share = requireAim(aim, requireAlpha(design.alpha));
  const rough = unitsForProportions(design, aim);
  const start = 0.7 * (rough.control + rough.candidate);
  for (let total = start; ; total *= 1.02) {
    const units = { control: Math.ceil(total * (1 - share)), candidate: Math.ceil(total * share) };
    if (powerOfRareEvents(design, units) >= aim.power) return units;
  }
}

/** Counts that have any weight, with their probability. */
function rowsOf(n: number, rate: number): readonly (readonly [number, number])[] {
  const law = binomial(n, rate);
  const [low, high] = [law.quantile(1e-10), law.isf(1e-10)];
  if (high - low > mostTables) refuse('number of counts', high - low, `at most ${mostTables}; take powerOfProportions`);
  return Array.from({ length: high - low + 1 }, (_, i) => [low + i, law.pdf(low + i)] as const);
}
