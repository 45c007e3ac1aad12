// What is the effect on those who really got the candidate, where some were answered by the control instead?
import type { JSX } from 'react';
import type { FigureUnit } from '../../../src/decision/index.ts';
import { Value } from '../parts/value.tsx';
import { atPointer } from '../value-text.ts';
import { useExperiment } from './experiment-context.tsx';

/** The effect at a JSON pointer of the overview, or why there is none; the verdict rests on the assignment. */
export function Compliers({ path, unit }: { readonly path: string; readonly unit: FigureUnit }): JSX.Element {
  const { answer } = useExperiment();
  if (typeof atPointer(answer, `${path}/estimate`) !== 'number') return <Value path={path} as="difference" />;
  return (
    <>
      <Value path={`${path}/estimate`} as="difference" unit={unit} interval={`${path}/interval`} />{' '}
      <span className="nowrap">
        (<Value path={`${path}/interval`} as="bounds" unit={unit} />)
      </span>
      , <Value path={`${path}/compliance`} as="share" /> of predictions were answered by it
      <br />
      <span className="small quiet">
        <Value path={`${path}/method`} as="text" />
      </span>
    </>
  );
}
