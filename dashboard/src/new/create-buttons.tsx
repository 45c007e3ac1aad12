// The experiment comes to life: as a draft, or started at once. The same calls as `assay apply` and `assay start`.
import { useQueryClient } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import { useLocation } from 'wouter';
import type { ExperimentAnswer } from '../../../src/api/index.ts';
import { FaultBox } from '../parts/fault-box.tsx';
import { applyPath, pageOf, stepPath } from '../server/page-paths.ts';
import { sendApi } from '../server/request.ts';

/** The buttons. */
export function CreateButtons(props: {
  readonly text: string;
  readonly name: string;
  readonly isSound: boolean;
  readonly isRevision: boolean;
  /** Revision of the file the text was made from, and the newest that is known; 0 for none. */
  readonly began: number;
  readonly present: number;
  readonly onDone: () => void;
}): JSX.Element {
  const { text, name, isSound, isRevision, began, present, onDone } = props;
  const client = useQueryClient();
  const [, navigate] = useLocation();
  const [reason, setReason] = useState('');
  const [fault, setFault] = useState<unknown>(undefined);
  const [isSending, setSending] = useState(false);
  const create = async (isStarted: boolean, over = began): Promise<void> => {
    setSending(true);
    setFault(undefined);
    try {
      const why = reason.trim() || 'created on the page';
      const made = await sendApi<ExperimentAnswer>(
        applyPath({ namespace: 'default', name }, { author: 'page', reason: why }),
        {
          method: 'PUT',
          yaml: text,
          headers: isRevision ? { 'if-match': `"${over}"` } : { 'if-none-match': '*' },
        },
      );
      if (isStarted) await sendApi(stepPath(made, 'start'), { json: { author: 'page', reason: why } });
      onDone();
      await client.invalidateQueries();
      navigate(pageOf(made));
    } catch (caught) {
      setFault(caught);
      // Somebody else was first: see what there is now.
      void client.invalidateQueries({ queryKey: ['experiment'] });
    } finally {
      setSending(false);
    }
  };
  return (
    <div className="create">
      <label className="field">
        Reason (kept in the audit trail)
        <input name="reason" value={reason} onChange={(event) => setReason(event.target.value)} />
      </label>
      <div className="row">
        <button type="button" disabled={!isSound || isSending} onClick={() => void create(false)}>
          {isRevision ? 'Apply the revision' : 'Create as a draft'}
        </button>
        {!isRevision && (
          <button type="button" className="strong" disabled={!isSound || isSending} onClick={() => void create(true)}>
            Create and start
          </button>
        )}
        {!isSound && <span className="small quiet">Mend the faults above first.</span>}
      </div>
      {fault !== undefined && <FaultBox fault={fault} />}
      {isRevision && present > began && (
        <div className="row" data-conflict>
          <span>
            Somebody applied revision {present} meanwhile; this text was made from {began}. Nothing here is lost.
          </span>
          <a
            className="button small"
            href={`${pageOf({ namespace: 'default', name })}#config`}
            target="_blank"
            rel="noreferrer"
          >
            See revision {present}
          </a>
          <button
            type="button"
            className="small warn"
            disabled={!isSound || isSending}
            onClick={() => void create(false, present)}
          >
            Apply this over revision {present}
          </button>
        </div>
      )}
    </div>
  );
}
