// What can be done now? Buttons for the usual steps, a menu for the rest, each through a dialog that names the effect and asks why.
import { type JSX, lazy, Suspense, useState } from 'react';
import type { StepOffer } from '../../../src/api/index.ts';
import { Icon } from '../parts/icon.tsx';
import { Time } from '../parts/time.tsx';
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
  // The proposed step stands with its reason below the verdict. Promote stands among the buttons only where the verdict is ship.
  const isMain = ({ action, agreement }: StepOffer): boolean =>
    action === 'promote' ? agreement === 'with' : action !== 'stop';
  const steps = answer.steps.filter(({ action }) => action !== 'approve');
  const main = steps
    .filter((offer) => isMain(offer) && (offer.isAllowed || offer.action === 'roll-back'))
    .toSorted((one, other) => seatOf(one) - seatOf(other));
  const rest = steps.filter((offer) => !main.includes(offer));
  return (
    <div className="row steps no-print">
      {main.map((offer) => (
        <StepButton key={offer.action} offer={offer} isPast={isPast} onAsk={setAsked} />
      ))}
      {rest.length > 0 && (
        <Suspense fallback={<MenuPlace />}>
          <MoreSteps offers={rest} isPast={isPast} onAsk={setAsked} />
        </Suspense>
      )}
      <Suspense>{asked !== undefined && <ActionDialog offer={asked} onClose={() => setAsked(undefined)} />}</Suspense>
    </div>
  );
}

/** The row ends at the right: what comes and goes with the verdict stands at its left end, where it moves no other button. */
function seatOf({ action }: StepOffer): number {
  return action === 'promote' ? 0 : action === 'roll-back' ? 1 : 2;
}

/** As wide as the menu's button. */
function MenuPlace(): JSX.Element {
  return (
    <span className="button" aria-hidden="true">
      <Icon name="more" />
    </span>
  );
}

/** The step that the loop has proposed, with the way to let it happen; nothing while none waits. */
export function ProposedStep(): JSX.Element | null {
  const { answer } = useExperiment();
  const [asked, setAsked] = useState<StepOffer>();
  const { proposal, steps } = answer;
  const offer = steps.find(({ action }) => action === 'approve');
  // The dialog stays until its reader closes it, also when the step has been taken.
  if (asked === undefined && (proposal === undefined || offer === undefined)) return null;
  return (
    <>
      {proposal !== undefined && offer !== undefined && (
        <section className="proposal" aria-label="Proposed step" data-proposal={proposal.step}>
          <div className="grow">
            <strong>Waits for approval: {proposal.text}.</strong>{' '}
            <span className="small">
              Proposed <Time at={proposal.at} />: {proposal.reason}
            </span>
          </div>
          <span className="no-print">
            <StepButton offer={offer} isPast={false} onAsk={setAsked} />
          </span>
        </section>
      )}
      <Suspense>{asked !== undefined && <ActionDialog offer={asked} onClose={() => setAsked(undefined)} />}</Suspense>
    </>
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
      className={offer.action === 'roll-back' ? 'warn' : offer.action === 'approve' ? 'strong' : ''}
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
