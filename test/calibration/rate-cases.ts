// Do comparisons of event rates keep their level when events are few?
import { compareRates, type EventRate, estimateRate, exactRates, poisson, type Random } from '../../src/stats/index.ts';
import { type CalibrationCase, type CalibrationCheck, calibrationCase } from './calibration-case.ts';
import { covers, rejects } from './simulated-data.ts';

const alpha = 0.05;

interface Rates {
  readonly control: EventRate;
  readonly candidate: EventRate;
}

/** Events at one per exposure. */
function drawEvents(random: Random, exposure: number): EventRate {
  return { events: poisson(exposure).quantile(random.uniform()), exposure };
}

const checks: readonly CalibrationCheck<Rates>[] = [
  {
    method: 'score test (`compareRates`)',
    measure: 'false alarms',
    nominal: alpha,
    outcome: ({ control, candidate }) => rejects(compareRates(control, candidate, { alpha }), alpha),
  },
  {
    method: 'exact test (`exactRates`)',
    measure: 'false alarms',
    nominal: alpha,
    outcome: ({ control, candidate }) => rejects(exactRates(control, candidate, { alpha }), alpha),
  },
  {
    method: "Garwood's interval of one rate (`estimateRate`)",
    measure: 'coverage',
    nominal: 1 - alpha,
    outcome: ({ control }) => covers(estimateRate(control, { alpha }), 1),
  },
];

export const rateCases: readonly CalibrationCase[] = [
  calibrationCase({
    setting: 'Poisson events, 5 and 5 expected',
    rounds: 10_000,
    draw: (random) => ({ control: drawEvents(random, 5), candidate: drawEvents(random, 5) }),
    checks,
  }),
  calibrationCase({
    setting: 'Poisson events, 40 and 4 expected',
    rounds: 10_000,
    draw: (random) => ({ control: drawEvents(random, 40), candidate: drawEvents(random, 4) }),
    checks,
  }),
];
