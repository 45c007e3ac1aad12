// Small pictures as inline SVG: text glyphs do not render everywhere.
import type { JSX } from 'react';

const shapes = {
  ship: 'M8 2 14 13H2Z',
  'roll-back': 'M8 14 2 3h12Z',
  'keep-testing': 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2m0 2a4 4 0 1 1 0 8 4 4 0 0 1 0-8',
  'no-difference': 'M2 5h12v2H2zm0 4h12v2H2z',
  invalid: 'M8 1 15.5 14.5H.5Zm-1 5v4h2V6zm0 5v2h2v-2z',
  'not-enough-data': 'M2 7h2.4v2.4H2zm4.8 0h2.4v2.4H6.8zm4.8 0H14v2.4h-2.4z',
  'no-verdict': 'M3 7h10v2H3z',
  ok: 'M6.2 12.5 2 8.3l1.4-1.4 2.8 2.8 6.4-6.4L14 4.7Z',
  waiting: 'M2 7h2.4v2.4H2zm4.8 0h2.4v2.4H6.8zm4.8 0H14v2.4h-2.4z',
  warning: 'M8 1 15.5 14.5H.5Zm-1 5v4h2V6zm0 5v2h2v-2z',
  veto: 'M3.5 2 8 6.5 12.5 2 14 3.5 9.5 8l4.5 4.5-1.5 1.5L8 9.5 3.5 14 2 12.5 6.5 8 2 3.5Z',
  up: 'M8 3 13 12H3Z',
  down: 'M8 13 3 4h10Z',
  open: 'M8 3a5 5 0 1 0 0 10A5 5 0 0 0 8 3m0 2a3 3 0 1 1 0 6 3 3 0 0 1 0-6',
  more: 'M2 6.8h2.6v2.6H2zm4.7 0h2.6v2.6H6.7zm4.7 0H14v2.6h-2.6z',
} as const;

/** The name of a picture. */
export type IconName = keyof typeof shapes;

/** A picture beside words; never alone, so it is hidden from readers of the page's text. */
export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path fillRule="evenodd" d={shapes[name]} />
    </svg>
  );
}
