// The net value of a row with its interval, on one axis for every unit of value.
import type { JSX } from 'react';
import type { ListRow } from '../../../src/api/index.ts';
import { type EffectState, effectState } from '../effect-state.ts';
import { axisOf, type IntervalAxis } from '../interval-axis.ts';
import { IntervalCell } from '../parts/interval-cell.tsx';
import { Value } from '../parts/value.tsx';

/** The axis of each unit of value among the rows. */
export function valueAxes(rows: readonly ListRow[]): ReadonlyMap<string, IntervalAxis> {
  const byUnit = new Map<string, ListRow['value'][]>();
  for (const { value } of rows) {
    if ('kind' in value) continue;
    byUnit.set(value.unit, [...(byUnit.get(value.unit) ?? []), value]);
  }
  return new Map(
    [...byUnit].map(([unit, values]) => [unit, axisOf(values.flatMap((value) => ('kind' in value ? [] : [value])))]),
  );
}

/** The value's cell. */
export function ListValueCell(props: {
  readonly row: ListRow;
  readonly at: number;
  readonly axes: ReadonlyMap<string, IntervalAxis>;
}): JSX.Element {
  const { row, at, axes } = props;
  const { value } = row;
  if ('kind' in value) {
    const isWithheld = row.verdict.kind === 'invalid';
    return <span className={isWithheld ? 'withheld small' : 'quiet small'}>{value.reason}</span>;
  }
  const axis = axes.get(value.unit);
  const state: EffectState = effectState({ interval: value.interval, criteria: [], better: 'higher' });
  const path = `/rows/${at}/value`;
  const text = (
    <span className="nowrap">
      <Value path={`${path}/estimate`} as="difference" unit={value.unit} interval={`${path}/interval`} /> (
      <Value path={`${path}/interval`} as="bounds" />)
    </span>
  );
  return (
    <div className="list-value">
      {axis !== undefined && (
        <IntervalCell
          axis={axis}
          estimate={value.estimate}
          interval={value.interval}
          state={state}
          place={1}
          limits={[value.threshold]}
          label={`Net value of ${value.variant}`}
        />
      )}
      {text}
    </div>
  );
}
