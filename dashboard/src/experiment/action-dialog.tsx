// Is this really wanted, and why? Names the effect and how it stands to the verdict; nothing happens before the server has said so.
import { Dialog, DialogDismiss, DialogHeading } from '@ariakit/react';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, type JSX, useEffect, useRef, useState } from 'react';
import type { ExperimentAnswer, OverviewAnswer, StepOffer } from '../../../src/api/index.ts';
import { FaultBox } from '../parts/fault-box.tsx';
import { clockText } from '../parts/time.tsx';
import { verdictWord } from '../parts/verdict-chip.tsx';
import { announce, holdUpdates } from '../server/live.ts';
import { stepPath } from '../server/page-paths.ts';
import { sendApi } from '../server/request.ts';
import { actionWords } from './action-words.ts';
import { useExperiment } from './experiment-context.tsx';

/** Shortest reason that says something. */
const shortestReason = 10;
const authorKey = 'assay-author';

/** The dialog of one step. */
export default function ActionDialog(props: { readonly offer: StepOffer; readonly onClose: () => void }): JSX.Element {
  const { offer, onClose } = props;
  const { answer, key } = useExperiment();
  const { experiment, report, display } = answer;
  // What was proposed when the dialog opened is what is approved; another one meanwhile is refused.
  const [proposal] = useState(answer.proposal);
  const client = useQueryClient();
  const cancel = useRef<HTMLButtonElement>(null);
  const [reason, setReason] = useState('');
  const [author, setAuthor] = useState(() => readAuthor());
  const [typedName, setTypedName] = useState('');
  const [coverage, setCoverage] = useState('');
  const candidates = experiment.specification.variants.map(({ name }) => name);
  const [variant, setVariant] = useState('');
  const [isSending, setSending] = useState(false);
  const [fault, setFault] = useState<unknown>(undefined);
  const [done, setDone] = useState<{
    readonly askedAt: number;
    readonly doneAt: number;
    readonly after: ExperimentAnswer;
  }>();

  useEffect(() => holdUpdates(), []);
  const isAgainst = offer.agreement === 'against' && offer.action !== 'roll-back';
  const needsName = isAgainst || offer.action === 'promote';
  const missing = [
    ...(reason.trim().length < shortestReason ? [`a reason of at least ${shortestReason} characters`] : []),
    ...(needsName && typedName !== experiment.name ? ['the name of the experiment'] : []),
    ...(offer.action === 'promote' && variant === '' ? ['the variant'] : []),
  ];

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (missing.length > 0 || isSending) return;
    const askedAt = Date.now();
    setSending(true);
    setFault(undefined);
    try {
      keepAuthor(author);
      const share = Number(coverage) / 100;
      const after = await sendApi<ExperimentAnswer>(stepPath(key, offer.action), {
        json: {
          reason: reason.trim(),
          ...(author.trim() === '' ? {} : { author: author.trim() }),
          ...(coverage === '' ? {} : { coverage: share }),
          ...(offer.action === 'promote' ? { variant } : {}),
          ...(offer.action === 'approve' && proposal !== undefined ? { proposal: seenOf(proposal) } : {}),
        },
      });
      setDone({ askedAt, doneAt: Date.now(), after });
      announce(`${actionWords[offer.action]}: done. ${experiment.name} is ${after.state}.`);
      await client.invalidateQueries({ queryKey: ['experiment', key.namespace, key.name] });
      void client.invalidateQueries({ queryKey: ['list'] });
    } catch (caught) {
      setFault(caught);
      // Somebody else may have changed it meanwhile: show how it stands now.
      void client.invalidateQueries({ queryKey: ['experiment', key.namespace, key.name] });
    } finally {
      setSending(false);
    }
  };

  return (
    <Dialog open onClose={onClose} className="dialog" backdrop={<div className="backdrop" />} initialFocus={cancel}>
      <DialogHeading>
        {actionWords[offer.action]} {experiment.name}
        {offer.action === 'approve' && proposal !== undefined && `: ${proposal.text}`}
      </DialogHeading>
      <p>{offer.effect}</p>
      {done === undefined ? (
        <form onSubmit={submit} className="dialog-form">
          <p>
            The verdict is <strong>{verdictWord(display)}</strong>
            {isAgainst && (
              <>
                : <strong>this step is against it.</strong>
              </>
            )}
          </p>
          {offer.action === 'promote' && (
            <fieldset>
              <legend>Who shall answer everybody?</legend>
              {candidates.map((name) => (
                <label key={name} className="row">
                  <input
                    type="radio"
                    name="variant"
                    value={name}
                    checked={variant === name}
                    onChange={() => setVariant(name)}
                  />
                  {name} {name === report.control && '(control)'}
                </label>
              ))}
            </fieldset>
          )}
          {(offer.action === 'ramp' || offer.action === 'start' || offer.action === 'resume') && (
            <label className="field">
              Share of units that take part, % (empty: as the file says)
              <input
                type="number"
                inputMode="decimal"
                min="0.1"
                max="100"
                step="any"
                value={coverage}
                onChange={(event) => setCoverage(event.target.value)}
              />
            </label>
          )}
          <label className="field">
            Reason (kept in the audit trail)
            <textarea
              rows={2}
              value={reason}
              onChange={(event) => setReason(event.target.value)}
              required
              name="reason"
            />
          </label>
          <label className="field">
            Your name
            <input
              value={author}
              onChange={(event) => setAuthor(event.target.value)}
              name="author"
              autoComplete="username"
            />
          </label>
          {needsName && (
            <label className="field">
              Type <code>{experiment.name}</code> to confirm
              <input
                value={typedName}
                onChange={(event) => setTypedName(event.target.value)}
                name="confirm"
                autoComplete="off"
              />
            </label>
          )}
          {fault !== undefined && <FaultBox fault={fault} />}
          <div className="row">
            <DialogDismiss ref={cancel} className="button">
              Cancel
            </DialogDismiss>
            <button type="submit" className="strong" disabled={missing.length > 0 || isSending}>
              {isSending ? 'Asked…' : actionWords[offer.action]}
            </button>
            {missing.length > 0 && <span className="small quiet">Needed: {missing.join(', ')}.</span>}
          </div>
        </form>
      ) : (
        <>
          <p data-done>
            Asked {clockText(done.askedAt)} · acknowledged {clockText(done.doneAt)} · {experiment.name} is now{' '}
            <strong>{done.after.state}</strong>
            {done.after.state === 'running' && `, ${Math.round(done.after.coverage * 100)} % of units take part`}.
          </p>
          <DialogDismiss className="button">Close</DialogDismiss>
        </>
      )}
    </Dialog>
  );
}

function seenOf({ step, coverage, variant }: NonNullable<OverviewAnswer['proposal']>): object {
  return { step, ...(coverage === undefined ? {} : { coverage }), ...(variant === undefined ? {} : { variant }) };
}

function readAuthor(): string {
  try {
    return localStorage.getItem(authorKey) ?? '';
  } catch {
    return '';
  }
}

function keepAuthor(author: string): void {
  try {
    localStorage.setItem(authorKey, author);
  } catch {
    // Asked for again next time.
  }
}
