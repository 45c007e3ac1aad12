import { describe, expect, it } from 'vitest';
import { createRandom } from '../stats/index.ts';
import { makePortfolio, type PortfolioInput } from './portfolio.ts';
import type { MoneyEntry, Report, VerdictKind } from './report.ts';

const absent = { kind: 'insufficient', reason: 'not here' } as const;

const input = (
  name: string,
  net: number | undefined,
  more: { kind?: VerdictKind; state?: string; error?: number; unit?: string; worth?: number } = {},
): PortfolioInput => {
  const { kind = 'keep-testing', state = 'running', error = 1, unit = 'points', worth } = more;
  const money: MoneyEntry | undefined =
    worth === undefined || net === undefined
      ? undefined
      : {
          currency: 'USD',
          gain: net * worth,
          gainInterval: absent,
          infrastructure: 10,
          net: net * worth - 10,
          expectedLoss: 0,
          returnOnCost: absent,
          choices: absent,
          years: absent,
          returns: absent,
        };
  const report: Pick<Report, 'verdict' | 'value'> = {
    verdict: {
      kind,
      variant: 'new',
      recommendation: 'continue-testing',
      pointRule: absent,
      reasons: [],
      headline: `${name} is what it is.`,
      because: [],
      next: 'Wait.',
    },
    value: {
      variant: 'new',
      unit,
      terms: [],
      net:
        net === undefined
          ? absent
          : {
              estimate: net,
              interval: { kind: 'bounded', lower: net - 1.959964 * error, upper: net + 1.959964 * error },
              probabilityAbove: 0.5,
              threshold: 0,
              omits: [],
            },
      ...(money === undefined ? {} : { money }),
    },
  };
  return { name, state, report };
};

const alpha = 0.05;

describe('the portfolio', () => {
  it('counts verdicts, and wins among what is decided', () => {
    const portfolio = makePortfolio(
      [
        input('a', 3, { kind: 'ship' }),
        input('b', 1, { state: 'promoted' }),
        input('c', -1, { kind: 'roll-back', state: 'rolled-back' }),
        input('d', 0, { kind: 'no-difference' }),
        input('e', 0),
        { name: 'f', state: 'running', report: absent },
      ],
      { alpha },
    );
    expect(portfolio.verdicts).toEqual({ ship: 1, 'roll-back': 1, 'keep-testing': 2, 'no-difference': 1, invalid: 0 });
    expect(portfolio.winRate).toMatchObject({ ships: 2, decided: 4, estimate: 0.5 });
    expect(portfolio.experiments.at(-1)).toMatchObject({ name: 'f', verdict: absent, net: absent });
    expect(portfolio.experiments[0]).toMatchObject({ verdict: { headline: 'a is what it is.' } });
  });

  it('draws effects to their mean, and says so for each unit by itself', () => {
    const portfolio = makePortfolio(
      [
        ...[4, 1, 0, -1, 0.5].map((net, i) => input(`p${i}`, net, i === 0 ? { kind: 'ship' } : {})),
        input('other', 7, { unit: 'seconds' }),
      ],
      { alpha },
    );
    const [first] = portfolio.experiments;
    if (first === undefined || 'kind' in first.shrunken) throw new Error('nothing is shrunken');
    expect(first.net).toMatchObject({ estimate: 4 });
    expect(first.shrunken.estimate).toBeLessThan(4);
    expect(first.shrunken.estimate).toBeGreaterThan(0.9);
    expect(portfolio.values.map(({ unit, experiments }) => [unit, experiments])).toEqual([
      ['points', 5],
      ['seconds', 1],
    ]);
    expect(portfolio.values[0]).toMatchObject({ shippedMeasured: 4, shipped: { estimate: first.shrunken.estimate } });
    expect(portfolio.values[1]).toMatchObject({ mean: { kind: 'insufficient' }, shipped: { kind: 'insufficient' } });
  });

  it('is right about the sum of what was shipped, where the measured sum is too large', () => {
    const random = createRandom(7);
    let [measured, shrunken, truth] = [0, 0, 0];
    for (let round = 0; round < 60; round += 1) {
      const effects = Array.from({ length: 40 }, () => random.normal());
      const inputs = effects.map((effect, i) => {
        const net = effect + random.normal();
        return input(`e${i}`, net, { kind: net > 1.5 ? 'ship' : 'keep-testing' });
      });
      const [value] = makePortfolio(inputs, { alpha }).values;
      if (value === undefined || 'kind' in value.shipped) throw new Error('nothing to sum');
      measured += value.shippedMeasured;
      shrunken += value.shipped.estimate;
      inputs.forEach(({ report }, i) => {
        if (!('kind' in report) && report.verdict.kind === 'ship') truth += effects[i] ?? 0;
      });
    }
    expect(measured / truth).toBeGreaterThan(1.5);
    expect(Math.abs(shrunken / truth - 1)).toBeLessThan(0.1);
  });

  it('turns it into money, with the return on testing where its cost is said', () => {
    const inputs = [input('a', 2, { kind: 'ship', worth: 100 }), input('b', 1, { worth: 100 })];
    expect(makePortfolio(inputs, { alpha }).money).toMatchObject([
      { currency: 'USD', net: 190, returnOnTesting: { kind: 'insufficient' } },
    ]);
    expect(makePortfolio(inputs, { alpha, costPerTest: 50 }).money).toMatchObject([
      { costOfTesting: 100, returnOnTesting: expect.closeTo(0.9, 9) },
    ]);
  });

  it('of nothing is empty and says that nothing is decided', () => {
    expect(makePortfolio([], { alpha })).toMatchObject({
      experiments: [],
      values: [],
      money: [],
      winRate: { kind: 'insufficient', reason: 'no experiment is decided yet' },
    });
  });
});
