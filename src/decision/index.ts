// The door of src/decision: what the evidence means, and what to do about it.
export { type BoundedForm, boundedForm } from './criterion-form.ts';
export {
  boundsText,
  countText,
  differenceText,
  type FigureUnit,
  levelText,
  probabilityText,
  pValueText,
  relativeText,
  shareText,
} from './figure-text.ts';
export { makeReport } from './make-report.ts';
export { type MetricUnit, metricUnits } from './metric-unit.ts';
export { durationText } from './number-text.ts';
export { pilotOfReport, pilotOfSummary } from './pilot.ts';
export { type CriterionPower, type PowerPlan, planPower } from './plan-power.ts';
export type { Expectations } from './planned-world.ts';
export { makePortfolio, type Portfolio, type PortfolioEntry, type PortfolioInput } from './portfolio.ts';
export { analyzePublished } from './published-analysis.ts';
export { parsePublished } from './published-parser.ts';
export type {
  CriterionEntry,
  Difference,
  Finding,
  LatencyEntry,
  MetricEntry,
  MetricVariantEntry,
  Report,
  SegmentEffects,
  ValueEntry,
  Verdict,
  VerdictKind,
} from './report.ts';
export { type Scenario, type SimulatedWorld, type Simulation, simulateRule } from './simulate-rule.ts';
export { valueWarnings } from './value-findings.ts';
