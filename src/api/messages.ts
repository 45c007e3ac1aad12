// What travels over the control plane's HTTP API besides reports: requests with their parsers, and answers.

import { AssayError } from '../errors.ts';
import type { Experiment, ExperimentStateName, RoutedExperiment } from '../experiment/index.ts';

/** Body of a step (`start`, `pause`, `ramp`, ...). */
export interface ActionRequest {
  /** Who asks; default `api`. */
  readonly author: string;
  /** Why; non-empty. */
  readonly reason: string;
  /** For start, resume, ramp: share of units that take part, 0..1. */
  readonly coverage?: number;
  /** For promote: the winner. */
  readonly variant?: string;
}

/** Answer of `POST /api/v1/outcomes`, sent only when every accepted outcome is durable. */
export interface OutcomesAnswer {
  readonly accepted: number;
}

/** Answer of `POST /api/v1/events/NAME`: as above, and how many events no mapping of the experiment takes. */
export interface EventsAnswer extends OutcomesAnswer {
  readonly ignored: number;
}

/** One experiment as it is and as it is wanted. */
export interface ExperimentAnswer {
  readonly namespace: string;
  readonly name: string;
  readonly state: ExperimentStateName;
  readonly revision: number;
  readonly coverage: number;
  readonly epoch: number;
  readonly allocation: RoutedExperiment['allocation'];
  /** ISO 8601; absent before the start. */
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly specification: Experiment;
  /** Where the file and the present state differ, in sentences. */
  readonly drift: readonly string[];
  /** Other experiments that may meet the same requests, in sentences. */
  readonly overlaps: readonly string[];
}

/** Why one unit gets its variant. */
export interface ExplainAnswer {
  readonly experiment: string;
  readonly variant: string;
  readonly reason: string;
  readonly propensity: number;
  readonly text: string;
}

/**
 * Reads the body of a step.
 * @throws AssayError `request-invalid` naming place, value and rule.
 */
export function parseActionRequest(body: unknown): ActionRequest {
  if (body === null || typeof body !== 'object' || Array.isArray(body))
    throw invalid('body', body, 'a JSON object such as {"reason": "weekly review"}');
  const { author = 'api', reason, coverage, variant, ...rest } = body as Record<string, unknown>;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined)
    throw new AssayError(
      'request-invalid',
      `${unknown} is not known, must be one of: author, reason, coverage, variant`,
    );
  if (typeof author !== 'string' || author.length === 0 || author.length > 200)
    throw invalid('author', author, 'a text of 1 to 200 characters');
  if (typeof reason !== 'string' || reason.trim().length === 0 || reason.length > 2000)
    throw invalid('reason', reason, 'a text of 1 to 2000 characters: the audit trail keeps it');
  if (coverage !== undefined && (typeof coverage !== 'number' || !(coverage >= 0 && coverage <= 1)))
    throw invalid('coverage', coverage, 'a number in [0, 1]');
  if (variant !== undefined && typeof variant !== 'string') throw invalid('variant', variant, 'the name of a variant');
  return {
    author,
    reason,
    ...(coverage === undefined ? {} : { coverage }),
    ...(variant === undefined ? {} : { variant }),
  };
}

/**
 * The unit id in the body of an erasure.
 * @throws AssayError `request-invalid`.
 */
export function parseErasureRequest(body: unknown): string {
  const { unit, ...rest } = (body ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof body !== 'object' || Array.isArray(body) || Object.keys(rest).length > 0)
    throw invalid('body', body, 'a JSON object such as {"unit": "user-17"}');
  if (typeof unit !== 'string' || unit === '') throw invalid('unit', unit, 'the unit id as callers send it');
  return unit;
}

function invalid(place: string, value: unknown, rule: string): AssayError {
  const shown = value === undefined ? 'missing' : JSON.stringify(value)?.slice(0, 80);
  return new AssayError('request-invalid', `${place} is ${shown}, must be ${rule}`);
}
