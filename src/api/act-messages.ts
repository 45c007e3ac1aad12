// What travels where people answer and annotate: requests with their parsers, and the audit's answer.
import { AssayError } from '../errors.ts';

/** Body of an approval. */
export interface ApprovalRequest {
  readonly author: string;
  readonly reason: string;
  /** What the approver has seen proposed; refused when something else waits by now. */
  readonly proposal?: { readonly step: string; readonly coverage?: number; readonly variant?: string };
}

/** Body of an annotation. */
export interface AnnotationRequest {
  readonly author: string;
  readonly text: string;
  /** Epoch milliseconds. */
  readonly atMs: number;
  /** Absent for a moment. */
  readonly untilMs?: number;
}

/** Answer of `GET /api/v1/experiments/{name}/audit`. */
export interface AuditAnswer {
  readonly experiment: string;
  readonly namespace: string;
  /** The whole log. `fault` names the first line that does not hang together with those before it; null when all do. */
  readonly chain: {
    readonly entries: number;
    /** Hash of the last sound entry; null for an empty log. */
    readonly head: string | null;
    readonly fault: { readonly line: number; readonly text: string } | null;
  };
  readonly changes: readonly {
    readonly revision: number;
    readonly timeMs: number;
    readonly kind: string;
    readonly author: string;
    readonly reason: string;
    readonly before: AuditedSplit | null;
    readonly after: AuditedSplit;
    readonly evidenceDigest: string | null;
    readonly hash: string;
  }[];
  /** Only where it was asked for. */
  readonly verdicts?: readonly {
    readonly revision: number;
    readonly timeMs: number;
    readonly kind: string;
    readonly agrees: 'exactly' | 'no' | 'unknown';
    readonly text: string;
    readonly evidence?: {
      readonly predictions: number;
      readonly left: number;
      readonly expired: number;
      readonly erased: number;
    };
  }[];
}

interface AuditedSplit {
  readonly state: string;
  readonly revision: number;
  readonly epoch: number;
  readonly coverage: number;
  readonly split: { readonly [variant: string]: number };
}

/** @throws AssayError `request-invalid` naming place, value and rule. */
export function parseApprovalRequest(body: unknown): ApprovalRequest {
  const { author, reason, proposal } = fieldsOf(
    body,
    ['author', 'reason', 'proposal'],
    '{"reason": "reviewed with the team"}',
  );
  return {
    author: textOf('author', author ?? 'api', 200),
    reason: textOf('reason', reason, 2000),
    ...(proposal === undefined ? {} : { proposal: proposalOf(proposal) }),
  };
}

/**
 * @param nowMs the time of an annotation that names none
 * @throws AssayError `request-invalid` naming place, value and rule.
 */
export function parseAnnotationRequest(body: unknown, nowMs: number): AnnotationRequest {
  const fields = fieldsOf(body, ['author', 'text', 'at', 'until'], '{"text": "new items went live"}');
  const atMs = fields.at === undefined ? Math.round(nowMs) : timeOf('at', fields.at);
  const untilMs = fields.until === undefined ? undefined : timeOf('until', fields.until);
  if (untilMs !== undefined && untilMs <= atMs) throw invalid('until', fields.until, 'later than at');
  return {
    author: textOf('author', fields.author ?? 'api', 200),
    text: textOf('text', fields.text, 2000),
    atMs,
    ...(untilMs === undefined ? {} : { untilMs }),
  };
}

function proposalOf(value: unknown): NonNullable<ApprovalRequest['proposal']> {
  const { step, coverage, variant } = fieldsOf(value, ['step', 'coverage', 'variant'], '{"step": "promote"}');
  if (coverage !== undefined && typeof coverage !== 'number') throw invalid('proposal.coverage', coverage, 'a number');
  return {
    step: textOf('proposal.step', step, 20),
    ...(coverage === undefined ? {} : { coverage }),
    ...(variant === undefined ? {} : { variant: textOf('proposal.variant', variant, 200) }),
  };
}

function fieldsOf(body: unknown, known: readonly string[], example: string): Readonly<Record<string, unknown>> {
  if (body === null || typeof body !== 'object' || Array.isArray(body))
    throw invalid('body', body, `a JSON object such as ${example}`);
  const unknown = Object.keys(body).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw new AssayError('request-invalid', `${unknown} is not known, must be one of: ${known.join(', ')}`);
  return body as Readonly<Record<string, unknown>>;
}

function textOf(place: string, value: unknown, longest: number): string {
  if (typeof value !== 'string' || value.trim() === '' || value.length > longest)
    throw invalid(place, value, `a text of 1 to ${longest} characters`);
  return value;
}

function timeOf(place: string, value: unknown): number {
  const ms = typeof value === 'number' ? value : typeof value === 'string' ? Date.parse(value) : Number.NaN;
  if (!Number.isFinite(ms)) throw invalid(place, value, 'a time, ISO 8601 or epoch milliseconds');
  return Math.round(ms);
}

function invalid(place: string, value: unknown, rule: string): AssayError {
  const shown = value === undefined ? 'missing' : JSON.stringify(value)?.slice(0, 80);
  return new AssayError('request-invalid', `${place} is ${shown}, must be ${rule}`);
}
