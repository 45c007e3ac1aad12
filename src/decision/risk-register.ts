// What is left of a return when the risks may come true? The distribution over possible years, not one number.
import type { ValueModel } from '../experiment/index.ts';
import { createRandom, type Random } from '../stats/index.ts';
import type { YearSpread } from './report.ts';

type MoneyModel = NonNullable<ValueModel['money']>;
type Guess = MoneyModel['worth'];

/** What a year brings and costs. */
interface YearMoney {
  /** A number, or near normal with this mean and standard error, times what one of it is worth. */
  readonly gain: number | { readonly estimate: number; readonly standardError: number; readonly worth: Guess };
  readonly cost: Guess;
}

const years = 20_000;

/** A risk whose name does not matter. */
type BareRisk = Omit<MoneyModel['risks'][number], 'name'>;

/** (gain - losses - cost) / cost over simulated years. @param money `cost` > 0 */
export function riskAdjustedReturn(risks: readonly BareRisk[], money: YearMoney): YearSpread {
  return simulateYears(risks, money, ({ left, cost }) => (left - cost) / cost);
}

/** gain - losses - cost over simulated years. */
export function riskAdjustedNet(risks: readonly BareRisk[], money: YearMoney): YearSpread {
  return simulateYears(risks, money, ({ left, cost }) => left - cost);
}

/** Mean loss of a year, two-sided risks left out, whose gains and losses are as likely. */
export function expectedLossOf(risks: readonly BareRisk[]): number {
  return risks.reduce(
    (sum, { probability, loss, twoSided }) => sum + (twoSided ? 0 : meanOf(probability) * meanOf(loss)),
    0,
  );
}

/** The mean of a guess: of low, likely and high it is a third of their sum. */
export function meanOf(guess: Guess): number {
  return typeof guess === 'number' ? guess : (guess.low + guess.likely + guess.high) / 3;
}

/**
 * Draws 20,000 years in which each risk comes true independently with its probability; always the same draws, so that the
 * same register gives the same answer.
 */
function simulateYears(
  risks: readonly BareRisk[],
  { gain, cost }: YearMoney,
  resultOf: (year: { readonly left: number; readonly cost: number }) => number,
): YearSpread {
  const random = createRandom(1);
  const plain = resultOf({
    left: typeof gain === 'number' ? gain : gain.estimate * meanOf(gain.worth),
    cost: meanOf(cost),
  });
  const values = Array.from({ length: years }, () => {
    const lost = risks.reduce((sum, { probability, loss, twoSided }) => {
      const comesTrue = random.uniform() < drawGuess(probability, random);
      const sign = twoSided && random.uniform() < 0.5 ? -1 : 1;
      return comesTrue ? sum + sign * drawGuess(loss, random) : sum;
    }, 0);
    const gained =
      typeof gain === 'number'
        ? gain
        : (gain.estimate + gain.standardError * random.normal()) * drawGuess(gain.worth, random);
    return resultOf({ left: gained - lost, cost: drawGuess(cost, random) });
  }).sort((left, right) => left - right);
  const at = (share: number): number => values[Math.min(years - 1, Math.floor(share * years))] ?? plain;
  const below = (limit: number): number => values.filter((each) => each < limit).length / years;
  return {
    mean: values.reduce((sum, each) => sum + each, 0) / years,
    p5: at(0.05),
    median: at(0.5),
    p95: at(0.95),
    worse: below(plain),
    negative: below(0),
  };
}

/** Triangular; a number is itself and takes no chance. @see Kotz & van Dorp 2004, Beyond Beta, chapter 1 */
function drawGuess(guess: Guess, random: Random): number {
  if (typeof guess === 'number') return guess;
  const { low, likely, high } = guess;
  if (high === low) return low;
  const share = random.uniform();
  const peak = (likely - low) / (high - low);
  return share < peak
    ? low + Math.sqrt(share * (high - low) * (likely - low))
    : high - Math.sqrt((1 - share) * (high - low) * (high - likely));
}
