// The question of the bench: three metrics of a unit, a covariate, one segment.
import { plan } from '../../src/adapters/analytics-records.fixture.ts';
import type { AnalysisPlan } from '../../src/evidence/index.ts';
import type { Metric } from '../../src/experiment/index.ts';
import { reportMs } from './make-evidence.ts';

const weekMs = 7 * 86_400_000;

const metrics: readonly Metric[] = [
  { name: 'clicks', definition: { kind: 'sum', expression: 'outcome.click' }, windowMs: weekMs },
  { name: 'converted', definition: { kind: 'proportion', expression: 'outcome.convert' }, windowMs: weekMs },
  {
    name: 'revenue',
    definition: { kind: 'sum', expression: 'outcome.revenue' },
    windowMs: weekMs,
    covariate: { expression: null, beforeMs: weekMs },
  },
];

/** What is asked at `nowMs`. */
export function benchPlan(nowMs: number = reportMs): AnalysisPlan {
  return plan(metrics, { name: 'bench', salt: 'default/bench', segments: ['isNew'], nowMs });
}
