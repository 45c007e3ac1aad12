// The door of src/control: the experiment service, the log it needs, and the events that stand in it.
export { canonicalJson, digestOf, linkEntry, requireRevision, verifyEntry } from './control-chain.ts';
export type { ControlEvent, ControlLogEntry } from './control-event.ts';
export { createExperimentService, type ExperimentService } from './experiment-service.ts';
export type { ExperimentState } from './experiment-state.ts';
export type { ControlLog } from './ports.ts';
export { createRoutingSource } from './routing-source.ts';
