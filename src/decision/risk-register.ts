// What is left of a return when the risks may come true? The distribution over possible years, not one number.
import { createRandom } from '../stats/index.ts';

/** One risk of a year. */
interface Risk {
  /** 0..1 */
  readonly probability: number;
  readonly loss: number;
  /** As likely a gain as a loss of this size. */
  readonly twoSided?: boolean;
}

/** (gain - losses - cost) / cost over simulated years. */
export interface RiskAdjustedReturn {
  readonly mean: number;
  readonly p5: number;
  readonly median: number;
  readonly p95: number;
  /** Share of years with a return below that without any risk. */
  readonly worse: number;
  /** Share of years in which money is lost. */
  readonly negative: number;
}

const years = 20_000;

/**
 * Draws 20,000 years in which each risk comes true independently with its probability; always the same draws, so that the
 * same register gives the same answer.
 * @param money `cost` > 0
 */
export function riskAdjustedReturn(
  risks: readonly Risk[],
  money: { readonly gain: number; readonly cost: number },
): RiskAdjustedReturn {
  const random = createRandom(1);
  const plain = (money.gain - money.cost) / money.cost;
  const returns = Array.from({ length: years }, () => {
    const lost = risks.reduce((sum, { probability, loss, twoSided }) => {
      const comesTrue = random.uniform() < probability;
      const sign = twoSided && random.uniform() < 0.5 ? -1 : 1;
      return comesTrue ? sum + sign * loss : sum;
    }, 0);
    return (money.gain - lost - money.cost) / money.cost;
  }).sort((left, right) => left - right);
  const at = (share: number): number => returns[Math.min(years - 1, Math.floor(share * years))] ?? plain;
  const below = (limit: number): number => returns.filter((each) => each < limit).length / years;
  return {
    mean: returns.reduce((sum, each) => sum + each, 0) / years,
    p5: at(0.05),
    median: at(0.5),
    p95: at(0.95),
    worse: below(plain),
    negative: below(0),
  };
}
