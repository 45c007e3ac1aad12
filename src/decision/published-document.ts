// What may a published results table say? Its inputs, what was derived from them, and where each figure was quoted.
/** One variant as published; rates and shares 0..1, times in milliseconds. */
export interface PublishedVariant {
  readonly name: string;
  readonly weight: number;
  readonly requests: number;
  /** Count of successes, where one was published beside the rates. */
  readonly successes?: number;
  readonly rates: { readonly [name: string]: number };
  readonly latencyMs?: { readonly mean: number; readonly p95?: number; readonly alone?: number };
  /** Cumulative: `share` of the requests took at most `withinMs`. */
  readonly histogram?: readonly { readonly withinMs: number; readonly share: number }[];
}

/** A metric and the published column it comes from: a rate becomes a proportion, a latency a point without spread. */
export interface PublishedMetric {
  readonly name: string;
  readonly rate?: string;
  readonly latency?: 'mean' | 'p95';
}

/** One term of the published value model; `basis` says what its unit is a percentage of. */
interface PublishedTerm {
  readonly name: string;
  readonly metric: string;
  readonly coefficient: number;
  readonly per: number;
  readonly basis?: string;
}

/** One factor of a product: another step's result, or a number with what it is measured on. */
export type PublishedFactor =
  | { readonly step: string }
  | {
      readonly name: string;
      readonly value: number;
      /** What an amount is an amount of, for example `trading volume`. */
      readonly base?: string;
      /** What a share is a share of, for example `revenue`. */
      readonly shareOf?: string;
      /** The number holds per so much of a metric. */
      readonly perMetric?: { readonly metric: string; readonly per: number };
      /** The number is the difference of this metric. */
      readonly difference?: string;
    };

/** One step of the money model: at most one formula; `published` alone is a result without one. */
export interface PublishedStep {
  readonly name: string;
  readonly product?: readonly PublishedFactor[];
  readonly sum?: readonly { readonly step: string; readonly sign?: -1 | 1 }[];
  /** (gain - cost) / cost */
  readonly returnOn?: { readonly gain: string; readonly cost: string };
  readonly published?: number;
}

/** One line of the published risk register, per year. */
interface PublishedRisk {
  readonly name: string;
  readonly probability: number;
  readonly loss: number;
  /** As likely a gain as a loss of this size. */
  readonly twoSided?: boolean;
}

/** A figure as somebody quoted it, by the name of what it claims to be. */
export interface PublishedQuote {
  readonly figure: string;
  readonly value: number;
  /** Decimals it was quoted with; default those the number shows. */
  readonly decimals?: number;
  readonly where: string;
}

/** The published inputs of one experiment, and what was derived from them. */
export interface PublishedDocument {
  readonly format: 'assay-published';
  readonly version: 1;
  readonly experiment: string;
  readonly about?: string;
  readonly unit: 'unit' | 'request';
  readonly control: string;
  readonly run?: { readonly minutes: number; readonly plannedMinutes: number };
  /** The control and one candidate. */
  readonly variants: readonly PublishedVariant[];
  readonly metrics: readonly PublishedMetric[];
  /** Which rate counts failures, and which rate should be 1 less it. */
  readonly failure?: { readonly rate: string; readonly complement?: string };
  readonly value?: { readonly unit: string; readonly terms: readonly PublishedTerm[] };
  readonly decision?: {
    readonly primary?: readonly string[];
    readonly secondary?: readonly string[];
    readonly guardrails?: readonly string[];
    readonly levels: { readonly strong: number; readonly recommend: number };
    readonly alpha?: number;
  };
  readonly money?: {
    readonly unit: string;
    readonly inputs: readonly { readonly name: string; readonly value: number }[];
    readonly steps: readonly PublishedStep[];
  };
  readonly risks?: readonly PublishedRisk[];
  readonly quoted: readonly PublishedQuote[];
}
