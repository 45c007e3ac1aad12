// Which pictures does the file hold? Drawn by Observable Plot on a document without a browser, as SVG that needs nothing else.
import * as Plot from '@observablehq/plot';
import { Window } from 'happy-dom';
import { escapeText, html, type Markup, trusted } from './markup.ts';
import { palette } from './style.ts';

/** One effect: a dot and its interval. */
export interface EffectRow {
  readonly label: string;
  readonly estimate: number;
  readonly lower: number;
  readonly upper: number;
  /** `better` and `worse` only where the whole interval lies on one side of the line. */
  readonly state: 'better' | 'worse' | 'undecided';
  readonly limit?: number;
}

/** A line of points over time or over a share. */
export interface LineRow {
  readonly name: string;
  readonly x: number | Date;
  readonly y: number;
  readonly lower?: number;
  readonly upper?: number;
}

const width = 720;
const symbols = ['circle', 'square', 'triangle', 'diamond', 'triangle2'] as const;

/** Draws the figures of one file. */
export interface Figures {
  /** Effects that share a unit, on one scale; the control is the line at 0. */
  effects(rows: readonly EffectRow[], options: { readonly axis: string; readonly caption: string }): Markup;
  /** Lines with their bands. */
  lines(rows: readonly LineRow[], options: LineOptions): Markup;
}

interface LineOptions {
  readonly caption: string;
  readonly x: string;
  readonly y: string;
  /** In the order of their colours, the control first. */
  readonly names: readonly string[];
  /** A dashed line across. */
  readonly limit?: number;
  readonly isPercent?: boolean;
  /** Latencies span decades. */
  readonly isLogarithmic?: boolean;
}

/** The tools for one file. */
export function createFigures(): Figures {
  const { document } = new Window();
  const draw = (caption: string, options: Plot.PlotOptions): Markup => {
    const drawn = Plot.plot({
      // Its Document is the DOM's, as far as Plot uses it.
      document: document as unknown as NonNullable<Plot.PlotOptions['document']>,
      width,
      style: { fontFamily: 'system-ui, sans-serif', fontSize: '12px', color: palette.text, background: 'none' },
      ...options,
    });
    return html`<figure><figcaption>${caption}</figcaption>${trusted(accessible(drawn.outerHTML, caption))}</figure>`;
  };
  return {
    effects(rows, { axis, caption }) {
      const labels = [...new Set(rows.map(({ label }) => label))];
      const fill = (row: EffectRow): string => palette[row.state];
      return draw(caption, {
        height: 62 + 26 * labels.length,
        marginBottom: 42,
        marginLeft: Math.min(260, 20 + 7 * Math.max(...labels.map((label) => label.length))),
        x: { label: axis, grid: true, nice: true },
        y: { domain: labels, label: null },
        marks: [
          Plot.ruleX([0], { stroke: palette.control, strokeWidth: 1.5 }),
          Plot.ruleY(rows, { y: 'label', x1: 'lower', x2: 'upper', stroke: fill, strokeWidth: 4 }),
          Plot.dot(rows, { y: 'label', x: 'estimate', r: 5, fill: 'white', stroke: fill, strokeWidth: 2 }),
          Plot.tickX(
            rows.filter(({ limit }) => limit !== undefined),
            { y: 'label', x: 'limit', stroke: palette.text, strokeDasharray: '3 2' },
          ),
        ],
      });
    },
    lines(rows, { caption, x, y, names, limit, isPercent = false, isLogarithmic = false }) {
      const colours = names.map((_, place) =>
        place === 0 ? palette.control : (palette.variants[(place - 1) % palette.variants.length] ?? palette.undecided),
      );
      const banded = rows.filter(({ lower, upper }) => lower !== undefined && upper !== undefined);
      const ends = names.flatMap((name) => rows.findLast((row) => row.name === name) ?? []);
      return draw(caption, {
        height: 250,
        marginBottom: 42,
        marginLeft: 56,
        marginRight: 110,
        x: {
          label: x,
          ticks: 6,
          ...(isLogarithmic ? { type: 'log', tickFormat: (value: number) => String(value) } : {}),
        },
        y: { label: y, grid: true, nice: true, ...(isPercent ? { percent: true } : {}) },
        color: { domain: names as string[], range: colours },
        symbol: { domain: names as string[], range: symbols.slice(0, Math.max(1, names.length)) },
        marks: [
          ...(limit === undefined ? [] : [Plot.ruleY([limit], { stroke: palette.text, strokeDasharray: '4 3' })]),
          Plot.areaY(banded, { x: 'x', y1: 'lower', y2: 'upper', fill: 'name', fillOpacity: 0.16, z: 'name' }),
          Plot.lineY(rows, { x: 'x', y: 'y', stroke: 'name', strokeWidth: 2.25, z: 'name' }),
          Plot.dot(ends, { x: 'x', y: 'y', stroke: 'name', fill: 'white', symbol: 'name', r: 4 }),
          Plot.text(ends, { x: 'x', y: 'y', text: 'name', textAnchor: 'start', dx: 8, fill: 'name', fontWeight: 600 }),
        ],
      });
    },
  };
}

/** Labels on parts without a role are noise to a screen reader; the picture as a whole has the caption's words. */
function accessible(svg: string, caption: string): string {
  const quiet = svg.replace(/ aria-(label|description)="[^"]*"/g, '');
  return quiet.replace(/^<svg /, `<svg role="img" aria-label="${escapeText(caption)}" `);
}
