// The experiment of the bench, and the same questions as one hand-written DuckDB statement.
import { segmentRows } from '../../src/adapters/evidence-store/segment-columns.ts';
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

/**
 * First exposure, seven days after it, seven days before it, sums and products by variant, segment and day: what a data
 * scientist would write. It neither drops doubled outcomes nor waits for windows, and checks nothing.
 */
export function handSql(predictions: readonly string[], outcomes: readonly string[]): string {
  const value = (type: string, when: string): string =>
    `sum(CASE WHEN e."timeMs" ${when} fe.ts0 AND e.type = '${type}' THEN CAST(e."value" AS DOUBLE) ELSE 0 END)`;
  return `WITH fe AS (
  SELECT x.experiment, x.unit, arg_min(x.assigned, x."timeMs") AS v0, min(x."timeMs") AS ts0,
    arg_min(json_extract_string(x.context, '$.isNew'), x."timeMs") AS seg0
  FROM ${segmentRows('predictions', predictions)} x WHERE x.reason = 'split'
  GROUP BY x.experiment, x.unit HAVING min(x.assigned) = max(x.assigned)),
u AS (
  SELECT fe.experiment, fe.unit, min(fe.v0) AS v, min(fe.seg0) AS seg, min(floor(fe.ts0 / 86400000)) AS dy,
    ${value('click', '>=')} AS m1,
    max(CASE WHEN e."timeMs" >= fe.ts0 AND e.type = 'convert' THEN 1 ELSE 0 END) AS m2,
    ${value('revenue', '>=')} AS m3,
    ${value('revenue', '<')} AS x3
  FROM fe LEFT JOIN ${segmentRows('outcomes', outcomes)} e ON e.subject.unit = fe.unit
     AND e."timeMs" >= fe.ts0 - ${weekMs} AND e."timeMs" < fe.ts0 + ${weekMs}
  GROUP BY fe.experiment, fe.unit)
SELECT experiment, v AS variant, seg AS segment, dy AS bucket, count(*) AS n,
  sum(m1) AS s1, sum(m1 * m1) AS ss1, sum(m2) AS s2, sum(m3) AS s3, sum(m3 * m3) AS ss3,
  sum(m1 * m3) AS s13, sum(x3) AS sx3, sum(x3 * x3) AS ssx3, sum(m3 * x3) AS s3x3
FROM u GROUP BY GROUPING SETS ((experiment, v), (experiment, v, seg), (experiment, v, dy)) ORDER BY 1, 2, 3, 4`;
}
