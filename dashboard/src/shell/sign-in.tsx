// A server with a token asks for it once; the browser then holds a cookie that scripts cannot read.
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, type JSX, useEffect, useRef, useState } from 'react';
import { FaultBox } from '../parts/fault-box.tsx';
import { otherPaths } from '../server/page-paths.ts';
import { sendApi } from '../server/request.ts';

/** The form that takes the token. */
export function SignIn(): JSX.Element {
  const client = useQueryClient();
  const field = useRef<HTMLInputElement>(null);
  const [fault, setFault] = useState<unknown>(undefined);
  const [isSending, setSending] = useState(false);
  useEffect(() => {
    document.title = 'Sign in - Assay';
    field.current?.focus();
  }, []);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setSending(true);
    setFault(undefined);
    try {
      await sendApi(otherPaths.session, { json: { token: field.current?.value ?? '' } });
      await client.invalidateQueries();
      await client.refetchQueries({ queryKey: ['session'] });
    } catch (caught) {
      setFault(caught);
    } finally {
      setSending(false);
    }
  };
  return (
    <form className="card dialog-like" onSubmit={submit}>
      <h1>Sign in</h1>
      <p className="quiet">This server has a token: ASSAY_TOKEN or its --token-file.</p>
      <div className="row">
        <label className="field">
          Token
          <input ref={field} type="password" name="token" autoComplete="current-password" required size={40} />
        </label>
        <button type="submit" className="strong" disabled={isSending}>
          Sign in
        </button>
      </div>
      {fault !== undefined && <FaultBox fault={fault} />}
    </form>
  );
}

/** Ends the visit. */
export function SignOut(): JSX.Element {
  const client = useQueryClient();
  const signOut = async (): Promise<void> => {
    await sendApi(otherPaths.session, { method: 'DELETE' });
    client.clear();
    location.assign('/');
  };
  return (
    <button type="button" className="bare" onClick={() => void signOut()}>
      Sign out
    </button>
  );
}
