// What can be done now? Buttons for the usual steps, a menu for the rest, each through a dialog that names the effect and asks why.
import { type JSX, lazy, Suspense, useState } from 'react';
import type { StepOffer } from '../../../src/api/index.ts';
import { stepTitle } from './action-words.ts';
import { useExperiment } from './experiment-context.tsx';

// Dialogs and menus bring a library with them; the page is there before it.
const ActionDialog = lazy(() => import('./action-dialog.tsx'));
const MoreSteps = lazy(() => import('./more-steps.tsx'));

/** The steps beside the title. */
export function Actions(): JSX.Element {
  const { answer } = useExperiment();
  const [asked, setAsked] = useState<StepOffer>();
  const isPast = answer.at !== undefined;
  // Promote stands among the buttons only where the verdict is ship.
  const isMain = ({ action, agreement }: StepOffer): boolean =>
    action === 'promote' ? agreement === 'with' : action !== 'stop';
  const main = answer.steps.filter((offer) => isMain(offer) && (offer.isAllowed || offer.action === 'roll-back'));
  const rest = answer.steps.filter((offer) => !main.includes(offer));
  return (
    <div className="row no-print">
      {main.map((offer) => (
        <StepButton key={offer.action} offer={offer} isPast={isPast} onAsk={setAsked} />
      ))}
      <Suspense>
        {rest.length > 0 && <MoreSteps offers={rest} isPast={isPast} onAsk={setAsked} />}
        {asked !== undefined && <ActionDialog offer={asked} onClose={() => setAsked(undefined)} />}
      </Suspense>
    </div>
  );
}

function StepButton(props: {
  readonly offer: StepOffer;
  readonly isPast: boolean;
  readonly onAsk: (offer: StepOffer) => void;
}): JSX.Element {
  const { offer, isPast, onAsk } = props;
  const refusal = isPast ? 'The past is shown.' : offer.refusal;
  const isOff = isPast || !offer.isAllowed;
  return (
    <button
      type="button"
      className={offer.action === 'roll-back' ? 'warn' : ''}
      aria-disabled={isOff}
      title={isOff ? refusal : offer.effect}
      onClick={() => {
        if (!isOff) onAsk(offer);
      }}
    >
      {stepTitle(offer)}
    </button>
  );
}
