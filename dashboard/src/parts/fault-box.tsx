// Something did not work: what, its code, what to do, and the way to try again. One broken section never blanks another.
import { Component, type JSX, type ReactNode } from 'react';
import { AssayError } from '../../../src/errors.ts';

/** A fault in words. */
export function FaultBox(props: { readonly fault: unknown; readonly onRetry?: (() => void) | undefined }): JSX.Element {
  const { fault, onRetry } = props;
  const isKnown = fault instanceof AssayError;
  return (
    <div className="fault" role="alert">
      <div>{isKnown ? fault.message : `This part of the page has a fault: ${(fault as Error)?.message ?? fault}`}</div>
      {isKnown && (
        <div className="small">
          <code>{fault.code}</code> {fault.fix}
        </div>
      )}
      {onRetry !== undefined && (
        <button type="button" className="small" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** Keeps a fault of what is inside to itself. */
export class Boundary extends Component<{ readonly children: ReactNode }, { readonly fault: unknown }> {
  override state: { readonly fault: unknown } = { fault: undefined };

  static getDerivedStateFromError(fault: unknown): { readonly fault: unknown } {
    return { fault };
  }

  override render(): ReactNode {
    if (this.state.fault === undefined) return this.props.children;
    return <FaultBox fault={this.state.fault} onRetry={() => this.setState({ fault: undefined })} />;
  }
}

/** What a question has come to: its answer, or why there is none yet. */
export function Answered<T>(props: {
  readonly question: {
    readonly data: T | undefined;
    readonly error: unknown;
    readonly refetch: () => unknown;
  };
  readonly children: (answer: T) => ReactNode;
}): ReactNode {
  const { data, error, refetch } = props.question;
  // Old numbers stay while the server is away; the header says how old they are.
  if (data !== undefined) return props.children(data);
  if (error !== null && error !== undefined) return <FaultBox fault={error} onRetry={() => void refetch()} />;
  return <p className="waiting">Loading…</p>;
}
