// Unit -> variant: the same answer in the gateway, the SDK, the browser and any port.
export { allocate, type BucketRange, reallocate, type VariantWeight } from './allocation.ts';
export {
  type AssignableExperiment,
  type Assignment,
  type AssignmentReason,
  type AssignmentRequest,
  assign,
  decide,
  type PreparedAssignment,
  prepareAssignment,
  type UnitGate,
} from './assignment.ts';
export { bucketCount, murmur3 } from './murmur3.ts';
