export { type Assigner, type AssignerOptions, createAssigner, type LocalAssignment } from './assigner.ts';
export { type Client, type ClientOptions, createClient, type OutcomeInput } from './client.ts';
export {
  createOutcomeReporter,
  type OutcomeReport,
  type OutcomeReporter,
  type OutcomeReporterOptions,
} from './outcome-reporter.ts';
