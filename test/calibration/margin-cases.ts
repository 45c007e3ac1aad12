// Do tests against a margin keep their level exactly at the margin?
import {
  compareMeans,
  equivalent,
  type Moments,
  notInferior,
  proportionsNotInferior,
  type Random,
} from '../../src/stats/index.ts';
import { type CalibrationCase, calibrationCase } from './calibration-case.ts';
import { drawMoments, drawSuccesses } from './simulated-data.ts';
import { alarms, alpha, type Sides } from './usual-checks.ts';

const margin = 0.5;

function marginCase(setting: string, draw: (random: Random) => Sides<Moments>): CalibrationCase {
  const shown =
    (test: typeof notInferior | typeof equivalent) =>
    ({ control, candidate }: Sides<Moments>) => {
      const measured = compareMeans(control, candidate, { alpha });
      if (measured.kind === 'insufficient') return null;
      const result = test(measured, { alpha, margin });
      return result.kind === 'insufficient' ? null : result.isShown;
    };
  return calibrationCase<Sides<Moments>>({
    setting,
    rounds: 10_000,
    draw,
    checks: [
      alarms('non-inferiority, one-sided (`notInferior` on `compareMeans`)', shown(notInferior)),
      alarms('equivalence (`equivalent` on `compareMeans`)', shown(equivalent)),
    ],
  });
}

interface Count {
  readonly successes: number;
  readonly n: number;
}

function rateMarginCase(units: number, limit: number, rates: readonly [number, number]): CalibrationCase {
  const side = (random: Random, p: number): Count => ({ successes: drawSuccesses(random, units, p), n: units });
  const count = units.toLocaleString('en-US');
  return calibrationCase<Sides<Count>>({
    setting: `${count} and ${count} units, p = ${rates[0]} against ${rates[1]}, exactly the margin, lower is better`,
    rounds: 10_000,
    draw: (random) => ({ control: side(random, rates[0]), candidate: side(random, rates[1]) }),
    checks: [
      alarms('non-inferiority of rates, one-sided (`proportionsNotInferior`)', ({ control, candidate }) => {
        const result = proportionsNotInferior(control, candidate, { alpha, margin: limit, better: 'lower' });
        return result.kind === 'insufficient' ? null : result.isShown;
      }),
    ],
  });
}

export const marginCases: readonly CalibrationCase[] = [
  marginCase('30 and 10 normal units, spread 1 against 2, worse by exactly the margin', (random) => ({
    control: drawMoments(random, 30, (r) => r.normal()),
    candidate: drawMoments(random, 10, (r) => 2 * r.normal() - margin),
  })),
  marginCase('300 and 300 normal units, worse by exactly the margin', (random) => ({
    control: drawMoments(random, 300, (r) => r.normal()),
    candidate: drawMoments(random, 300, (r) => r.normal() - margin),
  })),
  rateMarginCase(100, 0.05, [0.02, 0.07]),
  rateMarginCase(1000, 0.01, [0.01, 0.02]),
];
