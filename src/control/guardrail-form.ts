// Which guardrails can be watched on the live counts of the gateways, and how is each read from them?
import { type BoundedForm, boundedForm } from '../decision/index.ts';
import { type GroupTally, latencyBoundsMs } from '../evidence/index.ts';
import type { Experiment, Metric } from '../experiment/index.ts';

/** How one number is read from counts. */
export interface TallyMeasure {
  /** `share`: `hits` of `trials`; `mean`: the sum `hits` over `trials`. */
  readonly kind: 'share' | 'mean';
  readonly trials: (counts: GroupTally) => number;
  readonly hits: (counts: GroupTally) => number;
}

/** A guardrail on live counts: broken when candidate weight x candidate + control weight x control lies above the limit. */
export interface LiveGuardrail {
  readonly kind: 'live';
  readonly text: string;
  readonly measure: TallyMeasure;
  readonly limit: number;
  /** Not 0. */
  readonly candidate: number;
  /** 0 where the guardrail does not name the control. */
  readonly control: number;
}

/** A guardrail that only the report judges, and why. */
export interface ReportedGuardrail {
  readonly kind: 'reported';
  readonly text: string;
  readonly reason: string;
}

/** Every guardrail of an experiment, in its order. */
export function readGuardrails(experiment: Experiment): readonly (LiveGuardrail | ReportedGuardrail)[] {
  return experiment.decision.guardrails.map((text) => readGuardrail(text, experiment));
}

function readGuardrail(text: string, experiment: Experiment): LiveGuardrail | ReportedGuardrail {
  const reported = (reason: string): ReportedGuardrail => ({ kind: 'reported', text, reason });
  if (experiment.exclude.length > 0) return reported('the experiment excludes predictions that live counts include');
  const form = boundedForm(text, experiment.value);
  if (form.kind !== 'form') return reported('it is no weighted sum of metrics');
  if (form.isValue || form.isBand) return reported('it bounds the net value, or a number on both sides');
  const weights = singleWeights(form);
  if (weights === undefined) return reported('it bounds several metrics at once');
  const metric = experiment.metrics.find(({ name }) => name === weights.metric);
  const measure = metric === undefined ? undefined : measureOf(metric, weights);
  if (measure === undefined) return reported(`live counts do not hold the metric ${weights.metric}`);
  // `x < limit` is broken above the limit; what must stay above it is turned round.
  const turn = form.comparison === '<' || form.comparison === '<=' ? 1 : -1;
  const bound = turn * (form.limit - (form.offset ?? 0));
  return {
    kind: 'live',
    text,
    measure: measure.measure,
    limit: measure.limit ?? bound,
    candidate: measure.limit === undefined ? turn * weights.candidate : 1,
    control: turn * weights.control,
  };
}

interface SingleWeights {
  readonly metric: string;
  readonly candidate: number;
  readonly control: number;
  /** The greatest value the candidate's metric may have; undefined for another form. */
  readonly upper: number | undefined;
}

function singleWeights(form: BoundedForm): SingleWeights | undefined {
  const used = (side: BoundedForm['control']): readonly (readonly [string, number])[] =>
    Object.entries(side).filter(([, weight]) => weight !== 0);
  const [candidate, ...more] = used(form.candidate);
  const [control, ...others] = used(form.control);
  if (candidate === undefined || more.length > 0 || others.length > 0) return undefined;
  if (control !== undefined && control[0] !== candidate[0]) return undefined;
  const isUpper = (form.comparison === '<' || form.comparison === '<=') === candidate[1] > 0;
  const upper = control === undefined && isUpper ? (form.limit - (form.offset ?? 0)) / candidate[1] : undefined;
  return { metric: candidate[0], candidate: candidate[1], control: control?.[1] ?? 0, upper };
}

const rates: { readonly [field: string]: 'failed' | 'callerFailed' | 'fallback' } = {
  failed: 'failed',
  caller_failed: 'callerFailed',
  fallback: 'fallback',
};
const latencies: { readonly [field: string]: 'attemptMs' | 'callerMs' } = {
  attempt_ms: 'attemptMs',
  caller_ms: 'callerMs',
};

/** The measure, with its own limit where the metric's limit became the limit of a share. */
function measureOf(
  { definition, filter, cap, covariate }: Metric,
  { upper }: SingleWeights,
): { readonly measure: TallyMeasure; readonly limit?: number } | undefined {
  if (filter !== undefined || cap !== undefined || covariate !== undefined) return undefined;
  if (definition.kind === 'mean') {
    const rate = rates[definition.expression.trim()];
    if (rate !== undefined) {
      return { measure: { kind: 'share', trials: (counts) => counts.requests, hits: (counts) => counts[rate] } };
    }
    const latency = latencies[definition.expression.trim()];
    if (latency === undefined) return undefined;
    return {
      measure: { kind: 'mean', trials: (counts) => counts[latency].n, hits: (counts) => counts[latency].sumMs },
    };
  }
  if (definition.kind !== 'quantile' || upper === undefined) return undefined;
  const latency = latencies[definition.expression.trim()];
  // A bucket's bound at or above the limit: whoever is slower than that is slower than the limit for certain.
  const bucket = latencyBoundsMs.findIndex((bound) => bound >= upper);
  if (latency === undefined || bucket === -1) return undefined;
  return {
    measure: {
      kind: 'share',
      trials: (counts) => counts[latency].n,
      hits: (counts) => counts[latency].within.reduce((sum, count, place) => (place > bucket ? sum + count : sum), 0),
    },
    // The q-quantile is above a value exactly when more than 1 - q lies above it.
    limit: 1 - definition.q,
  };
}
