// Which variant shall answer this request, and under which record? Whatever fails in here, the control answers.
import { decide } from '../assignment/index.ts';
import type { Observer, Reason } from '../evidence/index.ts';
import type { Variant } from '../experiment/index.ts';
import { headerOf, type RawHeaders } from './forward-headers.ts';
import { isGrpcRequest } from './grpc-call.ts';
import { isJsonObject, type JsonBody } from './json-body.ts';
import type { PreparedExperiment } from './routing-table.ts';
import { heldRoute, routeToken, routeTokenHeader, wantsRouteToken } from './seldon-headers.ts';

/** Header by which a tester asks for a variant; such requests are never analysed. */
const forceHeader = 'x-assay-force';

/** What has been decided about one request before any variant is asked. */
export interface Admission {
  readonly experiment: PreparedExperiment;
  readonly assigned: Variant;
  readonly reason: Reason;
  readonly propensity: number;
  /** Keyed hash of the unit id; null without one. */
  readonly unit: string | null;
  /** For the reply header `x-assay-warning`; null when there is nothing to say. */
  readonly warning: string | null;
  /** For the reply header `x-seldon-route`; null for callers who know nothing of it. */
  readonly routeToken: string | null;
}

/** What `admit` needs besides the request. */
export interface AdmissionOptions {
  readonly predictionId: string;
  readonly hashUnit: (id: string) => string;
  /** Uniform on [0, 1). */
  readonly random: () => number;
  readonly observer: Observer;
}

/** The admission of a request that asks for a prediction. Never throws. */
export function admit(
  experiment: PreparedExperiment,
  request: { readonly headers: RawHeaders; readonly body: JsonBody },
  options: AdmissionOptions,
): Admission {
  const { observer } = options;
  const { labels } = experiment;
  const forced = forcedName(request.headers);
  let warning = forced === null ? null : warningFor(experiment, forced);
  try {
    if (experiment.side === null) return controlOf(experiment, 'no-unit', warning);
    const { assignment, readUnit, editsJson } = experiment.side;
    if (editsJson && (isGrpcRequest(request.headers) || !isJsonObject(request.body.json()))) {
      // Before anybody is assigned, so that both sides of the comparison lose the same requests.
      observer.count('request_not_editable', labels);
      return controlOf(experiment, 'not-editable', 'the body is no JSON object, so the control answers');
    }
    const unitId = readUnit(request.headers, request.body);
    const id = unitId.kind === 'unit' ? unitId.id : null;
    const drawn = decide(assignment, { unit: id, forced, random: options.random });
    const drawnVariant = experiment.variants.get(drawn.variant);
    if (drawnVariant === undefined) throw new Error(`assigned variant "${drawn.variant}" is none of the experiment's`);
    if (unitId.kind === 'none' && unitId.cause === 'too-long') observer.count('unit_id_too_long', labels);
    if (unitId.kind === 'none' && unitId.cause === 'duplicate') {
      observer.count('unit_id_duplicate', labels);
      warning ??= 'the key of the unit id stands twice in the body, so the control answers';
    }
    let assigned = drawnVariant;
    let { reason, propensity }: Pick<Admission, 'reason' | 'propensity'> = drawn;
    const held = heldRoute(request.headers, experiment.routed);
    if (held.kind === 'held' && (drawn.reason === 'split' || drawn.reason === 'no-unit')) {
      // A unit whose hash says the same is a split as before; anything else was chosen by the caller, not by the draw.
      const isSplit = drawn.reason === 'split' && id !== null && held.variant === drawnVariant;
      if (!isSplit) {
        assigned = held.variant;
        reason = 'sticky';
        propensity = 1;
      }
    } else if (held.kind !== 'none' && drawn.reason !== 'forced') {
      observer.count('route_token_stale', labels);
      warning ??= `the route of ${routeTokenHeader} is no longer there, so the variant was chosen anew`;
    }
    // A request that is its own unit beside units with ids gets a key of its own; where all are, the prediction id is the key.
    const ownUnit = unitId.kind === 'request' && !assignment.byRequest;
    const key = id ?? (ownUnit ? options.predictionId : null);
    const unit = key === null ? null : options.hashUnit(key);
    const token = wantsRouteToken(request.headers, experiment.control) ? routeToken(assigned) : null;
    return { experiment, assigned, reason, propensity, unit, warning, routeToken: token };
  } catch (cause) {
    observer.count('experiment_fault', labels);
    observer.fault('internal', `experiment ${labels.experiment} could not decide; its control answers`, cause);
    return controlOf(experiment, 'no-unit', warning);
  }
}

/** The variant for a request that is no prediction: the control, or the one a tester asks for. */
export function variantForProbe(experiment: PreparedExperiment, headers: RawHeaders): Variant {
  const forced = forcedName(headers);
  return (forced === null ? undefined : experiment.variants.get(forced)) ?? experiment.control;
}

function forcedName(headers: RawHeaders): string | null {
  const name = headerOf(headers, forceHeader)?.trim();
  return name === undefined || name === '' ? null : name;
}

function warningFor({ variants }: PreparedExperiment, forced: string): string | null {
  if (variants.has(forced)) return null;
  const shown = forced.slice(0, 64).replace(/[^\x20-\x7e]/g, '?');
  return `${forceHeader} is "${shown}", must be one of: ${[...variants.keys()].join(', ')}`;
}

function controlOf(experiment: PreparedExperiment, reason: Reason, warning: string | null): Admission {
  return { experiment, assigned: experiment.control, reason, propensity: 1, unit: null, warning, routeToken: null };
}
