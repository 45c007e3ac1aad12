// The door of src/control: the experiment service, the loop that acts by itself, the log both need, and the events in it.
export { approve } from './approval.ts';
export { auditEntries, type CountLeft, type RecomputedVerdict, recomputeVerdicts } from './audit.ts';
export { canonicalJson, digestOf, linkEntry, requireRevision, verifyEntry } from './control-chain.ts';
export type { ControlEvent, ControlLogEntry, VerdictBasis } from './control-event.ts';
export { createDecisionLoop, type DecisionLoop, type LoopStatus } from './decision-loop.ts';
export { createExperimentService, type ExperimentChange, type ExperimentService } from './experiment-service.ts';
export { type ExperimentState, verdictBasis } from './experiment-state.ts';
export { type GuardrailBreach, watchGuardrails } from './guardrail-watch.ts';
export type {
  AliasMove,
  ControlLog,
  JudgedReport,
  ModelRegistry,
  RegisteredModel,
  TrafficRouted,
  TrafficRouter,
  TrafficShares,
} from './ports.ts';
export { type RegistryService, withModelRegistry } from './registered-variants.ts';
export { type RolloutGate, rolloutGate } from './rollout-gate.ts';
export { createRoutingSource } from './routing-source.ts';
