// What do the keys do? And the way to switch them off.
import { Dialog, DialogDismiss, DialogHeading } from '@ariakit/react';
import type { JSX } from 'react';
import { readerZone } from '../parts/time.tsx';
import { setSingleKeys, useSingleKeys } from './keys.ts';

const keys: readonly (readonly [string, string])[] = [
  ['/', 'search'],
  ['j  k', 'next, previous row'],
  ['Enter', 'open the row'],
  ['[  ]', 'previous, next section'],
  ['g e', 'experiments'],
  ['g o', 'portfolio'],
  ['g p', 'playground'],
  ['g n', 'new experiment'],
  ['m', 'method: sequential, one look, Bayesian'],
  ['a', 'absolute or relative'],
  ['.', 'pause or resume live updates'],
  ['← →', 'in a chart: move along the line'],
  ['Esc', 'close'],
];

/** The help. */
export default function HelpDialog({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const isOn = useSingleKeys();
  return (
    <Dialog open onClose={onClose} className="dialog" backdrop={<div className="backdrop" />}>
      <DialogHeading>Keys</DialogHeading>
      <dl className="pair">
        {keys.map(([key, meaning]) => (
          <div key={key} className="contents">
            <dt>
              <kbd className="mono">{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <label className="row">
        <input type="checkbox" checked={isOn} onChange={(event) => setSingleKeys(event.target.checked)} />
        Single keys do something
      </label>
      <p className="quiet small">Times are those of {readerZone}; UTC stands behind each of them.</p>
      <DialogDismiss className="button">Close</DialogDismiss>
    </Dialog>
  );
}
