// The part of the API several sections read: what changed over time.
import type { JSX, ReactNode } from 'react';
import type { SeriesAnswer } from '../../../src/api/index.ts';
import type { Flag } from '../charts/chart-input.ts';
import { Answered } from '../parts/fault-box.tsx';
import { usePart } from '../server/questions.ts';
import { useExperiment } from './experiment-context.tsx';
import { WhenNear } from './section.tsx';

/** Hands the series to its children once the reader is near. */
export function WithSeries(props: { readonly children: (answer: SeriesAnswer) => ReactNode }): JSX.Element {
  return <WhenNear>{() => <Series>{props.children}</Series>}</WhenNear>;
}

function Series(props: { readonly children: (answer: SeriesAnswer) => ReactNode }): ReactNode {
  const { key } = useExperiment();
  const series = usePart(key, 'series');
  return <Answered question={series}>{props.children}</Answered>;
}

/** The flags of a series for a chart. */
export function flagsOf({ flags }: SeriesAnswer): readonly Flag[] {
  return flags.flatMap(({ at, kind }) => (kind === 'create' ? [] : [{ at: Date.parse(at), text: kind }]));
}
