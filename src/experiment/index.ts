// The door of src/experiment: what an experiment is, how its file is read, which steps its life allows, how it is routed.
export type {
  Capture,
  Decision,
  Experiment,
  Metric,
  MetricDefinition,
  Ramp,
  Route,
  UnitRule,
  UnitSource,
  UpstreamSpec,
  ValueModel,
  ValueTerm,
  Variant,
} from './experiment.ts';
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
export { type ParseExperimentOptions, parseExperimentFile, parseExperimentFiles } from './parse-experiment.ts';
export { parseRoutingSnapshot } from './parse-routing.ts';
export { allocationFor, buildSnapshot, type RoutableExperiment, routeKey } from './route-experiments.ts';
export type { Allocation, AllocationRange, RoutedExperiment, RoutingSnapshot } from './routing.ts';
