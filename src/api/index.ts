export { type AuditAnswer, parseAnnotationRequest, parseApprovalRequest } from './act-messages.ts';
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
export type {
  DistributionsAnswer,
  HealthItem,
  ListAnswer,
  ListRow,
  ListVerdict,
  LiveEvent,
  MetricFormat,
  NowAnswer,
  OverviewAnswer,
  PlaygroundAnswer,
  PlaygroundUnit,
  PowerAnswer,
  ProbeAnswer,
  RevisionsAnswer,
  SeriesAnswer,
  ServedAnswer,
  SessionAnswer,
  SplitCell,
  SplitCellsAnswer,
  StepOffer,
  TimelineAnswer,
  TimelineEntry,
  ValidateAnswer,
  VerdictDisplay,
} from './page-messages.ts';
export { fromProblem, type Problem, problemType, toProblem } from './problem.ts';
export { type ExperimentAction, experimentActions, paths } from './routes.ts';
