// Which variant shall answer this request, and under which record? Whatever fails in here, the control answers.
import { decide } from '../assignment/index.ts';
import type { Observer, Reason } from '../evidence/index.ts';
import type { Variant } from '../experiment/index.ts';
import { headerOf, type RawHeaders } from './forward-headers.ts';
import type { JsonBody } from './json-body.ts';
import type { PreparedExperiment } from './routing-table.ts';

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
  const labels = { experiment: experiment.routed.name };
  const forced = forcedName(request.headers);
  const warning = forced === null ? null : warningFor(experiment, forced);
  try {
    if (experiment.side === null) return controlOf(experiment, warning);
    const { assignment, readUnit } = experiment.side;
    const unitId = readUnit(request.headers, request.body);
    const id = unitId.kind === 'unit' ? unitId.id : null;
    const { variant, reason, propensity } = decide(assignment, { unit: id, forced, random: options.random });
    const assigned = experiment.variants.get(variant);
    if (assigned === undefined) throw new Error(`assigned variant "${variant}" is none of the experiment's`);
    if (unitId.kind === 'none' && unitId.cause === 'too-long') observer.count('unit_id_too_long', labels);
    // A request that is its own unit beside units with ids gets a key of its own; where all are, the prediction id is the key.
    const ownUnit = unitId.kind === 'request' && !assignment.byRequest;
    const key = id ?? (ownUnit ? options.predictionId : null);
    return { experiment, assigned, reason, propensity, unit: key === null ? null : options.hashUnit(key), warning };
  } catch (cause) {
    observer.count('experiment_fault', labels);
    observer.fault('internal', `experiment ${labels.experiment} could not decide; its control answers`, cause);
    return controlOf(experiment, warning);
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

function controlOf(experiment: PreparedExperiment, warning: string | null): Admission {
  return { experiment, assigned: experiment.control, reason: 'no-unit', propensity: 1, unit: null, warning };
}
