// What changed over time, and how long did answers take? Pictures that a server's answers are drawn into, with their numbers in words.
import { boundsText, countText, shareText } from '../../decision/index.ts';
import type { LineRow } from './figures.ts';
import { html, type Markup, table } from './markup.ts';
import { level, plain, type Sheet, stamp } from './sheet.ts';

/** Estimates at every look, with the band that is valid at all of them. */
export function drawLooks({ input, report, figures, withheld, isMarked }: Sheet): readonly (Markup | undefined)[] {
  const looks = (input.series?.looks ?? []).filter(({ points }) => points.length > 1);
  if (looks.length === 0) return [];
  if (withheld !== undefined) return [html`<p class="withheld">${withheld}</p>`];
  return [
    isMarked ? stamp : undefined,
    ...looks.map(({ metric, variant, limit, points }) => {
      const last = points.at(-1);
      const rows = points.map(
        ({ units, estimate, lower, upper }): LineRow => ({
          name: variant,
          x: units,
          y: estimate,
          ...(lower === undefined || upper === undefined ? {} : { lower, upper }),
        }),
      );
      const bounds =
        last?.lower === undefined || last.upper === undefined
          ? ''
          : ` (${boundsText({ kind: 'bounded', lower: last.lower, upper: last.upper }, { unit: 'number' })})`;
      return figures.lines(rows, {
        caption: `${metric} for ${variant} at ${points.length} looks: now ${plain(last?.estimate ?? 0)}${bounds}; the band is valid at every look.`,
        x: 'units',
        y: metric,
        names: [report.control, variant],
        ...(limit === undefined ? {} : { limit }),
      });
    }),
  ];
}

/** Shares over time with the band they would keep to. */
export function drawSplit({ input, report, figures }: Sheet): Markup | undefined {
  const split = input.series?.split;
  if (split === undefined || !('points' in split) || split.points.length < 2) return undefined;
  const others = report.variants.map(({ name }) => name).filter((name) => name !== report.control);
  const rows = split.points.flatMap(({ at, share, band }) =>
    others.map(
      (name): LineRow => ({
        name,
        x: new Date(at),
        y: share[name] ?? 0,
        lower: band[name]?.lower ?? 0,
        upper: band[name]?.upper ?? 1,
      }),
    ),
  );
  const last = split.points.at(-1);
  const now = others.map(
    (name) => `${name} ${shareText(last?.share[name] ?? 0)} (asked ${shareText(last?.expected[name] ?? 0)})`,
  );
  return figures.lines(rows, {
    caption: `Share of units: ${now.join(', ')}. A line outside its band says the split is not as declared.`,
    x: 'time (UTC)',
    y: 'share of units, %',
    names: [report.control, ...others],
    isPercent: true,
  });
}

/** Latency curves and their quantiles. */
export function drawLatency({ input, figures }: Sheet): readonly (Markup | undefined)[] {
  const known = (input.distributions?.variants ?? []).filter(({ points }) => 'length' in points);
  if (known.length === 0) return [];
  const rows = known.flatMap(({ variant, points }) =>
    ('length' in points ? points : []).map(
      ({ ms, share }): LineRow => ({ name: variant, x: Math.max(ms, 0.01), y: share }),
    ),
  );
  return [
    figures.lines(rows, {
      caption: `Share of attempts that took at most so long: ${known.map(({ variant, n }) => `${variant}, ${countText(n)} attempts`).join('; ')}.`,
      x: 'milliseconds',
      y: 'share of attempts, %',
      names: known.map(({ variant }) => variant),
      isPercent: true,
      isLogarithmic: true,
    }),
    table('Latency of the variants’ own attempts', {
      heads: ['variant', 'attempts', ...(known[0]?.quantiles ?? []).map(({ q }) => `p${q * 100}`)],
      rows: known.map(({ variant, n, quantiles }) => [
        variant,
        countText(n),
        ...quantiles.map(({ ms }) => level(ms, 'ms')),
      ]),
    }),
  ];
}

/** Levels by the time of first exposure. */
export function drawLevels({ report, figures, unitOf, withheld }: Sheet): readonly (Markup | undefined)[] {
  const series = report.series ?? [];
  const metrics = [...new Set(series.map(({ metric }) => metric))];
  if (withheld !== undefined) return [];
  return metrics.map((metric) => {
    const mine = series.filter((each) => each.metric === metric && each.points.length > 1);
    if (mine.length === 0) return undefined;
    const unit = unitOf(metric);
    return figures.lines(
      mine.flatMap(({ variant, points }) =>
        points.map(({ at, estimate }): LineRow => ({ name: variant, x: new Date(at), y: estimate })),
      ),
      {
        caption: `${metric} by the time of the units’ first exposure.`,
        x: 'time (UTC)',
        y: `${metric}${unit === 'share' ? ', %' : unit === 'ms' ? ', ms' : ''}`,
        names: mine.map(({ variant }) => variant),
        isPercent: unit === 'share',
      },
    );
  });
}
