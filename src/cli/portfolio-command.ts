// `assay portfolio`: what all experiments of a namespace have brought together.
import type { Portfolio, PortfolioEntry } from '../decision/index.ts';
import { connect, type RemoteOptions } from './remote-commands.ts';
import { formatDifferenceWithInterval, formatQuantity, shorten, wrapText } from './render/index.ts';
import { say, sayJson, style } from './terminal.ts';

/** Prints the portfolio of the namespace. @throws AssayError `server-unreachable` and the server's own. */
export async function portfolioCommand(options: RemoteOptions & { readonly costPerTest?: number }): Promise<void> {
  const portfolio = await connect(options).portfolio(
    options.costPerTest === undefined ? {} : { costPerTest: options.costPerTest },
  );
  if (options.json) sayJson(portfolio);
  else for (const line of linesOf(portfolio)) say(line);
}

function linesOf(portfolio: Portfolio): readonly string[] {
  const { experiments, winRate, values, money, verdicts } = portfolio;
  if (experiments.length === 0) return ['No experiment has been started yet.'];
  const counts = Object.entries(verdicts).flatMap(([kind, count]) => (count === 0 ? [] : [`${kind} ${count}`]));
  const wrap = (text: string): readonly string[] => wrapText(text, { width: style.width, indent: 2 });
  return [
    ...experiments.flatMap(entryLines),
    '',
    ...wrap(`Verdicts: ${counts.length === 0 ? 'none yet' : counts.join(', ')}.`),
    ...wrap(
      'kind' in winRate
        ? `Win rate: ${winRate.reason}.`
        : `Win rate: ${winRate.ships} of ${winRate.decided}, ${formatQuantity(winRate.estimate, 'share')}${winRate.interval.kind === 'bounded' ? ` [${formatQuantity(winRate.interval.lower, 'share')}, ${formatQuantity(winRate.interval.upper, 'share')}]` : ''}.`,
    ),
    ...values.flatMap(({ unit, experiments: count, mean, shipped, shippedMeasured }) =>
      wrap(
        'kind' in mean || 'kind' in shipped
          ? `In ${unit}: ${count} ${count === 1 ? 'experiment' : 'experiments'}; too few to tell luck from effect (it takes 4). Shipped, as measured: ${formatQuantity(shippedMeasured, 'number')}.`
          : `In ${unit}: ${count} experiments, true effects of ${formatDifferenceWithInterval(mean.estimate, mean.interval, 'number')} on average. Shipped: ${formatDifferenceWithInterval(shipped.estimate, shipped.interval, 'number')} with luck taken out, ${formatQuantity(shippedMeasured, 'number')} as measured.`,
      ),
    ),
    ...money.flatMap(({ currency, net, returnOnTesting }) =>
      wrap(
        `A year: ${Math.round(net).toLocaleString('en-US')} ${currency}${typeof returnOnTesting === 'number' ? `, a return on testing of ${formatQuantity(returnOnTesting, 'share')}` : '; give --cost-per-test for the return on testing'}.`,
      ),
    ),
  ];
}

function entryLines({ name, state, verdict, unit, net, shrunken }: PortfolioEntry): readonly string[] {
  const effect = (each: PortfolioEntry['net']): string =>
    'kind' in each ? 'no answer' : formatDifferenceWithInterval(each.estimate, each.interval, 'number');
  const decided = 'reason' in verdict ? verdict.reason : verdict.kind;
  const value =
    'kind' in net ? '' : `; ${effect(net)} ${unit}${'kind' in shrunken ? '' : `, shrunken ${effect(shrunken)}`}`;
  return wrapText(`${shorten(name, 28).padEnd(28)} ${state.padEnd(12)} ${decided}${value}`, {
    width: style.width,
    indent: 4,
  }).map((line, at) => (at === 0 ? line : `    ${line.trimStart()}`));
}
