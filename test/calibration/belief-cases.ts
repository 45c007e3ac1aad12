// Do credible intervals hold what was drawn from their own prior?
import { beta, compareBetaBinomial, compareGammaPoisson, gamma, poisson } from '../../src/stats/index.ts';
import { type CalibrationCase, type CalibrationCheck, calibrationCase } from './calibration-case.ts';
import { covers, drawSuccesses } from './simulated-data.ts';
import { alpha, coverage } from './usual-checks.ts';

/** A posterior together with the truth its data came from. */
interface Believed {
  readonly posterior: ReturnType<typeof compareBetaBinomial>;
  /** Of candidate - control. */
  readonly truth: number;
}

/** What a posterior must promise when the truth is drawn from its prior. */
function beliefChecks(name: string): readonly CalibrationCheck<Believed>[] {
  return [
    coverage(`credible interval of the difference (\`${name}\`)`, ({ posterior, truth }) => covers(posterior, truth)),
    {
      method: `candidate called higher at a probability above 80 %, and is not (\`${name}\`)`,
      measure: 'false alarms',
      nominal: 0.2,
      outcome: ({ posterior, truth }) =>
        posterior.kind === 'insufficient' || posterior.probabilityHigher <= 0.8 ? null : truth <= 0,
    },
  ];
}

const betaPrior = { successes: 2, failures: 30 };
const gammaPrior = { events: 1.5, exposure: 10 };

export const beliefCases: readonly CalibrationCase[] = [
  calibrationCase<Believed>({
    setting: '80 and 40 units, rates drawn from the prior beta(2, 30)',
    rounds: 1000,
    draw: (random) => {
      const law = beta(betaPrior.successes, betaPrior.failures);
      const [p, q] = [law.quantile(random.uniform()), law.quantile(random.uniform())];
      const control = { successes: drawSuccesses(random, 80, p), n: 80 };
      const candidate = { successes: drawSuccesses(random, 40, q), n: 40 };
      return { truth: q - p, posterior: compareBetaBinomial(control, candidate, { alpha, prior: betaPrior }) };
    },
    checks: beliefChecks('compareBetaBinomial'),
  }),
  calibrationCase<Believed>({
    setting: '30 and 15 hours, event rates drawn from the prior gamma(1.5, 10)',
    rounds: 1500,
    draw: (random) => {
      const rate = (): number => gamma(gammaPrior.events).quantile(random.uniform()) / gammaPrior.exposure;
      const [before, after] = [rate(), rate()];
      const events = (mean: number): number => poisson(mean).quantile(random.uniform());
      const control = { events: events(30 * before), exposure: 30 };
      const candidate = { events: events(15 * after), exposure: 15 };
      return {
        truth: after - before,
        posterior: compareGammaPoisson(control, candidate, { alpha, prior: gammaPrior }),
      };
    },
    checks: beliefChecks('compareGammaPoisson'),
  }),
];
