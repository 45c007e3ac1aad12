// What did the variants do, metric by metric? Tables and pictures of levels, differences, criteria and segments.
import {
  boundsText,
  countText,
  levelText,
  type MetricEntry,
  probabilityText,
  pValueText,
  type Report,
} from '../../decision/index.ts';
import type { EffectRow } from './figures.ts';
import { html, type Markup, table } from './markup.ts';
import {
  absent,
  type Cell,
  differenceCells,
  effectText,
  level,
  type Sheet,
  shownInterval,
  stamp,
  withheldCell,
} from './sheet.ts';

/** The table of metrics, and a picture for each unit. */
export function drawMetrics(sheet: Sheet): readonly (Markup | undefined)[] {
  const { report, withheld, isMarked } = sheet;
  const rows = report.metrics.flatMap((metric) => metricRows(sheet, metric));
  const whole = table('Level of each variant, and the difference from the control with its interval', {
    heads: ['metric', 'role', 'variant', 'n', 'level', 'difference', 'interval', 'relative', 'p'],
    rows,
  });
  return [isMarked ? stamp : undefined, whole, ...(withheld === undefined ? effectFigures(sheet) : [])];
}

function metricRows(sheet: Sheet, { name, role, variants }: MetricEntry): readonly (readonly Cell[])[] {
  const { report, unitOf, withheld } = sheet;
  const unit = unitOf(name);
  return variants.map(({ variant, n, estimate, interval, difference, waiting }, place) => {
    const shown =
      typeof estimate === 'number'
        ? levelText(estimate, { unit, ...(interval === undefined ? {} : { interval }) })
        : absent(estimate);
    const head: readonly Cell[] = [
      place === 0 ? name : '',
      place === 0 ? role : '',
      variant,
      `${countText(n)}${waiting === undefined || waiting === 0 ? '' : ` (${countText(waiting)} waiting)`}`,
      shown,
    ];
    if (variant === report.control) return [...head, '', '', '', ''];
    if (withheld !== undefined) return [...head, withheldCell(withheld), '', '', ''];
    return [...head, ...differenceCells(difference, unit)];
  });
}

/** One picture per unit: effects in one unit share a scale, others cannot. */
function effectFigures(sheet: Sheet): readonly Markup[] {
  const { report, unitOf, figures } = sheet;
  const groups = new Map<string, EffectRow[]>();
  for (const { name, variants } of report.metrics)
    for (const { variant, difference } of variants) {
      if (difference === undefined || 'reason' in difference) continue;
      const interval = shownInterval(difference);
      if (interval.kind !== 'bounded') continue;
      const unit = unitOf(name);
      const axis = unit === 'share' ? 'percentage points' : unit === 'ms' ? 'milliseconds' : name;
      const factor = unit === 'share' ? 100 : 1;
      const row: EffectRow = {
        label: report.variants.length > 2 ? `${name}, ${variant}` : name,
        estimate: difference.absolute * factor,
        lower: interval.lower * factor,
        upper: interval.upper * factor,
        state: stateOf(report, { metric: name, variant, lower: interval.lower, upper: interval.upper }),
      };
      groups.set(axis, [...(groups.get(axis) ?? []), row]);
    }
  return [...groups].map(([axis, rows]) =>
    figures.effects(rows, {
      axis: `difference from ${report.control}, ${axis}`,
      caption: `Differences from ${report.control} in ${axis}: ${rows.map((row) => `${row.label} ${effectText(row)}`).join('; ')}.`,
    }),
  );
}

/** Coloured only where a criterion says which way is better and the interval lies wholly on one side of no difference. */
function stateOf(
  report: Report,
  {
    metric,
    variant,
    lower,
    upper,
  }: { readonly metric: string; readonly variant: string; readonly lower: number; readonly upper: number },
): EffectRow['state'] {
  if (lower <= 0 && upper >= 0) return 'undecided';
  const named = new RegExp(`(^|[^\\w.])${metric}($|[^\\w])`);
  const criterion = report.criteria.find((each) => each.variant === variant && named.test(each.text));
  const better =
    criterion === undefined
      ? undefined
      : criterion.text.includes('>')
        ? 1
        : criterion.text.includes('<')
          ? -1
          : undefined;
  if (better === undefined) return 'undecided';
  return Math.sign(lower + upper) === better ? 'better' : 'worse';
}

/** What was declared, and where it stands. */
export function drawCriteria({ report, withheld }: Sheet): Markup | undefined {
  if (report.criteria.length === 0) return undefined;
  return table('What was declared beforehand, and where it stands', {
    heads: ['criterion', 'role', 'variant', 'outcome', 'now', 'interval', 'probability', 'by'],
    rows: report.criteria.map(({ text, role, variant, outcome, estimate, interval, probability, method }) =>
      withheld !== undefined
        ? [text, role, variant, withheldCell(withheld), '', '', '', '']
        : [
            text,
            role,
            variant,
            outcome.replace('-', ' '),
            typeof estimate === 'number' ? levelText(estimate, { unit: 'number', interval }) : absent(estimate),
            interval.kind === 'insufficient'
              ? absent(interval)
              : boundsText(interval, { unit: 'number', isLevel: true }),
            typeof probability === 'number' ? probabilityText(probability) : absent(probability),
            method ?? '',
          ],
    ),
  });
}

/** The deciding metrics by segment. */
export function drawSegments({ report, unitOf, withheld, isMarked }: Sheet): readonly (Markup | undefined)[] {
  if (report.segments.length === 0) return [];
  const names = [...new Set(report.segments.map(({ segment }) => segment))];
  return [
    isMarked ? stamp : undefined,
    ...names.map((name) =>
      table(`By ${name}`, {
        heads: [name, 'metric', 'variant', 'n', 'level', 'difference', 'interval'],
        rows: report.segments
          .filter(({ segment }) => segment === name)
          .flatMap(({ value, metrics }) =>
            metrics
              .filter(({ role }) => role === 'primary' || role === 'guardrail')
              .flatMap((metric) =>
                metric.variants.map(({ variant, n, estimate, difference }): readonly Cell[] => {
                  const unit = unitOf(metric.name);
                  const head: readonly Cell[] = [value, metric.name, variant, countText(n), level(estimate, unit)];
                  if (variant === report.control) return [...head, '', ''];
                  if (withheld !== undefined) return [...head, withheldCell(withheld), ''];
                  return [...head, ...differenceCells(difference, unit).slice(0, 2)];
                }),
              ),
          ),
      }),
    ),
    ...(withheld === undefined
      ? (report.segmentEffects ?? []).map(
          ({ segment, metric, variant, sameEffectPValue }) =>
            html`<p>${segment}, ${metric}, ${variant}: that the effect is the same for all values has ${pValueText(sameEffectPValue)}.</p>`,
        )
      : []),
  ];
}
