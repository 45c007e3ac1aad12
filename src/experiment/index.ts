// The door of src/experiment: what an experiment is, how its file is read, which steps its life allows, how it is routed.
export {
  type BodyCapture,
  type Capture,
  type Decision,
  defaultResilience,
  type Experiment,
  type Mirror,
  type Protocol,
  type Ramp,
  type RegisteredUpstream,
  type RequestEdits,
  type Resilience,
  type Route,
  type SecretSource,
  type UnitRule,
  type UnitSource,
  type UpstreamSpec,
  type ValueModel,
  type ValueTerm,
  type Variant,
} from './experiment.ts';
export { experimentLabel } from './experiment-label.ts';
export { makeExperimentSchema } from './experiment-schema.ts';
export {
  applyTransition,
  type ExperimentStateName,
  hasEnded,
  type Transition,
  type TransitionName,
  transitions,
  transitionsFrom,
} from './lifecycle.ts';
export { type CapRule, countedSource, isPerUnit, type Metric, type RowSource, rowSourceOf } from './metric.ts';
export { type ModelReference, parseModelReference } from './model-reference.ts';
export type { OutcomeMapping } from './outcome-mapping.ts';
export { type ParseExperimentOptions, parseExperimentFile, parseExperimentFiles } from './parse-experiment.ts';
export { parseRoutingSnapshot } from './parse-routing.ts';
export { allocationFor, buildSnapshot, type RoutableExperiment, routeKey } from './route-experiments.ts';
export type { Allocation, AllocationRange, RoutedExperiment, RoutingSnapshot } from './routing.ts';
