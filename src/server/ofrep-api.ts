// Which variant does an OpenFeature SDK get? The OpenFeature Remote Evaluation Protocol: a flag is an experiment, its value a variant.
import { createHash } from 'node:crypto';
import type { Context, Hono } from 'hono';
import { type Assignment, type AssignmentReason, decide, prepareAssignment } from '../assignment/index.ts';
import type { ExperimentService } from '../control/index.ts';
import type { RoutedExperiment } from '../experiment/index.ts';

/** What `mountOfrep` needs. */
export interface OfrepOptions {
  readonly service: Pick<ExperimentService, 'snapshot'>;
  /** Chance in [0, 1), for experiments in which every request is its own unit. */
  readonly random: () => number;
}

/** Where flags are evaluated; a key follows for a single one. */
export const ofrepPath = '/ofrep/v1/evaluate/flags';

/** Longest unit id, bytes, as at the gateway. */
const maxUnitBytes = 512;

type Reason = 'SPLIT' | 'STATIC' | 'DISABLED';
const reasons: Readonly<Record<AssignmentReason, Reason>> = {
  split: 'SPLIT',
  // Chance decided that, too.
  'not-covered': 'SPLIT',
  'held-out': 'SPLIT',
  'other-experiment': 'SPLIT',
  forced: 'STATIC',
  'no-unit': 'STATIC',
  promoted: 'STATIC',
  paused: 'DISABLED',
  ended: 'DISABLED',
};

/** What cannot be evaluated, in the protocol's words. */
interface Refusal {
  readonly errorCode: 'PARSE_ERROR' | 'TARGETING_KEY_MISSING' | 'INVALID_CONTEXT' | 'FLAG_NOT_FOUND';
  readonly errorDetails: string;
}
const isRefusal = (value: unknown): value is Refusal =>
  typeof value === 'object' && value !== null && 'errorCode' in value;

/**
 * Mounts `POST /ofrep/v1/evaluate/flags` and `POST /ofrep/v1/evaluate/flags/{key}`.
 *
 * The answer is the assignment and no exposure: nothing is recorded, because SDKs ask ahead of use.
 * @see https://github.com/open-feature/protocol, service/openapi.yaml 0.3.0
 */
export function mountOfrep(app: Hono, { service, random }: OfrepOptions): void {
  app.post(ofrepPath, async (context) => {
    const unit = await readUnit(context);
    if (isRefusal(unit)) return context.json(unit, 400);
    const { experiments } = service.snapshot();
    // What differs with every question has no place in an answer that is kept.
    const stable = experiments.filter(({ unit: { sources } }) => !sources.some(({ kind }) => kind === 'request'));
    return tagged(context, { flags: stable.map((experiment) => evaluate(experiment, { unit, random })) });
  });

  app.post(`${ofrepPath}/:key{.+}`, async (context) => {
    const key = context.req.param('key');
    const unit = await readUnit(context);
    if (isRefusal(unit)) return context.json({ key, ...unit }, 400);
    const { experiments } = service.snapshot();
    const experiment = experiments.find((each) => keyOf(each) === key);
    if (experiment === undefined) {
      const known = experiments.map(keyOf).join(', ') || 'there is none yet';
      const refusal: Refusal = {
        errorCode: 'FLAG_NOT_FOUND',
        errorDetails: `no experiment is routed by this name: ${known}`,
      };
      return context.json({ key, ...refusal }, 404);
    }
    if (unit === null && !isByRequest(experiment)) {
      const refusal: Refusal = {
        errorCode: 'TARGETING_KEY_MISSING',
        errorDetails: 'context.targetingKey is missing, must be the unit id, such as the user id',
      };
      return context.json({ key, ...refusal }, 400);
    }
    return tagged(context, evaluate(experiment, { unit, random }));
  });
}

function isByRequest({ unit: { sources, orElse } }: RoutedExperiment): boolean {
  return orElse === 'request' || sources.some(({ kind }) => kind === 'request');
}

/** Experiments of the namespace `default` go by their name alone. */
function keyOf({ name, namespace }: RoutedExperiment): string {
  return namespace === 'default' ? name : `${namespace}/${name}`;
}

function evaluate(
  experiment: RoutedExperiment,
  { unit, random }: { readonly unit: string | null; readonly random: () => number },
): object {
  const { variant, reason, propensity }: Assignment = decide(prepareAssignment(experiment), {
    unit,
    forced: null,
    random,
  });
  return {
    key: keyOf(experiment),
    value: variant,
    variant,
    reason: reasons[reason],
    metadata: {
      experiment: experiment.name,
      namespace: experiment.namespace,
      epoch: experiment.epoch,
      revision: experiment.revision,
      assignment: reason,
      propensity,
    },
  };
}

/** The unit id; null where the context has none. */
async function readUnit(context: Context): Promise<string | null | Refusal> {
  let body: unknown;
  try {
    body = JSON.parse((await context.req.text()) || '{}');
  } catch (fault) {
    return { errorCode: 'PARSE_ERROR', errorDetails: `the body is not JSON: ${(fault as Error).message}` };
  }
  const asked = (body as { readonly context?: unknown } | null)?.context ?? {};
  if (typeof body !== 'object' || Array.isArray(body) || typeof asked !== 'object' || Array.isArray(asked))
    return { errorCode: 'INVALID_CONTEXT', errorDetails: 'the body must be {"context": {"targetingKey": "user-17"}}' };
  const { targetingKey } = asked as { readonly targetingKey?: unknown };
  if (targetingKey === undefined || targetingKey === null || targetingKey === '') return null;
  if (typeof targetingKey !== 'string' || Buffer.byteLength(targetingKey) > maxUnitBytes)
    return {
      errorCode: 'INVALID_CONTEXT',
      errorDetails: `context.targetingKey must be a text of at most ${maxUnitBytes} bytes`,
    };
  return targetingKey;
}

/** The answer with its tag, or 304 to somebody who has it. */
function tagged(context: Context, answer: object): Response {
  const body = JSON.stringify(answer);
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  if (context.req.header('if-none-match') === etag) return context.body(null, 304, { etag });
  return context.body(body, 200, { 'content-type': 'application/json', etag });
}
