export { type Assigner, type AssignerOptions, createAssigner, type LocalAssignment } from './assigner.ts';
export { type Client, type ClientOptions, createClient, type OutcomeInput } from './client.ts';
