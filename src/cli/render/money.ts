// What does a value in money look like in a terminal? The year's sum, what it costs, and how far it may miss.
import type { ValueEntry } from '../../decision/index.ts';
import { formatCount, formatProbability } from './format.ts';

type Money = NonNullable<ValueEntry['money']>;

/** Lines of plain sentences, to be wrapped by the caller; none without a money model. */
export function moneyLines(money: Money | undefined): readonly string[] {
  if (money === undefined) return [];
  if ('reason' in money) return [`  a year: no answer, ${money.reason}`];
  const { currency, gain, gainInterval, infrastructure, net, expectedLoss, returnOnCost, choices, years, returns } =
    money;
  const amount = (value: number): string => `${value < 0 ? '-' : ''}${formatCount(Math.abs(round(value)))}`;
  const percent = (share: number): string => `${amount(100 * share)} %`;
  const interval =
    gainInterval.kind === 'bounded' ? ` [${amount(gainInterval.lower)}, ${amount(gainInterval.upper)}]` : '';
  const returned = typeof returnOnCost === 'number' ? `, a return of ${percent(returnOnCost)}` : '';
  return [
    `  a year: ${amount(gain)} ${currency}${interval}, less ${amount(infrastructure)} to run it: ${amount(net)}${returned}`,
    ...(expectedLoss > 0
      ? [`  with the risks' mean loss of ${amount(expectedLoss)}: ${amount(net - expectedLoss)} ${currency}`]
      : []),
    ...('reason' in years
      ? []
      : [
          `  nine years of ten between ${amount(years.p5)} and ${amount(years.p95)} ${currency}${'reason' in returns ? '' : ` (${percent(returns.p5)} to ${percent(returns.p95)})`}; P(a loss) ${equals(formatProbability(years.negative))}`,
        ]),
    ...('reason' in choices
      ? []
      : [
          `  expected loss, if it is the wrong choice: of taking it ${amount(choices.candidate)}, of keeping the control ${amount(choices.control)} ${currency}`,
        ]),
  ];
}

/** Three digits that carry information; small amounts as they are. */
function round(value: number): number {
  if (Math.abs(value) < 1000) return value;
  const unit = 10 ** (Math.floor(Math.log10(Math.abs(value))) - 3);
  return Math.round(value / unit) * unit;
}

function equals(probability: string): string {
  return /^[<>]/.test(probability) ? probability : `= ${probability}`;
}
