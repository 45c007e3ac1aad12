// Do statements on how effects differ between units keep their level, also where the score foretells outcomes but no effect?
import { type Random, type RankedUnit, rankEffects } from '../../src/stats/index.ts';
import { type CalibrationCase, type CalibrationCheck, calibrationCase } from './calibration-case.ts';
import { covers } from './simulated-data.ts';
import { alarms, alpha, coverage } from './usual-checks.ts';

type Ranked = ReturnType<typeof rankEffects>;

function rankingCase(slope: number): CalibrationCase {
  const draw = (random: Random): readonly RankedUnit[] =>
    Array.from({ length: 800 }, () => {
      const score = random.normal();
      const isCandidate = random.uniform() < 0.3;
      const effect = isCandidate ? 0.2 + slope * score : 0;
      return { score, isCandidate, outcome: 2 * score + effect + random.normal() };
    });
  const test = (
    method: string,
    pick: (result: Extract<Ranked, { kind: 'ranked' }>) => number | null,
  ): CalibrationCheck<Ranked> =>
    alarms(method, (result) => {
      const pValue = result.kind === 'ranked' ? pick(result) : null;
      return pValue === null ? null : pValue < alpha;
    });
  const none = [
    test('slope on the score is 0 (`rankEffects`)', ({ slope: { pValue } }) => pValue),
    test('Qini coefficient is 0 (`rankEffects`)', ({ qini }) => qini.pValue),
    test('one effect in five groups (`compareGroupEffects`)', ({ groups }) =>
      groups.kind === 'grouped' ? groups.sameEffect.pValue : null),
  ];
  return calibrationCase<Ranked>({
    setting: `800 units, 30 % candidate, effect 0.2 ${slope === 0 ? 'for all' : `+ ${slope} x score`}, outcomes that follow the score`,
    rounds: 1000,
    draw: (random) => rankEffects(draw(random), { alpha }),
    checks: [
      ...(slope === 0 ? none : []),
      coverage('slope on the score (`rankEffects`)', (result) =>
        result.kind === 'ranked' ? covers(result.slope, slope) : null,
      ),
      // Covariance of slope x score with the score's place among all.
      coverage('Qini coefficient (`rankEffects`)', (result) =>
        result.kind === 'ranked' ? covers(result.qini, slope / (2 * Math.sqrt(Math.PI))) : null,
      ),
    ],
  });
}

export const effectCases: readonly CalibrationCase[] = [rankingCase(0), rankingCase(0.8)];
