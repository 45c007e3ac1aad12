// The split now: a bar and the shares in digits, with a word where it is not as declared.
import type { JSX } from 'react';
import type { ListRow } from '../../../src/api/index.ts';
import { Value } from '../parts/value.tsx';
import { markColours } from '../parts/variant-mark.tsx';

/** The split of one row. */
export function ListSplit({ row, at }: { readonly row: ListRow; readonly at: number }): JSX.Element {
  if ('kind' in row.split) return <span className="quiet small">{row.split.reason}</span>;
  let from = 0;
  const code = row.verdict.kind === 'insufficient' ? '' : row.verdict.kind;
  return (
    <>
      <svg className="split-bar" aria-hidden="true">
        {row.split.map(({ variant, share }, place) => {
          const x = from;
          from += share * 100;
          return (
            <rect
              key={variant}
              x={`${x}%`}
              width={`${share * 100}%`}
              height="10"
              fill={`var(--${markColours[Math.min(place, 5)]})`}
              stroke="var(--card)"
            />
          );
        })}
      </svg>
      <span className="small nowrap">
        {row.split.map(({ variant }, place) => (
          <span key={variant}>
            {place > 0 && ' / '}
            <Value path={`/rows/${at}/split/${place}/share`} as="share" />
          </span>
        ))}
        {code === 'invalid' && <span className="worse"> not as declared</span>}
      </span>
    </>
  );
}
