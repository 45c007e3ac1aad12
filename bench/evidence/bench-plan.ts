// The experiment of the bench: three metrics of a unit, a covariate, one segment.
import type { AnalysisPlan } from '../../src/evidence/index.ts';
import type { Experiment, Metric } from '../../src/experiment/index.ts';
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

const upstream = { url: 'http://127.0.0.1:1', protocol: 'json' } as const;
const experiment: Experiment = {
  apiVersion: 'assay.dev/v1alpha1',
  namespace: 'default',
  name: 'bench',
  hypothesis: '',
  salt: 'default/bench',
  route: { kind: 'path', path: '/' },
  unit: { sources: [{ kind: 'header', name: 'x-user-id' }], orElse: 'control' },
  control: 'a',
  variants: ['a', 'b'].map((name) => ({ name, weight: 1, upstream, timeoutMs: 1_000 })),
  coverage: 1,
  capture: [],
  metrics,
  decision: {
    primary: [],
    secondary: [],
    guardrails: [],
    levels: { strong: 2, recommend: 0.5 },
    minDurationMs: 0,
    maxDurationMs: 1,
    onBreach: 'notify',
    onShip: 'hold',
    alpha: 0.05,
  },
  plan: {},
  segments: ['isNew'],
  exclude: [],
};

/** What is asked at `nowMs`. */
export function benchPlan(nowMs: number = reportMs): AnalysisPlan {
  return { experiment, epochs: [{ epoch: 1, shares: { a: 0.5, b: 0.5 } }], nowMs };
}
