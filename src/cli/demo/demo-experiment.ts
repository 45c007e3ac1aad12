// Which experiment does the demo run? The financial-forecast example with this run's addresses and its replay clock.
import type { ForecastModelName } from './forecast-models.ts';
import { trafficShape } from './traffic-plan.ts';

/** Name of the demo's experiment. */
export const demoExperimentName = 'financial-forecast';
/** The model callers ask for. */
export const demoModel = 'forecast';
/** Declared share of the candidate, 0..1. */
export const enhancedShare = 0.3;

/**
 * Gives the experiment file of one run, as a person would write it.
 *
 * @param options.urls where the two model servers listen.
 * @param options.dayMs length of one trading day on the replay clock, whole milliseconds.
 */
export function writeDemoExperiment(options: {
  readonly urls: Readonly<Record<ForecastModelName, string>>;
  readonly dayMs: number;
}): string {
  const { urls, dayMs } = options;
  const window = `${trafficShape.windowDays * dayMs}ms`;
  return `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: ${demoExperimentName}}
spec:
  hypothesis: The enhanced model is at least 3 points more accurate
  route: {model: ${demoModel}}
  unit: {header: x-user-id, orElse: control}
  control: baseline
  variants:
    - {name: baseline, weight: 70, upstream: {url: "${urls.baseline}", protocol: oip, model: forecast-baseline}}
    - {name: enhanced, weight: 30, upstream: {url: "${urls.enhanced}", protocol: oip, model: forecast-enhanced}}
  capture: {prediction: {tensor: up, threshold: 0.5}, isNew: {header: x-new-user}}
  metrics:
    # The replay runs a trading day in ${dayMs} ms, so ${trafficShape.windowDays} trading days are ${window}.
    accuracy:    {mean: "prediction == outcome.label", window: ${window}}
    latency:     {mean: attempt_ms}
    latency_p95: {quantile: attempt_ms, q: 0.95}
    error_rate:  {mean: failed}
  value:
    unit: points
    terms:
      revenue_lift:   {accuracy: 0.5, per: 0.01}
      cost_impact:    {latency: -0.1, per: 1}
      risk_reduction: {error_rate: -10, per: 0.01}
  decision:
    primary: [net_value > 2]
    secondary: [accuracy - control.accuracy > 0.03, latency_p95 < 200]
    guardrails: [error_rate < 0.02]
    levels: {strong: 2, recommend: 0.5}
    minDuration: 0s # a replay has no calendar; a real test runs whole days
    maxDuration: 28d
    onBreach: roll-back
    onShip: hold
  segments: [isNew]
`;
}
