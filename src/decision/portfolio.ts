// What have all experiments together brought? Verdicts counted, effects freed from the luck of being picked, and their sum.
import { estimateProportion, type Insufficient, type Interval, normal, shrinkEffects } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import type { Report, Verdict, VerdictKind } from './report.ts';
import { normalInterval } from './value.ts';

/** One experiment and its last report; insufficient where there is none. */
export interface PortfolioInput {
  readonly name: string;
  /** State of its life, such as `promoted`. */
  readonly state: string;
  readonly report: Pick<Report, 'verdict' | 'value'> | Insufficient;
}

/** One experiment of the portfolio. */
export interface PortfolioEntry {
  readonly name: string;
  readonly state: string;
  readonly verdict: { readonly kind: VerdictKind; readonly headline: string } | Insufficient;
  /** What the net value is counted in. */
  readonly unit: string;
  /** As measured, one look at the end. */
  readonly net: Effect | Insufficient;
  /** Drawn towards the mean of all by as much as it is noise. */
  readonly shrunken: Effect | Insufficient;
}

interface Effect {
  readonly estimate: number;
  readonly interval: Interval;
}

/** All experiments of a namespace. */
export interface Portfolio {
  readonly experiments: readonly PortfolioEntry[];
  readonly verdicts: { readonly [kind in VerdictKind]: number };
  /** Ships (by verdict, or promoted) among those decided, 0..1, with Wilson's interval. */
  readonly winRate: (Effect & { readonly ships: number; readonly decided: number }) | Insufficient;
  /** One per unit in which net values are counted, the units with most experiments first. */
  readonly values: readonly {
    readonly unit: string;
    readonly experiments: number;
    /** Mean of the true effects, and how far they spread (standard deviation). */
    readonly mean: Effect | Insufficient;
    readonly spread: number | Insufficient;
    /** Sum over the shipped ones: as measured, which is too large on average, and shrunken. */
    readonly shippedMeasured: number;
    readonly shipped: Effect | Insufficient;
  }[];
  /** In money, a year; one per currency. */
  readonly money: readonly {
    readonly currency: string;
    /** Of the shipped ones, shrunken, infrastructure taken off. */
    readonly net: number;
    readonly costOfTesting: number | Insufficient;
    /** (net - cost of testing) / cost of testing. */
    readonly returnOnTesting: number | Insufficient;
  }[];
}

/**
 * The portfolio. Effects of one unit are shrunk together, which takes at least four of them.
 * @param options `alpha` two-sided level of the reports' intervals; `costPerTest` in the currency of the money models
 * @see Efron & Morris 1975; DerSimonian & Laird 1986 (`shrinkEffects`)
 */
export function makePortfolio(
  inputs: readonly PortfolioInput[],
  options: { readonly alpha: number; readonly costPerTest?: number },
): Portfolio {
  const { alpha } = options;
  const measured = inputs.map((input) => measuredOf(input, alpha));
  const units = [...new Set(measured.flatMap((each) => (each.error === undefined ? [] : [each.unit])))];
  const groups = units
    .map((unit) => ({ unit, members: measured.filter((each) => each.unit === unit && each.error !== undefined) }))
    .sort((left, right) => right.members.length - left.members.length)
    .map((group) => ({
      ...group,
      shrunk: shrinkEffects(
        group.members.map(({ estimate = 0, error = 1 }) => ({ estimate, standardError: error })),
        { alpha },
      ),
    }));
  const shrunkenOf = (name: string): (Effect & { readonly error: number }) | Insufficient => {
    for (const { members, shrunk } of groups) {
      const at = members.findIndex((each) => each.input.name === name);
      if (at < 0) continue;
      if (shrunk.kind === 'insufficient') return shrunk;
      const own = shrunk.effects[at]!;
      return { estimate: own.estimate, interval: own.interval, error: own.standardError };
    }
    return insufficient('it has no net value with a known spread');
  };
  const ships = inputs.filter(isShipped);
  const decided = inputs.filter((input) => isShipped(input) || isDecided(input));
  return {
    experiments: measured.map(({ input, unit, net }) => {
      const shrunken = shrunkenOf(input.name);
      return {
        name: input.name,
        state: input.state,
        verdict: verdictOf(input),
        unit,
        net,
        shrunken: 'kind' in shrunken ? shrunken : { estimate: shrunken.estimate, interval: shrunken.interval },
      };
    }),
    verdicts: countVerdicts(inputs),
    winRate: winRateOf(ships.length, decided.length, alpha),
    values: groups.map(({ unit, members, shrunk }) => {
      const own = members.filter(({ input }) => isShipped(input));
      const effects = own.map(({ input }) => shrunkenOf(input.name));
      const known = effects.flatMap((each) => ('kind' in each ? [] : [each]));
      const total = known.reduce((sum, { estimate }) => sum + estimate, 0);
      return {
        unit,
        experiments: members.length,
        mean:
          shrunk.kind === 'insufficient' ? shrunk : { estimate: shrunk.mean.estimate, interval: shrunk.mean.interval },
        spread: shrunk.kind === 'insufficient' ? shrunk : Math.sqrt(shrunk.variance),
        shippedMeasured: own.reduce((sum, { estimate = 0 }) => sum + estimate, 0),
        shipped:
          shrunk.kind === 'insufficient'
            ? shrunk
            : {
                estimate: total,
                interval: normalInterval(total, Math.hypot(...known.map(({ error }) => error)), alpha),
              },
      };
    }),
    money: moneyOf(inputs, { shrunkenOf, ...options }),
  };
}

interface Measured {
  readonly input: PortfolioInput;
  readonly unit: string;
  readonly net: Effect | Insufficient;
  /** Only where its spread is known. */
  readonly estimate?: number;
  readonly error?: number;
}

function measuredOf(input: PortfolioInput, alpha: number): Measured {
  if ('kind' in input.report) return { input, unit: 'none', net: input.report };
  const { unit, net } = input.report.value;
  if (!('estimate' in net)) return { input, unit, net };
  const effect = { estimate: net.estimate, interval: net.interval };
  if (net.interval.kind !== 'bounded' || net.omits.length > 0) return { input, unit, net: effect };
  const error = (net.interval.upper - net.interval.lower) / 2 / normal.isf(alpha / 2);
  return { input, unit, net: effect, ...(error > 0 ? { estimate: net.estimate, error } : {}) };
}

function verdictOf({ report }: PortfolioInput): PortfolioEntry['verdict'] {
  if ('kind' in report) return report;
  const { kind, headline }: Verdict = report.verdict;
  return { kind, headline };
}

const isShipped = ({ state, report }: PortfolioInput): boolean =>
  state === 'promoted' || (state !== 'rolled-back' && !('kind' in report) && report.verdict.kind === 'ship');

const isDecided = ({ state, report }: PortfolioInput): boolean =>
  state === 'rolled-back' ||
  (!('kind' in report) && (report.verdict.kind === 'roll-back' || report.verdict.kind === 'no-difference'));

function countVerdicts(inputs: readonly PortfolioInput[]): Portfolio['verdicts'] {
  const count = (kind: VerdictKind): number =>
    inputs.filter(({ report }) => !('kind' in report) && report.verdict.kind === kind).length;
  return {
    ship: count('ship'),
    'roll-back': count('roll-back'),
    'keep-testing': count('keep-testing'),
    'no-difference': count('no-difference'),
    invalid: count('invalid'),
  };
}

function winRateOf(ships: number, decided: number, alpha: number): Portfolio['winRate'] {
  const rate = estimateProportion({ n: decided, successes: ships }, { alpha });
  if (decided === 0 || rate.kind === 'insufficient') return insufficient('no experiment is decided yet');
  return { estimate: rate.estimate, interval: rate.interval, ships, decided };
}

/** What a unit of net value is worth stands in each report: its gain over its net value. */
function moneyOf(
  inputs: readonly PortfolioInput[],
  {
    shrunkenOf,
    costPerTest,
  }: {
    readonly shrunkenOf: (name: string) => (Effect & { readonly error: number }) | Insufficient;
    readonly costPerTest?: number;
  },
): Portfolio['money'] {
  const amounts = inputs.flatMap((input) => {
    if ('kind' in input.report) return [];
    const { money, net } = input.report.value;
    if (money === undefined || 'kind' in money || !('estimate' in net)) return [];
    const shrunken = shrunkenOf(input.name);
    const share = 'kind' in shrunken || net.estimate === 0 ? 1 : shrunken.estimate / net.estimate;
    return [{ currency: money.currency, amount: isShipped(input) ? money.gain * share - money.infrastructure : 0 }];
  });
  return [...new Set(amounts.map(({ currency }) => currency))].map((currency) => {
    const own = amounts.filter((each) => each.currency === currency);
    const net = own.reduce((sum, { amount }) => sum + amount, 0);
    const cost = costPerTest === undefined ? undefined : costPerTest * own.length;
    const missing = insufficient('the cost of a test was not said');
    return {
      currency,
      net,
      costOfTesting: cost ?? missing,
      returnOnTesting: cost === undefined || cost === 0 ? missing : (net - cost) / cost,
    };
  });
}
