// The steps that are asked for rarely, in a menu.
import { Menu, MenuButton, MenuItem, MenuProvider } from '@ariakit/react';
import type { JSX } from 'react';
import type { StepOffer } from '../../../src/api/index.ts';
import { Icon } from '../parts/icon.tsx';
import { stepTitle } from './action-words.ts';

/** The menu. */
export default function MoreSteps(props: {
  readonly offers: readonly StepOffer[];
  readonly isPast: boolean;
  readonly onAsk: (offer: StepOffer) => void;
}): JSX.Element {
  const { offers, isPast, onAsk } = props;
  return (
    <MenuProvider>
      <MenuButton className="button" aria-label="More steps">
        <Icon name="more" />
      </MenuButton>
      <Menu className="menu" gutter={4} unmountOnHide>
        {offers.map((offer) => (
          <MenuItem key={offer.action} disabled={isPast || !offer.isAllowed} onClick={() => onAsk(offer)}>
            {stepTitle(offer)}
            {!offer.isAllowed && offer.refusal !== undefined && <div className="small quiet">{offer.refusal}</div>}
          </MenuItem>
        ))}
      </Menu>
    </MenuProvider>
  );
}
