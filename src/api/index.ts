export { cloudEventOfHeaders, outcomesOfCloudEvents } from './cloud-events.ts';
export {
  type ActionRequest,
  type EventsAnswer,
  type ExperimentAnswer,
  type ExplainAnswer,
  type OutcomesAnswer,
  parseActionRequest,
  parseErasureRequest,
} from './messages.ts';
export { openApi } from './openapi.ts';
export { fromProblem, type Problem, problemType, toProblem } from './problem.ts';
export { type ExperimentAction, experimentActions, paths } from './routes.ts';
