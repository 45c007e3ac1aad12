// The door of evidence: what happened, how it is recorded, and how it becomes numbers.
export { cappedSteps, jointSql, type MetricRows, metricsSql, unitMetricStep, unitsSql } from './aggregate-sql.ts';
export { clickhouseDialect, postgresDialect, spellSummary } from './dialect.ts';
export { mapEvents } from './event-mapping.ts';
export { createLiveTally, type GroupTally, latencyBoundsMs, unitGroups, type VariantTally } from './live-tally.ts';
export { assembleVariants, makeSummary } from './make-summary.ts';
export { type ParseOutcomesOptions, parseOutcomes } from './outcome.ts';
export type { AnalysisPlan, EpochAllocation, KnownEvidence } from './plan.ts';
export type { Analytics, EvidenceLog, EvidenceLogStatus, Observer, UnitHasher } from './ports.ts';
export type {
  Attempt,
  Json,
  LogRecord,
  MirrorRecord,
  NewRecord,
  OutcomeRecord,
  OutcomeSubject,
  PredictionEndRecord,
  PredictionRecord,
  Reason,
  Scalar,
} from './record.ts';
export { type DecodedRecord, decodeRecord, encodeRecord } from './record-codec.ts';
export { jsonLabel, jsonMember, largestValue, quoted, type SqlStep } from './sql-text.ts';
export type {
  CapSummary,
  EpochUnits,
  EvidenceHealth,
  ExperimentSummary,
  Insufficient,
  LatencySummary,
  MetricSummary,
  ScopeSummary,
  SegmentSummary,
  StratumSummary,
  VariantSummary,
} from './summary.ts';
export { type SqlRow, type SummaryQuery, type SummarySql, summarySql } from './summary-sql.ts';
export { type LoggedMetric, type LoggedUnits, makeLoggedUnits, unitValuesSql } from './unit-values.ts';
export type { SummarisedMetric, SummaryAnswers } from './variant-summary.ts';
