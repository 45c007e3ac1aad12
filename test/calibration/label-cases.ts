// Do estimates from fallbacks and from scarce labels cover the truth?
import {
  complierEffect,
  type JointMoments,
  jointMomentsOf,
  type Moments,
  predictionPoweredMean,
  type Random,
} from '../../src/stats/index.ts';
import { type CalibrationCase, type CalibrationCheck, calibrationCase } from './calibration-case.ts';
import { covers, drawMoments } from './simulated-data.ts';
import { alpha, coverage, type Sides, type Warning, warned } from './usual-checks.ts';

/** [outcome, received] of units of which `share` comply; compliers differ from the others, and receipt adds 1. */
function drawCompliers(random: Random, given: { units: number; share: number; isAssigned: boolean }): JointMoments {
  return jointMomentsOf(
    Array.from({ length: given.units }, () => {
      const complies = random.uniform() < given.share;
      const received = complies && given.isAssigned ? 1 : 0;
      return [random.normal() + (complies ? 2 : 0) + received, received];
    }),
  );
}

function complierCase(units: number, share: number): CalibrationCase {
  const side = (random: Random, isAssigned: boolean): JointMoments =>
    drawCompliers(random, { units, share, isAssigned });
  return calibrationCase<Sides<JointMoments>>({
    setting: `${units} and ${units} units of which ${100 * share} % comply, and differ from the others`,
    rounds: 6000,
    draw: (random) => ({ control: side(random, false), candidate: side(random, true) }),
    checks: [
      coverage("Anderson and Rubin's interval (`complierEffect`)", ({ control, candidate }) =>
        covers(complierEffect(control, candidate, { alpha }), 1),
      ),
    ],
  });
}

interface Labelled {
  readonly labelled: JointMoments;
  readonly unlabelled: Moments;
}

/** [truth, cheap label]: the truth is a success in 30 %, the cheap label sees four in five of them and invents a tenth. */
function drawLabels(random: Random): readonly [number, number] {
  const truth = random.uniform() < 0.3 ? 1 : 0;
  return [truth, random.uniform() < (truth === 1 ? 0.8 : 0.1) ? 1 : 0];
}

function predictionCase(labelled: number, unlabelled: number, expectedToFail?: Warning): CalibrationCase {
  const check = (words: string, weight: 1 | 'best'): CalibrationCheck<Labelled> =>
    coverage(`prediction-powered mean, ${words} (\`predictionPoweredMean\`)`, (data) =>
      covers(predictionPoweredMean(data.labelled, data.unlabelled, { alpha, weight }), 0.3),
    );
  return calibrationCase<Labelled>({
    setting: `${labelled} rows with a true label (30 % right), ${unlabelled} with a biased cheap one only`,
    rounds: 6000,
    draw: (random) => ({
      labelled: jointMomentsOf(Array.from({ length: labelled }, () => drawLabels(random))),
      unlabelled: drawMoments(random, unlabelled, (r) => drawLabels(r)[1]),
    }),
    checks: [check('weight 1', 1), warned(check('best weight', 'best'), expectedToFail)],
  });
}

export const labelCases: readonly CalibrationCase[] = [
  complierCase(100, 0.2),
  complierCase(400, 0.7),
  predictionCase(40, 400, {
    from: 0.92,
    to: 0.942,
    warning: 'a normal approximation, and the weight is fitted to the same 40 rows',
  }),
  predictionCase(200, 2000),
];
