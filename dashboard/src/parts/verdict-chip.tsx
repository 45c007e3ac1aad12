// The verdict at a glance: a word, a shape and a colour.
import type { JSX } from 'react';
import type { VerdictDisplay } from '../../../src/api/index.ts';
import { Icon } from './icon.tsx';

const words: Readonly<Record<VerdictDisplay, string>> = {
  ship: 'Ship',
  'roll-back': 'Roll back',
  'keep-testing': 'Keep testing',
  'no-difference': 'No difference',
  invalid: 'Invalid',
  'not-enough-data': 'Not enough data',
  'no-verdict': 'No verdict',
};

/** The word of a verdict. */
export function verdictWord(display: VerdictDisplay): string {
  return words[display] ?? display;
}

/** The verdict as a chip. */
export function VerdictChip({ display }: { readonly display: VerdictDisplay }): JSX.Element {
  return (
    <span className={`chip ${display}`}>
      <Icon name={display in words ? display : 'no-verdict'} />
      {verdictWord(display)}
    </span>
  );
}
