// How does a published table become a summary? Rates times requests are fractional successes; a latency stays a point.
import type { ExperimentSummary, MetricSummary, VariantSummary } from '../evidence/index.ts';
import type { LinearEffectSides } from './linear-effect.ts';
import { numberText } from './number-text.ts';
import type { PublishedDocument, PublishedMetric, PublishedVariant } from './published-document.ts';

/** The summary a published table stands for; no log is behind it and no time. */
export function summarisePublished(document: PublishedDocument): ExperimentSummary {
  const weights = document.variants.reduce((sum, variant) => sum + variant.weight, 0);
  const { control, candidate } = publishedSides(document);
  return {
    format: 'assay-summary',
    version: 1,
    namespace: 'default',
    experiment: document.experiment,
    control: document.control,
    unit: document.unit,
    fromMs: null,
    toMs: null,
    variants: [control, candidate],
    segments: [],
    epochs: [
      {
        epoch: 0,
        shares: Object.fromEntries(document.variants.map((variant) => [variant.name, variant.weight / weights])),
        units: Object.fromEntries(document.variants.map((variant) => [variant.name, variant.requests])),
      },
    ],
    health: null,
  };
}

/** The control and the candidate as summaries. */
export function publishedSides(document: PublishedDocument): LinearEffectSides {
  const control = document.variants.find((variant) => variant.name === document.control);
  const candidate = document.variants.find((variant) => variant.name !== document.control);
  if (control === undefined || candidate === undefined) {
    throw new RangeError(`document.variants lacks ${document.control} or a candidate, must hold both`);
  }
  return { control: variantSummary(control, document), candidate: variantSummary(candidate, document) };
}

function variantSummary(variant: PublishedVariant, document: PublishedDocument): VariantSummary {
  const failed = variant.requests * (variant.rates[document.failure?.rate ?? ''] ?? 0);
  const latency = insufficientLatency(variant);
  return {
    variant: variant.name,
    units: variant.requests,
    requests: variant.requests,
    failed,
    callerFailed: failed,
    fallback: 0,
    attemptMs: latency,
    callerMs: latency,
    metrics: Object.fromEntries(document.metrics.map((metric) => [metric.name, metricSummary(metric, variant)])),
    waiting: {},
    joint: null,
  };
}

function metricSummary(metric: PublishedMetric, variant: PublishedVariant): MetricSummary {
  if (metric.rate !== undefined) {
    const rate = variant.rates[metric.rate];
    return rate === undefined
      ? { kind: 'insufficient', reason: `${metric.rate} was not published for ${variant.name}` }
      : { kind: 'proportion', n: variant.requests, successes: variant.requests * rate };
  }
  const estimate = variant.latencyMs?.[metric.latency ?? 'mean'];
  return estimate === undefined
    ? { kind: 'insufficient', reason: `latency was not published for ${variant.name}` }
    : { kind: 'point', n: variant.requests, estimate };
}

function insufficientLatency(variant: PublishedVariant): VariantSummary['attemptMs'] {
  const known = Object.entries(variant.latencyMs ?? {}).map(([name, value]) => `${name} ${numberText(value)} ms`);
  return {
    kind: 'insufficient',
    reason:
      known.length === 0
        ? 'no latency was published'
        : `only ${known.join(', ')} were published, no percentiles beside`,
  };
}
