// What is the difference worth? Terms, net value and what either choice may cost.
import {
  boundsText,
  differenceText,
  levelText,
  probabilityText,
  shareText,
  type ValueEntry,
} from '../../decision/index.ts';
import { moneyLines } from '../render/index.ts';
import { html, type Markup, table } from './markup.ts';
import { absent, effectText, type Sheet, stamp } from './sheet.ts';

/** What each candidate is worth. */
export function drawValues(sheet: Sheet): readonly (Markup | undefined)[] {
  const { report, withheld, isMarked } = sheet;
  const entries = report.values.filter(({ terms }) => terms.length > 0);
  if (entries.length === 0) return [];
  if (withheld !== undefined) return [html`<p class="withheld">${withheld}</p>`];
  return [isMarked ? stamp : undefined, ...entries.flatMap((entry) => drawValue(sheet, entry))];
}

function drawValue(
  { report, figures }: Sheet,
  { variant, unit, net, terms, money }: ValueEntry,
): readonly (Markup | undefined)[] {
  const isKnown = 'estimate' in net;
  const interval = isKnown
    ? net.sequential !== undefined && net.sequential.kind !== 'insufficient'
      ? net.sequential
      : net.interval
    : undefined;
  const rows = table(`${variant} instead of ${report.control}, in ${unit}`, {
    heads: ['term', 'from', 'estimate', 'interval', 'share of the variance'],
    rows: [
      ...terms.map(({ name, metric, estimate, varianceShare }) => [
        name,
        metric,
        typeof estimate === 'number' ? differenceText(estimate, { unit: 'number' }) : absent(estimate),
        '',
        typeof varianceShare === 'number' ? shareText(varianceShare) : absent(varianceShare),
      ]),
      [
        'net value',
        '',
        isKnown ? differenceText(net.estimate, { unit: 'number', interval }) : absent(net),
        interval === undefined ? '' : boundsText(interval, { unit: 'number' }),
        '',
      ],
    ],
  });
  if (!isKnown || interval === undefined) return [rows];
  const chance =
    typeof net.probabilityAbove === 'number' ? probabilityText(net.probabilityAbove) : net.probabilityAbove.reason;
  const loss = net.expectedLoss;
  const words = [
    `P(net value > ${levelText(net.threshold, { unit: 'number' })}) is ${chance}.`,
    ...(loss !== undefined && 'candidate' in loss
      ? [
          `Expected loss of taking ${variant}: ${levelText(loss.candidate, { unit: 'number' })} ${unit}; of keeping ${report.control}: ${levelText(loss.control, { unit: 'number' })} ${unit}.`,
        ]
      : []),
    ...(net.omits.length > 0 ? [`The interval leaves out the noise of ${net.omits.join(', ')}: it is not known.`] : []),
  ];
  const picture =
    interval.kind === 'bounded'
      ? figures.effects(
          [
            {
              label: `net value, ${variant}`,
              estimate: net.estimate,
              lower: interval.lower,
              upper: interval.upper,
              limit: net.threshold,
              state: interval.lower > net.threshold ? 'better' : interval.upper < net.threshold ? 'worse' : 'undecided',
            },
          ],
          {
            axis: unit,
            caption: `Net value of ${variant}: ${effectText({ ...interval, estimate: net.estimate })} ${unit}; the dashed tick is what was asked, ${levelText(net.threshold, { unit: 'number' })}.`,
          },
        )
      : undefined;
  const inMoney = moneyLines(money);
  return [
    rows,
    html`<p>${words.join(' ')}</p>`,
    inMoney.length === 0 ? undefined : html`<ul>${inMoney.map((line) => html`<li>${line.trim()}</li>`)}</ul>`,
    picture,
  ];
}
