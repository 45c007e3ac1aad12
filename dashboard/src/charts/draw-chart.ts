// How is a chart drawn? Observable Plot, cleaned of what breaks under the page's rules: inline styles and labels without a role.
import {
  areaY,
  axisX,
  axisY,
  dot,
  gridY,
  line,
  type Markish,
  type PlotOptions,
  plot,
  rectY,
  ruleX,
  ruleY,
  text,
} from '@observablehq/plot';
import { countText, levelText } from '../../../src/decision/index.ts';
import { markColours, markDashes } from '../parts/variant-mark.tsx';
import type { ChartInput, Flag } from './chart-input.ts';

/** What drawing needs from the page. */
export interface DrawOptions {
  readonly width: number;
  readonly height: number;
  /** Name of the whole picture. */
  readonly label: string;
  /** The colour behind a token. */
  readonly colour: (token: string) => string;
}

/** A drawn chart, and where a value of its x axis lies in it, pixels. */
export interface DrawnChart {
  readonly svg: SVGSVGElement;
  readonly xAt: (value: number) => number;
  readonly top: number;
  readonly bottom: number;
}

type Kind<Name extends ChartInput['kind']> = Extract<ChartInput, { readonly kind: Name }>;

const margins = { marginLeft: 64, marginRight: 24, marginTop: 22, marginBottom: 34 } as const;

/** Draws one chart; colours are attributes, so that exports keep them. */
export function drawChart(input: ChartInput, options: DrawOptions): DrawnChart {
  const { width, height, colour } = options;
  const built = plot({
    ...margins,
    width,
    height,
    className: 'assay-plot',
    style: { background: 'transparent' },
    ...optionsOf(input, options),
  }) as (SVGSVGElement | HTMLElement) & { scale(name: string): { apply(value: unknown): number } | undefined };
  const svg = (built instanceof SVGSVGElement ? built : built.querySelector('svg')) as SVGSVGElement;
  const scale = built.scale('x');
  clean(svg, { label: options.label, text: colour('text') });
  return {
    svg,
    xAt: (value) => scale?.apply(value) ?? 0,
    top: margins.marginTop,
    bottom: height - margins.marginBottom,
  };
}

function clean(
  svg: SVGSVGElement,
  { label, text: textColour }: { readonly label: string; readonly text: string },
): void {
  // Inline styles are forbidden by the page's policy; the sheet of the page and the attributes below say the same.
  svg.querySelector('style')?.remove();
  svg.removeAttribute('style');
  for (const group of svg.querySelectorAll('[aria-label]')) group.removeAttribute('aria-label');
  for (const group of svg.querySelectorAll('[aria-hidden]')) group.removeAttribute('aria-hidden');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', label);
  svg.setAttribute('color', textColour);
  svg.setAttribute('fill', 'currentColor');
}

function optionsOf(input: ChartInput, options: DrawOptions): PlotOptions {
  switch (input.kind) {
    case 'looks':
      return drawLooks(input, options);
    case 'shares':
      return drawShares(input, options);
    case 'counts':
      return drawCounts(input, options);
    case 'levels':
      return drawLevels(input, options);
    case 'latency':
      return drawLatency(input, options);
    case 'power':
      return drawPower(input, options);
  }
}

const axisFor = (colour: DrawOptions['colour']) => ({
  stroke: colour('control-border'),
  fill: colour('muted'),
  fontSize: 11,
});

function frame(
  { colour, width }: DrawOptions,
  { format, xFormat }: { readonly format: (value: number) => string; readonly xFormat?: (value: number) => string },
): Markish[] {
  const style = axisFor(colour);
  return [
    gridY({ stroke: colour('border'), strokeOpacity: 1 }),
    axisY({ ...style, stroke: 'none', label: null, tickSize: 0, ticks: 5, tickFormat: format as never }),
    axisX({
      ...style,
      label: null,
      ticks: Math.max(2, Math.floor(width / 110)),
      ...(xFormat === undefined ? {} : { tickFormat: xFormat as never }),
    }),
  ];
}

function flagMarks(all: readonly Flag[], { colour, width }: DrawOptions): Markish[] {
  if (all.length === 0) return [];
  // Names that would stand on one another share a flag.
  const span = Math.max(1, Math.max(...all.map(({ at }) => at)) - Math.min(...all.map(({ at }) => at)));
  const flags: Flag[] = [];
  for (const flag of [...all].sort((a, b) => a.at - b.at)) {
    const last = flags.at(-1);
    const isNear = last !== undefined && ((flag.at - last.at) / span) * width < 70;
    if (isNear && !last.text.includes(flag.text))
      flags[flags.length - 1] = { at: last.at, text: `${last.text}, ${flag.text}` };
    if (!isNear) flags.push(flag);
  }
  return [
    ruleX(flags, { x: 'at', stroke: colour('muted'), strokeDasharray: '1 3' }),
    text(flags, {
      x: 'at',
      text: 'text',
      frameAnchor: 'top',
      dy: -14,
      textAnchor: 'start',
      fill: colour('muted'),
      fontSize: 10.5,
    }),
  ];
}

function drawLooks(input: Kind<'looks'>, options: DrawOptions): PlotOptions {
  const { colour } = options;
  const { points, limit, place, unit } = input;
  const own = colour(markColours[place] ?? 'variant-1');
  const banded = points.filter(({ lower, upper }) => lower !== undefined && upper !== undefined);
  const last = banded.at(-1);
  const centre = last?.estimate ?? points.at(-1)?.estimate ?? 0;
  const reach =
    last === undefined
      ? Math.max(1e-9, ...points.map(({ estimate }) => Math.abs(estimate - centre))) * 1.6
      : 1.6 * Math.max(last.upper! - centre, centre - last.lower!);
  const ends = [centre - reach, centre + reach, ...(limit === undefined ? [] : [limit]), 0];
  // Zero and the limit are drawn only where they do not flatten what is to be seen.
  const near = ends.filter((value) => Math.abs(value - centre) <= 2.5 * reach);
  const margin = (Math.max(...near) - Math.min(...near)) * 0.04;
  const [floor, ceiling] = [Math.min(...near) - margin, Math.max(...near) + margin];
  const isTime = input.xIs === 'time';
  const step = { curve: 'step-after' as const, x: 'x', clip: true };
  return {
    x: isTime ? { type: 'time' } : { type: 'linear', nice: true },
    y: { domain: [floor, ceiling] },
    marks: [
      ...frame(options, {
        format: (value) => levelText(value, { unit }),
        ...(isTime ? {} : { xFormat: countText }),
      }),
      areaY(banded, { ...step, y1: 'lower', y2: 'upper', fill: own, fillOpacity: 0.16 }),
      line(banded, { ...step, y: 'lower', stroke: own, strokeWidth: 1.25 }),
      line(banded, { ...step, y: 'upper', stroke: own, strokeWidth: 1.25 }),
      line(points, { ...step, y: 'fixedLower', stroke: colour('undecided'), strokeDasharray: '3 3' }),
      line(points, { ...step, y: 'fixedUpper', stroke: colour('undecided'), strokeDasharray: '3 3' }),
      ruleY([0], { stroke: colour('control'), strokeWidth: 1.5, clip: true }),
      ...(limit === undefined ? [] : [ruleY([limit], { stroke: colour('muted'), strokeDasharray: '5 4', clip: true })]),
      line(points, { ...step, y: 'estimate', stroke: own, strokeWidth: 2.25 }),
      dot(points.slice(-1), { x: 'x', y: 'estimate', r: 4, fill: own }),
      ruleX(points, {
        x: 'x',
        y1: floor,
        y2: floor + (ceiling - floor) * 0.03,
        stroke: colour('muted'),
        strokeWidth: 1,
      }),
      ...(isTime ? flagMarks(input.flags, options) : []),
    ].filter((mark) => mark !== null),
  };
}

function drawShares(input: Kind<'shares'>, options: DrawOptions): PlotOptions {
  const { colour } = options;
  const shares = input.lines.flatMap(({ points }) => points.flatMap(({ share, expected }) => [share, expected]));
  const [low, high] = [Math.min(...shares), Math.max(...shares)];
  // Near the declared share is where it matters; the wide beginning is cut.
  const from = Math.max(0, low - 0.05);
  const to = Math.min(1, high + 0.05);
  return {
    x: { type: 'time' },
    y: { domain: [from, to] },
    marks: [
      ...frame(options, { format: (value) => `${Math.round(value * 1000) / 10} %` }),
      ...input.lines.flatMap(({ points, place, isOutside }) => {
        const own = colour(isOutside ? 'worse' : (markColours[place] ?? 'variant-1'));
        const channels = { x: 'at', z: 'epoch', clip: true };
        return [
          areaY(points, { ...channels, y1: 'lower', y2: 'upper', fill: colour('undecided'), fillOpacity: 0.18 }),
          line(points, { ...channels, y: 'expected', stroke: colour('muted'), strokeDasharray: '5 4' }),
          line(points, {
            ...channels,
            y: 'share',
            stroke: own,
            strokeWidth: 2.25,
            strokeDasharray: markDashes[place] ?? 'none',
          }),
          dot(points.slice(-1), { x: 'at', y: 'share', r: 4, fill: own }),
        ];
      }),
      ...flagMarks(input.flags, options),
    ],
  };
}

function drawCounts(input: Kind<'counts'>, options: DrawOptions): PlotOptions {
  const { colour } = options;
  const rows = new Map<number, number>();
  const bars = input.stacks.flatMap(({ token, isHatched, points }) =>
    points.map(({ at, count }) => {
      const from = rows.get(at) ?? 0;
      rows.set(at, from + count);
      return {
        at,
        to: at + input.everyMs,
        from,
        until: from + count,
        fill: colour(token),
        isHatched: isHatched === true,
      };
    }),
  );
  const common = { x1: 'at', x2: 'to', y1: 'from', y2: 'until', insetLeft: 0.5, insetRight: 0.5 } as const;
  return {
    x: { type: 'time' },
    y: { nice: true, domain: [0, Math.max(1, ...rows.values())] },
    marks: [
      ...frame(options, { format: countText }),
      rectY(
        bars.filter(({ isHatched }) => !isHatched),
        { ...common, fill: 'fill' },
      ),
      // Hatched without a pattern: an outline alone also survives export and forced colours.
      rectY(
        bars.filter(({ isHatched }) => isHatched),
        { ...common, fill: 'none', stroke: 'fill', strokeDasharray: '3 2' },
      ),
      ruleY([0], { stroke: colour('control-border') }),
    ],
  };
}

function drawLevels(input: Kind<'levels'>, options: DrawOptions): PlotOptions {
  const { colour } = options;
  return {
    x: { type: 'time' },
    y: { nice: true },
    marks: [
      ...frame(options, { format: (value) => levelText(value, { unit: input.unit }) }),
      ...input.lines.flatMap(({ points, place }) => {
        const own = colour(markColours[place] ?? 'variant-1');
        return [
          line(points, {
            x: 'at',
            y: 'estimate',
            stroke: own,
            strokeWidth: 2,
            strokeDasharray: markDashes[place] ?? 'none',
          }),
          dot(points, { x: 'at', y: 'estimate', r: 2.5, fill: own }),
        ];
      }),
      ...flagMarks(input.flags, options),
    ],
  };
}

/** Percentiles whose distance grows with the nines. */
const percentileTicks = [0, 0.5, 0.9, 0.95, 0.99, 0.999] as const;
const nines = (share: number): number => -Math.log10(1 - share);

function drawLatency(input: Kind<'latency'>, options: DrawOptions): PlotOptions {
  const { colour } = options;
  const most = Math.max(1, ...input.variants.map(({ n }) => n));
  // A percentile with fewer than twenty slower attempts is noise.
  const ticks = percentileTicks.filter((share) => share <= 0.5 || most * (1 - share) >= 20);
  const top = ticks.at(-1) ?? 0.5;
  return {
    x: { type: 'log', nice: false },
    y: { domain: [0, nines(top) + 0.15] },
    marks: [
      gridY(ticks.map(nines), { stroke: colour('border'), strokeOpacity: 1 }),
      axisY(ticks.map(nines), {
        ...axisFor(colour),
        stroke: 'none',
        tickSize: 0,
        label: null,
        tickFormat: (value: number) => `${Number(((1 - 10 ** -value) * 100).toFixed(2))} %`,
      }),
      axisX({
        ...axisFor(colour),
        label: null,
        ticks: Math.max(3, Math.floor(options.width / 140)),
        tickFormat: ((value: number) =>
          /^[125]/.test(value.toExponential(0))
            ? levelText(value, { unit: 'ms' }).replace(/\.0+(?=\D)/, '')
            : '') as never,
      }),
      ...input.limits.map((limit) => ruleX([limit], { stroke: colour('muted'), strokeDasharray: '5 4' })),
      ...input.variants.flatMap(({ points, place, quantiles }) => {
        const own = colour(markColours[place] ?? 'variant-1');
        const drawn = points
          .filter(({ ms, share }) => ms > 0 && share < 1)
          .map(({ ms, share }) => ({ ms, y: nines(share) }));
        const marks = quantiles
          .filter(({ q, ms }) => ms > 0 && q <= top)
          .map((each) => ({ ...each, y: nines(each.q) }));
        return [
          line(drawn, {
            x: 'ms',
            y: 'y',
            stroke: own,
            strokeWidth: 2,
            curve: 'step-after',
            clip: true,
            strokeDasharray: markDashes[place] ?? 'none',
          }),
          ruleY(
            marks.filter(({ lower }) => lower !== undefined),
            { x1: 'lower', x2: 'upper', y: 'y', stroke: own, strokeWidth: 4, strokeOpacity: 0.5 },
          ),
          dot(marks, {
            x: 'ms',
            y: 'y',
            r: 4.5,
            fill: own,
            symbol: place === 0 ? 'circle' : place === 1 ? 'square' : place === 2 ? 'triangle' : 'diamond',
          }),
        ];
      }),
    ],
  };
}

function drawPower(input: Kind<'power'>, options: DrawOptions): PlotOptions {
  const { colour } = options;
  const { points, wanted } = input;
  const own = colour('variant-1');
  const banded = points.filter(({ lower, upper }) => lower !== undefined && upper !== undefined);
  const reached = points.find(({ power }) => power >= wanted);
  return {
    y: { domain: [0, 1] },
    marks: [
      ...frame(options, { format: (value) => `${Math.round(value * 100)} %`, xFormat: (value) => `${value} d` }),
      areaY(banded, { x: 'days', y1: 'lower', y2: 'upper', fill: own, fillOpacity: 0.16 }),
      line(points, { x: 'days', y: 'power', stroke: own, strokeWidth: 2.25 }),
      ruleY([wanted], { stroke: colour('muted'), strokeDasharray: '5 4' }),
      ...(reached === undefined ? [] : [dot([reached], { x: 'days', y: 'power', r: 5, fill: own })]),
    ],
  };
}
