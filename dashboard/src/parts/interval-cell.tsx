// An effect as a picture: dot and rule on the axis of its unit, the control as the line, limits dashed.
import type { JSX } from 'react';
import type { Insufficient, Interval } from '../../../src/stats/index.ts';
import type { EffectState } from '../effect-state.ts';
import { type IntervalAxis, placeOn } from '../interval-axis.ts';
import { markPaths, type VariantPlace } from './variant-mark.tsx';

/** What one cell draws. */
export interface IntervalCellProps {
  readonly axis: IntervalAxis;
  readonly estimate: number;
  readonly interval: Interval | Insufficient | undefined;
  readonly state: EffectState;
  readonly place: VariantPlace;
  readonly limits?: readonly number[];
  /** The same in words. */
  readonly label: string;
}

const percent = (value: number): string => `${value.toFixed(2)}%`;

/** The ends of an interval, infinite where it is open. */
function endsOf(interval: Interval | Insufficient | undefined): readonly [number, number] | undefined {
  switch (interval?.kind) {
    case 'bounded':
      return [interval.lower, interval.upper];
    case 'lower':
      return [interval.lower, Number.POSITIVE_INFINITY];
    case 'upper':
      return [Number.NEGATIVE_INFINITY, interval.upper];
    default:
      return undefined;
  }
}

/** The interval column's cell. */
export function IntervalCell(props: IntervalCellProps): JSX.Element {
  const { axis, estimate, interval, state, place, limits = [], label } = props;
  const ends = endsOf(interval);
  const colour = `var(--${state})`;
  const isCutLeft = ends !== undefined && ends[0] < axis.from;
  const isCutRight = ends !== undefined && ends[1] > axis.to;
  return (
    <svg className="interval-cell" role="img" aria-label={label}>
      <line
        x1={percent(placeOn(axis, 0))}
        x2={percent(placeOn(axis, 0))}
        y1="0"
        y2="24"
        stroke="var(--control)"
        strokeWidth="1.5"
      />
      {limits.map((limit) => (
        <line
          key={limit}
          x1={percent(placeOn(axis, limit))}
          x2={percent(placeOn(axis, limit))}
          y1="1"
          y2="23"
          stroke="var(--muted)"
          strokeWidth="1.5"
          strokeDasharray="3 3"
        />
      ))}
      {ends !== undefined && (
        <line
          x1={percent(placeOn(axis, ends[0]))}
          x2={percent(placeOn(axis, ends[1]))}
          y1="12"
          y2="12"
          stroke={colour}
          strokeWidth="4"
        />
      )}
      {isCutLeft && (
        <svg x="0%" y="12" overflow="visible" aria-hidden="true">
          <path d="M-2 0 7 -6v12Z" fill={colour} />
        </svg>
      )}
      {isCutRight && (
        <svg x="100%" y="12" overflow="visible" aria-hidden="true">
          <path d="M2 0 -7 -6v12Z" fill={colour} />
        </svg>
      )}
      <svg x={percent(placeOn(axis, estimate))} y="12" overflow="visible" aria-hidden="true">
        <path d={markPaths[place]} fill="var(--card)" stroke={colour} strokeWidth="2" />
      </svg>
    </svg>
  );
}

/** The scale above a column of cells. */
export function AxisCell(props: { readonly axis: IntervalAxis; readonly text: (tick: number) => string }): JSX.Element {
  const { axis, text } = props;
  return (
    <svg className="axis-cell" aria-hidden="true">
      {axis.ticks.map((tick) => (
        <g key={tick}>
          <text x={percent(placeOn(axis, tick))} y="12" textAnchor="middle">
            {text(tick)}
          </text>
          <line
            x1={percent(placeOn(axis, tick))}
            x2={percent(placeOn(axis, tick))}
            y1="16"
            y2="22"
            stroke="var(--control-border)"
          />
        </g>
      ))}
    </svg>
  );
}
