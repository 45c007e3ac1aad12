// What an experiment is, as data: the normalised form of one experiment file, defaults filled in, units in the names.

/** How the gateway recognises requests of this experiment. Exactly one form. */
export type Route =
  /** Open Inference Protocol: `/v2/models/{model}[/versions/...]/...`. */
  | { readonly kind: 'model'; readonly model: string }
  /** The request path equals `path` or continues it after a slash. */
  | { readonly kind: 'path'; readonly path: string }
  /** The Host header (without port) equals `host`. */
  | { readonly kind: 'host'; readonly host: string };

/** Where the unit id is read from; the first source that yields a non-empty id wins. */
export type UnitSource =
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string }
  | { readonly kind: 'session'; readonly name: string }
  | { readonly kind: 'json'; readonly path: string }
  /** Every request is its own unit: random per request, with its propensity. */
  | { readonly kind: 'request' };

export interface UnitRule {
  /** Tried in order. `request` stands alone. */
  readonly sources: readonly UnitSource[];
  /** What happens without an id: the control answers (counted, not analysed), or the request becomes its own unit. */
  readonly orElse: 'control' | 'request';
}

export interface UpstreamSpec {
  /** http or https, may carry a base path; no credentials, no query. */
  readonly url: string;
  readonly protocol: 'oip' | 'json';
  /** OIP model name at the upstream; the request path is rewritten to it. */
  readonly model?: string;
  /** OIP model version at the upstream. */
  readonly version?: string;
}

export interface Variant {
  readonly name: string;
  /** Integer >= 0; the share is weight / sum of weights. */
  readonly weight: number;
  readonly upstream: UpstreamSpec;
  /** The whole attempt, in milliseconds. */
  readonly timeoutMs: number;
}

/** A value read off the hot path, from the request (declared context) or from the reply (captured). */
export interface Capture {
  readonly name: string;
  readonly from: 'request' | 'reply';
  readonly source:
    | { readonly kind: 'header'; readonly name: string }
    | { readonly kind: 'json'; readonly path: string }
    /** First element of the OIP tensor. */
    | { readonly kind: 'tensor'; readonly name: string };
  /** The number becomes 1 when it is >= threshold, else 0. */
  readonly threshold?: number;
}

/** How one number per variant is made from evidence. `expression` is in the language of src/expression. */
export type MetricDefinition =
  | { readonly kind: 'mean'; readonly expression: string }
  | { readonly kind: 'quantile'; readonly expression: string; readonly q: number };

export interface Metric {
  readonly name: string;
  readonly definition: MetricDefinition;
  /** How long after the prediction an outcome still counts. */
  readonly windowMs: number;
}

/** One term of the value model: coefficient x (candidate - control) / per, in the model's unit. */
export interface ValueTerm {
  readonly name: string;
  readonly metric: string;
  readonly coefficient: number;
  readonly per: number;
}

export interface ValueModel {
  /** What the net value is counted in, for example `points`. */
  readonly unit: string;
  readonly terms: readonly ValueTerm[];
}

export interface Decision {
  /** Criteria in the expression language; `NAME` is the candidate's metric, `control.NAME` the control's, `net_value` the value model's result. */
  readonly primary: readonly string[];
  readonly secondary: readonly string[];
  readonly guardrails: readonly string[];
  /** Net value above which the recommendation is `strong-recommend` / `recommend`. */
  readonly levels: { readonly strong: number; readonly recommend: number };
  readonly minDurationMs: number;
  readonly maxDurationMs: number;
  readonly onBreach: 'roll-back' | 'pause' | 'notify';
  readonly onShip: 'promote' | 'notify' | 'hold';
  /** Two-sided significance level of intervals and tests. */
  readonly alpha: number;
}

export interface Ramp {
  /** Rising shares in (0, 1]; the last may be below 1. */
  readonly coverage: readonly number[];
  readonly holdMs: number;
}

/** One experiment: what is wanted. What is (state, coverage, allocation) lives in the control log only. */
export interface Experiment {
  readonly apiVersion: 'assay.dev/v1alpha1';
  readonly namespace: string;
  readonly name: string;
  readonly hypothesis: string;
  /** Seeds the assignment; default `namespace/name`. */
  readonly salt: string;
  /** Group of mutually exclusive experiments; absent for none. */
  readonly layer?: string;
  readonly route: Route;
  readonly unit: UnitRule;
  /** Name of the control variant. */
  readonly control: string;
  /** At least two; names unique. */
  readonly variants: readonly Variant[];
  /** Share of units the experiment takes in at start, 0..1. */
  readonly coverage: number;
  readonly capture: readonly Capture[];
  readonly metrics: readonly Metric[];
  readonly value?: ValueModel;
  readonly decision: Decision;
  readonly ramp?: Ramp;
  readonly plan: { readonly requestsPerDay?: number };
  /** Names of captured context by which the report is split. */
  readonly segments: readonly string[];
  /** Expressions over the record; predictions for which one is true are left out of the analysis. */
  readonly exclude: readonly string[];
}

/** Names every metric expression may use without declaring them; times in milliseconds, `failed` and the like are 0 or 1. */
export const builtInFields: readonly string[] = [
  'failed',
  'caller_failed',
  'attempt_ms',
  'caller_ms',
  'fallback',
  'status',
];
