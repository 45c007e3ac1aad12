// Do post-stratification and covariates of ratios keep their level?
import {
  compareAdjustedRatios,
  compareStrata,
  type JointMoments,
  jointMomentsOf,
  momentsOf,
  type Random,
  type Stratum,
} from '../../src/stats/index.ts';
import { type CalibrationCase, calibrationCase } from './calibration-case.ts';
import { covers, drawSuccesses, rejects } from './simulated-data.ts';
import { alarms, alpha, coverage, type Sides, type Warning, warned } from './usual-checks.ts';

const strataLevels = [0, 3, 10];
const strataShares = [0.6, 0.3, 0.1];
const strataEffects = [0, 1, -2];
/** Effect on the population of those shares. */
const strataTruth = strataEffects.reduce((sum, effect, i) => sum + strataShares[i]! * effect, 0);

/** Units that come from strata and go to variants by chance; `lift` multiplies the effects of the strata. */
function drawStrata(
  random: Random,
  options: { readonly units: number; readonly lift: number; readonly known: boolean },
): readonly Stratum[] {
  const cells = strataLevels.map(() => ({ control: [] as number[], candidate: [] as number[] }));
  for (let unit = 0; unit < options.units; unit += 1) {
    const place = random.uniform();
    const at = place < 0.6 ? 0 : place < 0.9 ? 1 : 2;
    const side = random.uniform() < 0.5 ? 'control' : 'candidate';
    const effect = side === 'candidate' ? options.lift * strataEffects[at]! : 0;
    cells[at]![side].push(strataLevels[at]! + effect + (1 + at) * random.normal());
  }
  return cells.map(({ control, candidate }, i) => ({
    name: `${i}`,
    control: momentsOf(control),
    candidate: momentsOf(candidate),
    ...(options.known ? { share: strataShares[i]! } : {}),
  }));
}

const strataCases: readonly CalibrationCase[] = [
  calibrationCase<readonly Stratum[]>({
    setting: '60 units from 3 strata (60 : 30 : 10), assigned by a coin, alike',
    rounds: 10_000,
    draw: (random) => drawStrata(random, { units: 60, lift: 0, known: false }),
    checks: [alarms('post-stratification (`compareStrata`)', (data) => rejects(compareStrata(data, { alpha }), alpha))],
  }),
  calibrationCase<readonly Stratum[]>({
    setting: '60 units from 3 strata of known shares, assigned by a coin, effects 0, 1 and -2',
    rounds: 10_000,
    draw: (random) => drawStrata(random, { units: 60, lift: 1, known: true }),
    checks: [
      coverage('interval with known shares (`compareStrata`)', (data) =>
        covers(compareStrata(data, { alpha }), strataTruth),
      ),
    ],
  }),
];

/** [errors, rows, errors before, rows before] of one unit: its rate shows in both periods. */
function drawRatioRow(random: Random): readonly number[] {
  const rate = 0.05 + 0.4 * random.uniform() ** 2;
  const busy = random.uniform();
  const rows = (): number => 1 + Math.floor(30 * busy * random.uniform());
  const [now, before] = [rows(), rows()];
  return [drawSuccesses(random, now, rate), now, drawSuccesses(random, before, rate), before];
}

function ratioCase(units: number, rounds: number, expectedToFail?: Warning): CalibrationCase {
  const side = (random: Random): JointMoments =>
    jointMomentsOf(Array.from({ length: units }, () => drawRatioRow(random)));
  return calibrationCase<Sides<JointMoments>>({
    setting: `${units} and ${units} units with 1 to 30 correlated rows and the ratio before as covariate`,
    rounds,
    draw: (random) => ({ control: side(random), candidate: side(random) }),
    checks: [
      warned(
        alarms('CUPED of ratios (`compareAdjustedRatios`)', ({ control, candidate }) =>
          rejects(compareAdjustedRatios(control, candidate, { alpha }), alpha),
        ),
        expectedToFail,
      ),
    ],
  });
}

export const stratumCases: readonly CalibrationCase[] = [
  ...strataCases,
  ratioCase(50, 4000, {
    from: 0.055,
    to: 0.07,
    warning: 'a normal approximation: 50 units a side are few for a ratio',
  }),
  ratioCase(300, 2000),
];
