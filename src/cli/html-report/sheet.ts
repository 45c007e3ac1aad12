// What do all parts of the file share? What it is made from, and how a number, a missing one and a withheld one are written.
import type { DistributionsAnswer, SeriesAnswer } from '../../api/index.ts';
import {
  boundsText,
  type Difference,
  differenceText,
  type FigureUnit,
  levelText,
  pValueText,
  type Report,
  relativeText,
} from '../../decision/index.ts';
import type { Insufficient } from '../../evidence/index.ts';
import type { EffectRow, Figures } from './figures.ts';
import { html, type Markup } from './markup.ts';

/** What a file is made from. */
export interface HtmlReportInput {
  readonly report: Report;
  /** When the numbers were made, ISO 8601. */
  readonly asOf: string;
  /** SHA-256 of the report, hex: cites exactly these numbers. */
  readonly digest: string;
  /** How each metric is written; default: proportions are shares, the rest plain numbers. */
  readonly units?: Readonly<Record<string, FigureUnit>>;
  readonly hypothesis?: string;
  /** For example `running, revision 3`. */
  readonly state?: string;
  /** Pictures over time and of latency, where a server knows them. */
  readonly series?: SeriesAnswer;
  readonly distributions?: DistributionsAnswer;
  /** Shows effects of a broken experiment all the same, marked. */
  readonly showInvalid?: boolean;
}

/** One file being written. */
export interface Sheet {
  readonly input: HtmlReportInput;
  readonly report: Report;
  readonly figures: Figures;
  readonly unitOf: (metric: string) => FigureUnit;
  /** Why effects are not shown; undefined where they are. */
  readonly withheld: string | undefined;
  /** True where they are shown although the experiment is broken. */
  readonly isMarked: boolean;
}

/** Content of a cell. */
export type Cell = string | Markup;

/** The reason in place of a number that is not known. */
export function absent({ reason }: Insufficient): Markup {
  return html`<span class="muted words">${reason}</span>`;
}

/** A level in its unit, or why there is none. */
export function level(value: number | Insufficient, unit: FigureUnit): Cell {
  return typeof value === 'number' ? levelText(value, { unit }) : absent(value);
}

/** In place of an effect that no conclusion may be drawn from. */
export const withheldCell = (reason: string): Markup => html`<span class="withheld">${reason}</span>`;

/** Marks a part that shows effects of a broken experiment. */
export const stamp: Markup = html`<p class="stamp">INVALID: the split is broken</p>`;

/** Difference, interval, relative difference and p-value. */
export function differenceCells(difference: Difference | Insufficient | undefined, unit: FigureUnit): readonly Cell[] {
  if (difference === undefined) return ['', '', '', ''];
  if ('reason' in difference) return [absent(difference), '', '', ''];
  const interval = shownInterval(difference);
  const { absolute, relative } = difference;
  const pValue =
    difference.sequential !== undefined && 'pValue' in difference.sequential
      ? difference.sequential.pValue
      : difference.pValue;
  return [
    differenceText(absolute, { unit, interval }),
    interval.kind === 'insufficient' ? absent(interval) : boundsText(interval, { unit }),
    typeof relative === 'number' ? relativeText(relative) : absent(relative),
    typeof pValue === 'number' ? pValueText(pValue) : absent(pValue),
  ];
}

/** The interval that is valid the way the experiment is looked at. */
export function shownInterval({ sequential, interval }: Difference): Difference['interval'] {
  return sequential !== undefined && 'interval' in sequential ? sequential.interval : interval;
}

/** A difference without a unit. */
export const plain = (value: number): string => differenceText(value, { unit: 'number' });

/** `+3.6 (−1.9 … +9.1)`: with the digits of the table. */
export function effectText({ estimate, lower, upper }: Pick<EffectRow, 'estimate' | 'lower' | 'upper'>): string {
  const interval = { kind: 'bounded', lower, upper } as const;
  return `${differenceText(estimate, { unit: 'number', interval })} (${boundsText(interval, { unit: 'number' })})`;
}
