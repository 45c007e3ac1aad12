// The door of src/decision: what the evidence means, and what to do about it.
export { makeReport } from './make-report.ts';
export { analyzePublished } from './published-analysis.ts';
export { parsePublished } from './published-parser.ts';
export type {
  Difference,
  Finding,
  LatencyEntry,
  MetricEntry,
  Report,
  ValueEntry,
  Verdict,
  VerdictKind,
} from './report.ts';
