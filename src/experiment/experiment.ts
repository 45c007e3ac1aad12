// What an experiment is, as data: the normalised form of one experiment file, defaults filled in, units in the names.
import type { Metric } from './metric.ts';
import type { OutcomeMapping } from './outcome-mapping.ts';

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

/**
 * What a variant's server speaks. `oip`: Open Inference Protocol v2; `json`: the request as it came; `mlflow`: `/invocations`;
 * `tensorflow`: `/v1/models/NAME:predict`; `openai`: chat completions, completions and embeddings.
 */
export type Protocol = 'oip' | 'json' | 'mlflow' | 'tensorflow' | 'openai';

/** Where a secret is read from when the process starts; never the secret itself. */
export type SecretSource = { readonly env: string } | { readonly file: string };

export interface UpstreamSpec {
  /**
   * http or https, may carry a base path; no credentials, no query. In a file also `models:/NAME@ALIAS` or
   * `models:/NAME/VERSION`, which is resolved to an address before the experiment is taken over.
   */
  readonly url: string;
  readonly protocol: Protocol;
  /** Address of the same model server for gRPC calls (`oip` only), http or https without path. */
  readonly grpcUrl?: string;
  /** Model name at the upstream; path (`oip`, `tensorflow`) or body (`openai`) are rewritten to it. */
  readonly model?: string;
  /** Model version at the upstream (`oip`, `tensorflow`). */
  readonly version?: string;
  /** Request headers whose values come from the environment or a file; `prefix` stands before the secret, such as `Bearer `. */
  readonly headersFrom?: { readonly [header: string]: SecretSource & { readonly prefix?: string } };
  /** PEM files for connections to this upstream. */
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string };
  /** Price of tokens (`openai`), in `currency` per `per` tokens. */
  readonly price?: { readonly input: number; readonly output: number; readonly per: number; readonly currency: string };
  /** Where a registered model is served: a URL in which `{name}` and `{version}` stand for those of the model. */
  readonly servedAt?: string;
  /** Which version of a registered model this is; set when `models:/...` was resolved. */
  readonly registered?: RegisteredUpstream;
}

/** A version of a registered model, as it was when its reference was resolved. */
export interface RegisteredUpstream {
  readonly name: string;
  readonly version: string;
  /** The alias it was found by; absent where the file names a version. */
  readonly alias?: string;
  /** The upstream as the file has it. */
  readonly given: UpstreamSpec;
}

/** What a variant writes into each request, so that one service can be told which model to use. */
export interface RequestEdits {
  readonly headers?: { readonly [name: string]: string };
  /** Top-level members of a JSON body, set or replaced. */
  readonly json?: { readonly [name: string]: string | number | boolean };
}

export interface Variant {
  readonly name: string;
  /** Integer >= 0; the share is weight / sum of weights. */
  readonly weight: number;
  readonly upstream: UpstreamSpec;
  /** The whole attempt, in milliseconds. */
  readonly timeoutMs: number;
  readonly set?: RequestEdits;
}

/** Copies of requests to a shadow variant (weight 0); callers never see its replies. */
export interface Mirror {
  readonly variant: string;
  /** Share of predictions copied, drawn per request, 0..1. */
  readonly share: number;
}

/** When a failing variant is taken out, and what is tried besides the fallback to the control. */
export interface Resilience {
  /** A variant whose share of failed attempts within `windowMs` reaches `failureRate` is ejected for `coolDownMs`; null never ejects. */
  readonly ejection: {
    readonly failureRate: number;
    readonly minRequests: number;
    readonly windowMs: number;
    readonly coolDownMs: number;
  } | null;
  /** Further tries of the same variant after connect or reset failures, 0 (default) to 3. */
  readonly retries: number;
  /** A second try of the same variant starts when the first took this long; null (default) never. */
  readonly hedgeAfterMs: number | null;
  /** Attempts of one variant under way at once beyond which its callers get the control, or 503 from the control. */
  readonly maxInFlight: number;
}

/** Sampled copies of request and reply bodies, kept for offline analysis and replay. */
export interface BodyCapture {
  /** Share of predictions, drawn per request, 0..1. */
  readonly share: number;
  /** Bodies longer than this are cut and marked, bytes. */
  readonly maxBytes: number;
  /** JSON paths whose values are replaced by `"[redacted]"`, in request and reply. */
  readonly redact: readonly string[];
  readonly retentionMs: number;
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

/** One term of the value model: coefficient x (candidate - control) / per, in the model's unit. */
export interface ValueTerm {
  readonly name: string;
  readonly metric: string;
  readonly coefficient: number;
  readonly per: number;
  /** What the term is counted in, for example `percent of revenue`; terms of several bases have no common sum. */
  readonly base?: string;
}

export interface ValueModel {
  /** What the net value is counted in, for example `points`. */
  readonly unit: string;
  readonly terms: readonly ValueTerm[];
  readonly money?: MoneyModel;
}

/** A number, or the range it lies in: triangular from low to high with its peak at likely. */
export type Guess = number | { readonly low: number; readonly likely: number; readonly high: number };

/** What may go wrong in a year, and what it would cost; each risk comes true at most once a year, on its own. */
export interface Risk {
  readonly name: string;
  /** 0..1 a year. */
  readonly probability: Guess;
  /** In the money model's currency. */
  readonly loss: Guess;
  /** As likely a gain as a loss of this size. */
  readonly twoSided?: boolean;
}

/** What the net value is in money, a year. */
export interface MoneyModel {
  /** ISO 4217, such as `USD`. */
  readonly currency: string;
  /** Currency a year for one unit of net value. */
  readonly worth: Guess;
  /** What the net value is a share of, such as `revenue`; terms counted in something else are a finding. */
  readonly base?: string;
  /** What running the candidate costs more than running the control, a year. */
  readonly infrastructure?: Guess;
  readonly risks: readonly Risk[];
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
  /** How criteria are decided; absent: sequential, valid however often one looks. */
  readonly method?: 'sequential' | 'group-sequential' | 'fixed';
  /** How the comparisons of many metrics, candidates and segments are judged together; absent: holm. */
  readonly correction?: 'holm' | 'bh' | 'none';
}

export interface Ramp {
  /** Rising shares in (0, 1]; the last may be below 1. */
  readonly coverage: readonly number[];
  readonly holdMs: number;
  /** `required`: each step is proposed, and taken when somebody approves; absent: steps are taken by themselves. */
  readonly approval?: 'required';
}

/** What is expected of one metric beforehand. */
export interface Expectation {
  /** Level of the control. */
  readonly control?: number;
  /** Candidate - control. */
  readonly difference?: number;
  /** Standard deviation from unit to unit; a rate has its own. */
  readonly sd?: number;
}

/** What was expected and intended beforehand. */
export interface Plan {
  readonly requestsPerDay?: number;
  /** Default 1. */
  readonly requestsPerUnit?: number;
  readonly units?: number;
  /** Chance of a decision that is wanted where the expected differences are true, in (0, 1); absent: 0.8. */
  readonly power?: number;
  /** By metric name. */
  readonly expected?: { readonly [metric: string]: Expectation };
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
  /** Share of the layer's units this experiment may see, in (0, 1]; absent: all that is left to it, which must be all. */
  readonly layerShare?: number;
  /** Units kept out: the same ones for every experiment of the namespace that names it. */
  readonly holdout?: { readonly name: string; readonly share: number };
  readonly route: Route;
  readonly unit: UnitRule;
  /** Name of the control variant. */
  readonly control: string;
  /** At least two; names unique. */
  readonly variants: readonly Variant[];
  /** Share of units the experiment takes in at start, 0..1. */
  readonly coverage: number;
  readonly capture: readonly Capture[];
  readonly mirror?: Mirror;
  /** Absent: the defaults of `defaultResilience`. */
  readonly resilience?: Resilience;
  readonly bodyCapture?: BodyCapture;
  readonly metrics: readonly Metric[];
  readonly value?: ValueModel;
  readonly decision: Decision;
  readonly ramp?: Ramp;
  /** `units`: planned units of control and one candidate together; sequences are tightest there, group-sequential plans end there. */
  readonly plan: Plan;
  /** Names of captured context, or of `builtInSegments`, by which the report is split. */
  readonly segments: readonly string[];
  /** Expressions over the record; predictions for which one is true are left out of the analysis. */
  readonly exclude: readonly string[];
  /** How foreign events become outcomes; absent: none are taken. */
  readonly outcomes?: readonly OutcomeMapping[];
  /** Second numbers beside the report's: `exclude-mixed` leaves out units seen in several variants. Never the default. */
  readonly sensitivity?: readonly 'exclude-mixed'[];
}

/** What holds without a `resilience` part: ejection after half of at least 20 attempts within 10 s failed, for 5 s; nothing is tried twice. */
export const defaultResilience: Resilience = {
  ejection: { failureRate: 0.5, minRequests: 20, windowMs: 10_000, coolDownMs: 5_000 },
  retries: 0,
  hedgeAfterMs: null,
  maxInFlight: 1_000,
};

/** Names every metric expression may use without declaring them; times in milliseconds, `failed` and the like are 0 or 1. */
export const builtInFields: readonly string[] = [
  'failed',
  'caller_failed',
  'attempt_ms',
  'caller_ms',
  'fallback',
  'status',
];

/**
 * Names that expressions may also use where a variant's protocol is `openai`: tokens as counted by the server, `cost` in
 * the price's currency, `ttft_ms` from the request's arrival to the first token of a stream, `tokens_per_second` after it.
 */
export const openAiFields: readonly string[] = [
  'prompt_tokens',
  'completion_tokens',
  'total_tokens',
  'cost',
  'ttft_ms',
  'tokens_per_second',
  'model',
  'finish_reason',
];
