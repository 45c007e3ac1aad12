// Do corrections for many comparisons keep what they promise of the whole family?
import { compareMeans, type Moments, momentsOf, type Random, selectComparisons } from '../../src/stats/index.ts';
import { type CalibrationCase, type CalibrationCheck, calibrationCase } from './calibration-case.ts';
import { covers, drawMany } from './simulated-data.ts';
import { alarms, alpha, coverage, type Sides } from './usual-checks.ts';

type Correction = Parameters<typeof selectComparisons>[1]['method'];

const familySize = 20;
const familyEffects = Array.from({ length: familySize }, (_, i) => (i < 15 ? 0 : 0.6));

/** Twenty metrics of the same units, and a draw that picks one of those selected. */
interface Family {
  readonly metrics: readonly Sides<Moments>[];
  readonly pValues: readonly number[];
  readonly pick: number;
}

/** Metrics that correlate with 0.5; the last five have an effect of 0.6 standard deviations. */
function drawFamily(random: Random): Family {
  const side = (effects: readonly number[]): readonly Moments[] => {
    const shared = drawMany(random, 30, (r) => r.normal());
    return effects.map((effect) =>
      momentsOf(shared.map((common) => effect + Math.SQRT1_2 * (common + random.normal()))),
    );
  };
  const control = side(familyEffects.map(() => 0));
  const candidate = side(familyEffects);
  const metrics = control.map((moments, i) => ({ control: moments, candidate: candidate[i]! }));
  const pValues = metrics.map((metric) => {
    const result = compareMeans(metric.control, metric.candidate, { alpha });
    return result.kind === 'insufficient' ? 1 : result.pValue;
  });
  return { metrics, pValues, pick: random.uniform() };
}

/** One of the rejected metrics by chance: how often it is wrong is the expected share of wrong ones. */
function picked(family: Family, rejected: readonly number[]): number | undefined {
  return rejected[Math.floor(family.pick * rejected.length)];
}

const familyError = (method: Correction, name: string): CalibrationCheck<Family> =>
  alarms(`${name} (\`selectComparisons\`), any false rejection`, ({ pValues }) =>
    selectComparisons(pValues, { alpha, method }).rejected.some((i) => familyEffects[i] === 0),
  );

const falseDiscovery = (method: Correction, name: string): CalibrationCheck<Family> =>
  alarms(`${name} (\`selectComparisons\`), expected false share of what is rejected`, (family) => {
    const at = picked(family, selectComparisons(family.pValues, { alpha, method }).rejected);
    return at !== undefined && familyEffects[at] === 0;
  });

/** Whether the interval of a picked metric holds its effect; nothing rejected, nothing missed. */
function selectedHolds(family: Family, rejected: readonly number[], level: number): boolean {
  const at = picked(family, rejected);
  if (at === undefined) return true;
  const { control, candidate } = family.metrics[at]!;
  return covers(compareMeans(control, candidate, { alpha: level }), familyEffects[at]!) === true;
}

const falseCoverage = (method: Correction, name: string): CalibrationCheck<Family> =>
  coverage(`intervals of what ${name} rejects, at their own level (\`selectComparisons\`)`, (family) => {
    const { rejected, intervals } = selectComparisons(family.pValues, { alpha, method });
    return intervals.kind === 'insufficient' || selectedHolds(family, rejected, intervals.alpha);
  });

export const familyCases: readonly CalibrationCase[] = [
  calibrationCase<Family>({
    setting: '20 correlated metrics of 30 and 30 units, 5 of them truly 0.6 spreads apart',
    rounds: 4000,
    draw: drawFamily,
    checks: [
      familyError('holm', 'Holm'),
      familyError('hommel', 'Hommel'),
      falseDiscovery('benjamini-hochberg', 'Benjamini-Hochberg'),
      falseDiscovery('benjamini-yekutieli', 'Benjamini-Yekutieli'),
      falseCoverage('benjamini-hochberg', 'Benjamini-Hochberg'),
      falseCoverage('holm', 'Holm'),
      {
        method: 'plain 95 % intervals of what Benjamini-Hochberg rejects, beside them',
        measure: 'coverage',
        nominal: 1 - alpha,
        expectedToFail: {
          from: 0.92,
          to: 0.945,
          warning: 'what is selected for being far out is farther out than it is',
        },
        outcome: (family) =>
          selectedHolds(
            family,
            selectComparisons(family.pValues, { alpha, method: 'benjamini-hochberg' }).rejected,
            alpha,
          ),
      },
    ],
  }),
];
