// `assay power`: how many units, how many days, and what the plan can see.
import { type CriterionPower, type PowerPlan, planPower } from '../decision/index.ts';
import { type PlanningOptions, readPlanning } from './power/expectations.ts';
import { formatCount, renderPowerChart, wrapText } from './render/index.ts';
import { say, sayJson, style } from './terminal.ts';

/**
 * Plans the experiment and prints what came of it.
 * @throws AssayError as `readPlanning`.
 */
export async function powerCommand(options: PlanningOptions & { readonly json?: boolean }): Promise<void> {
  const { experiment, expectations } = await readPlanning(options);
  const plan = planPower(experiment, expectations);
  if (options.json) sayJson(plan);
  else for (const line of linesOf(plan)) say(line);
}

function linesOf(plan: PowerPlan): readonly string[] {
  const wrap = (text: string, indent = 2): readonly string[] => wrapText(text, { width: style.width, indent });
  const shares = Object.entries(plan.shares).map(([name, share]) => `${name} ${(share * 100).toFixed(0)} %`);
  return [
    ...wrap(
      `${plan.experiment}: ${formatCount(plan.unitsPerDay)} units a day (${shares.join(', ')}), ${methodText(plan.method)} at alpha ${plan.alpha}, power ${plan.power}.`,
    ),
    ...wrap(
      `The plan ends after ${daysText(plan.end.days)} with ${formatCount(plan.end.units)} units, and nothing ships before ${daysText(plan.minDays)}.`,
    ),
    '',
    'Expected of the control, and of the candidate beyond it',
    ...plan.metrics.map(
      ({ name, control, difference, origin }) =>
        `  ${name.padEnd(20)} ${number(control).padStart(10)}  ${(difference === 0 ? 'the same' : `${difference > 0 ? '+' : ''}${number(difference)}`).padStart(10)}  ${origin}`,
    ),
    '',
    ...plan.criteria.flatMap((criterion) => [...criterionLines(criterion, plan), '']),
    ...detectableLines(plan),
    `Chance that ${plan.criteria.filter(({ role }) => role === 'primary').length > 1 ? 'all primary criteria are' : 'the primary criterion is'} met, by day`,
    ...renderPowerChart(plan.curve, { power: plan.power, style }),
    ...(plan.assumed.length === 0
      ? []
      : [
          '',
          ...wrap(
            `Nobody said, so it was assumed: ${plan.assumed.join('; ')}. Give --baseline, --sd, --traffic, a --pilot, or spec.plan.expected.`,
          ),
        ]),
  ];
}

function criterionLines({ text, role, value, needed, atEnd }: CriterionPower, plan: PowerPlan): readonly string[] {
  const head = `${role}: ${text}${typeof value === 'number' ? `, expected ${number(value)}` : ''}`;
  if (typeof value !== 'number') return [head, ...below(`not planned: ${value.reason}`)];
  const units =
    'kind' in needed
      ? `not to be shown: ${needed.reason}`
      : `needs ${formatCount(needed.units)} units (${Object.entries(needed.byVariant)
          .map(([name, count]) => `${name} ${formatCount(count)}`)
          .join(
            ', ',
          )}): ${daysText(needed.days)}, in whole weeks ${daysText(needed.weekDays)}; ${needed.inflation.toFixed(1)} times those of one look at the end`;
  const end =
    'kind' in atEnd
      ? []
      : [
          ...('kind' in needed ? [] : [`power at the end of the plan ${chance(atEnd.power)}`]),
          `detectable at the end with power ${plan.power}: ${number(atEnd.detectable)}`,
        ];
  return [head, ...[units, end.join('; ')].filter((line) => line !== '').flatMap(below)];
}

/** Lines below a head, indented and no longer than the terminal is wide. */
function below(text: string): readonly string[] {
  return wrapText(text, { width: style.width - 2, indent: 2 }).map((line) => `  ${line}`);
}

/** What the first primary criterion must be to be seen, at some days of the plan. */
function detectableLines({ curve, criteria, power }: PowerPlan): readonly string[] {
  const first = criteria.find(({ role }) => role === 'primary');
  const shown = [0.1, 0.25, 0.5, 1].flatMap((part) => curve[Math.round(part * curve.length) - 1] ?? []);
  const cells = shown.flatMap(({ day, detectable }) =>
    typeof detectable === 'number' ? [`after ${daysText(day)}: ${number(detectable)}`] : [],
  );
  if (first === undefined || cells.length === 0) return [];
  return [`Detectable of ${first.text} with power ${power}`, ...below(cells.join(', ')), ''];
}

const number = (value: number): string => String(Number(value.toPrecision(4)));

const chance = (power: number): string =>
  power > 0.999 ? '> 0.999' : power < 0.001 ? '< 0.001' : power.toFixed(power > 0.95 ? 3 : 2);

/** Days as a plan is talked about; hours where it is short. */
function daysText(days: number): string {
  if (days < 1) return `${Number((days * 24).toPrecision(2))} h`;
  const text = days < 10 ? Number(days.toFixed(1)) : Math.ceil(days - 1e-9);
  return `${formatCount(Math.floor(Number(text)))}${String(text).includes('.') ? `.${String(text).split('.')[1]}` : ''} ${text === 1 ? 'day' : 'days'}`;
}

function methodText(method: PowerPlan['method']): string {
  switch (method) {
    case 'sequential':
      return 'watched all the time';
    case 'group-sequential':
      return 'looked at in twenty planned steps';
    case 'fixed':
      return 'looked at once at the end';
  }
}
