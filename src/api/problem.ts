// How a fault looks on the wire: RFC 9457 problem+json, made in this one place.
import { AssayError, errorCatalogue } from '../errors.ts';

/** Media type of every error answer. */
export const problemType = 'application/problem+json';

/** An RFC 9457 problem with Assay's code, fix and the list of all faults. */
export interface Problem {
  /** `urn:assay:error:CODE`, or `about:blank` for a fault of our own. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly fix: string;
  readonly retryable: boolean;
  readonly issues: readonly { readonly place: string; readonly text: string; readonly line?: number }[];
}

/** Gives the problem for any thrown value; what is not an `AssayError` becomes a 500 that tells nothing of our insides. */
export function toProblem(fault: unknown): Problem {
  if (fault instanceof AssayError) {
    return {
      type: `urn:assay:error:${fault.code}`,
      title: errorCatalogue[fault.code].title,
      status: fault.status,
      detail: fault.message,
      code: fault.code,
      fix: fault.fix,
      retryable: fault.retryable,
      issues: fault.issues,
    };
  }
  return {
    type: 'about:blank',
    title: 'Assay has a fault of its own.',
    status: 500,
    detail: 'The request could not be finished; the server log says more.',
    code: 'internal',
    fix: 'Look into the log of `assay serve`, and please report it.',
    retryable: false,
    issues: [],
  };
}

/** Gives the `AssayError` back that a problem+json body stands for, or null when it is none. */
export function fromProblem(body: unknown): AssayError | null {
  if (body === null || typeof body !== 'object') return null;
  const { code, detail, fix, issues } = body as Partial<Problem>;
  if (typeof code !== 'string' || !(code in errorCatalogue) || typeof detail !== 'string') return null;
  return new AssayError(code as keyof typeof errorCatalogue, detail, {
    ...(typeof fix === 'string' ? { fix } : {}),
    ...(Array.isArray(issues) ? { issues } : {}),
  });
}
