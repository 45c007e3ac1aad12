// The same report as a data scientist would write it for this one experiment: DuckDB over the same files, no more and no less asked.
import type { DuckdbSession } from '../../src/adapters/duckdb-session.ts';
import { segmentRows } from '../../src/adapters/evidence-store/segment-columns.ts';
import type { ExperimentSummary, SqlRow } from '../../src/evidence/index.ts';
import { reportMs } from './make-evidence.ts';

const weekMs = 7 * 86_400_000;

/** Segments of the log. */
export interface HandFiles {
  readonly predictions: readonly string[];
  readonly outcomes: readonly string[];
}

/**
 * First exposure, seven days after it, seven days before it, sums and products by variant, segment and day: one statement that drops
 * units of several variants, and neither drops doubled outcomes nor waits for windows, measures no latency and checks nothing.
 */
export function shortSql({ predictions, outcomes }: HandFiles): string {
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

/** What the statements below answer. */
export interface HandAnswers {
  readonly metrics: readonly SqlRow[];
  readonly requests: readonly SqlRow[];
  readonly reasons: readonly SqlRow[];
  readonly fates: readonly SqlRow[];
}

/** All that the report says: each outcome once, windows that have ended, latency and failures of requests, what became of outcomes. */
export async function askByHand(session: DuckdbSession, files: HandFiles): Promise<HandAnswers> {
  const predictions = segmentRows('predictions', files.predictions);
  const outcomes = segmentRows('outcomes', files.outcomes);
  const shown = `p.experiment = 'bench' AND p.reason = 'split' AND p."timeMs" <= ${reportMs}`;
  await session.run(`CREATE OR REPLACE TEMP TABLE first AS
    SELECT p.unit, min(p."timeMs") AS first_ms, max(p."timeMs") AS last_ms, min(p.assigned) <> max(p.assigned) AS is_mixed,
      arg_min(struct_pack(variant := p.assigned, epoch := p.epoch, context := p.context), (p."timeMs", p.writer, p.sequence)) AS f
    FROM ${predictions} p WHERE ${shown} GROUP BY p.unit`);
  await session.run(`CREATE OR REPLACE TEMP TABLE one_each AS
    SELECT o.id, count(*) AS copies, arg_min(struct_pack(ms := o."timeMs", type := o.type, v := CAST(o."value" AS DOUBLE), unit := o.subject.unit),
      (o."receivedMs", o.writer, o.sequence)) AS k
    FROM ${outcomes} o WHERE o."receivedMs" <= ${reportMs} GROUP BY o.id`);
  const total = (type: string, when: string): string =>
    `coalesce(sum(CASE WHEN o.k.type = '${type}' AND o.k.ms ${when} u.first_ms THEN o.k.v END), 0)`;
  await session.run(`CREATE OR REPLACE TEMP TABLE per_unit AS
    SELECT u.unit, any_value(u.f.variant) AS variant, any_value(json_extract_string(u.f.context, '$.isNew')) AS is_new,
      any_value(u.first_ms) AS first_ms, any_value(u.last_ms) AS last_ms, any_value(u.is_mixed) AS is_mixed, any_value(u.f.epoch) AS epoch,
      ${total('click', '>=')} AS m1, max(CASE WHEN o.k.type = 'convert' AND o.k.ms >= u.first_ms THEN 1.0 ELSE 0.0 END) AS m2,
      ${total('revenue', '>=')} AS m3, ${total('revenue', '<')} AS x3
    FROM first u LEFT JOIN one_each o ON o.k.unit = u.unit AND o.k.ms >= u.first_ms - ${weekMs} AND o.k.ms <= u.first_ms + ${weekMs}
    GROUP BY u.unit`);
  const moments = ['m1', 'm2', 'm3', 'x3']
    .map((name) => `avg(${name}) AS ${name}_mean, var_pop(${name}) * count(*) AS ${name}_m2`)
    .join(', ');
  const products = ['m1, m2', 'm1, m3', 'm2, m3', 'm1, x3', 'm2, x3', 'm3, x3']
    .map((pair, place) => `covar_pop(${pair}) * count(*) AS c${place}`)
    .join(', ');
  const metrics =
    await session.read(`SELECT variant, is_new, CASE WHEN grouping(d) = 0 THEN d END AS d, epoch, count(*) AS n, ${moments}, ${products}
    FROM (SELECT *, floor(first_ms / 86400000) AS d FROM per_unit WHERE first_ms + ${weekMs} < ${reportMs})
    GROUP BY GROUPING SETS ((variant), (variant, is_new), (variant, d), (variant, epoch))`);
  const units =
    await session.read(`SELECT variant, is_new, count(*) AS units, sum(is_mixed::INTEGER) AS mixed, min(first_ms) AS from_ms, max(last_ms) AS to_ms
    FROM per_unit GROUP BY GROUPING SETS ((variant), (variant, is_new))`);
  const latency = (column: string, name: string): string =>
    `avg(${column}) AS ${name}_mean, quantile_disc(${column}, [0.5, 0.95, 0.99])::VARCHAR AS ${name}_q`;
  const requests = await session.read(`SELECT u.f.variant AS variant, u.is_new, count(*) AS requests,
      sum(CASE WHEN p.attempts[1].error IS NOT NULL AND p.attempts[1].error NOT IN ('aborted', 'hedged') THEN 1 ELSE 0 END) AS failed,
      sum(CASE WHEN p.status >= 500 OR (p.served IS NULL AND p.status IS NOT NULL) THEN 1 ELSE 0 END) AS caller_failed,
      sum(CASE WHEN p.served <> p.assigned THEN 1 ELSE 0 END) AS fallback,
      ${latency('p.attempts[1].latencyMs', 'attempt')}, ${latency('p."callerMs"', 'caller')}
    FROM ${predictions} p JOIN (SELECT *, json_extract_string(f.context, '$.isNew') AS is_new FROM first) u ON u.unit = p.unit
    WHERE ${shown} AND p."row" = 0 GROUP BY GROUPING SETS ((variant), (variant, is_new))`);
  const reasons = await session.read(
    `SELECT p.reason, count(*) AS predictions FROM ${predictions} p WHERE p.experiment = 'bench' AND p."timeMs" <= ${reportMs} GROUP BY p.reason`,
  );
  const fates = await session.read(`SELECT CASE WHEN u.unit IS NULL THEN 'orphan' WHEN o.k.ms < u.first_ms THEN 'before'
      WHEN o.k.ms - u.first_ms <= ${weekMs} THEN 'joined' ELSE 'late' END AS fate, count(*) AS outcomes, sum(o.copies) AS copies
    FROM one_each o LEFT JOIN first u ON u.unit = o.k.unit GROUP BY 1`);
  return { metrics: [...metrics, ...units], requests, reasons, fates };
}

/** Where the two answers say the same; a sentence per difference. */
export function differencesOf(hand: HandAnswers, ours: ExperimentSummary): readonly string[] {
  const told: string[] = [];
  const same = (what: string, a: unknown, b: unknown): void => {
    const isClose =
      typeof a === 'number' && typeof b === 'number' && Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a));
    if (!isClose && a !== b) told.push(`${what}: by hand ${String(a)}, ours ${String(b)}`);
  };
  const scopes = [
    { isNew: null, variants: ours.variants },
    ...ours.segments.map(({ value, variants }) => ({ isNew: value, variants })),
  ];
  for (const { isNew, variants } of scopes) {
    for (const { variant, metrics, units, requests, failed, attemptMs, callerMs } of variants) {
      const where = `${variant} ${isNew ?? 'all'}`;
      const find = (rows: readonly SqlRow[], has: string): SqlRow =>
        rows.find(
          (row) =>
            row.variant === variant &&
            row.is_new === isNew &&
            (row.d ?? null) === null &&
            (row.epoch ?? null) === null &&
            has in row,
        ) ?? {};
      const { clicks, converted, revenue } = metrics;
      const [moments, count, asked] = [
        find(hand.metrics, 'm1_mean'),
        find(hand.metrics, 'units'),
        find(hand.requests, 'requests'),
      ];
      same(`${where} units`, count.units, units);
      same(`${where} requests`, asked.requests, requests);
      same(`${where} failed`, asked.failed, failed);
      if (clicks?.kind === 'mean') {
        same(`${where} clicks n`, moments.n, clicks.n);
        same(`${where} clicks`, moments.m1_mean, clicks.mean);
        same(`${where} clicks m2`, moments.m1_m2, clicks.m2);
      } else told.push(`${where} clicks is ${clicks?.kind}`);
      if (converted?.kind === 'proportion')
        same(`${where} converted`, moments.m2_mean, converted.successes / converted.n);
      else told.push(`${where} converted is ${converted?.kind}`);
      if (revenue?.kind === 'mean' && revenue.adjusted !== undefined) {
        same(`${where} revenue m2`, moments.m3_m2, revenue.m2);
        same(`${where} revenue with its covariate`, moments.c5, revenue.adjusted.m2[0]?.[1]);
      } else told.push(`${where} revenue is ${revenue?.kind} without a covariate`);
      for (const [name, latency] of [
        ['attempt', attemptMs],
        ['caller', callerMs],
      ] as const) {
        if (!('p50' in latency)) told.push(`${where} ${name} is insufficient`);
        else {
          same(`${where} ${name} mean`, asked[`${name}_mean`], latency.mean);
          same(`${where} ${name} quantiles`, asked[`${name}_q`], `[${latency.p50}, ${latency.p95}, ${latency.p99}]`);
        }
      }
    }
  }
  const fate = (name: string): unknown => hand.fates.find((row) => row.fate === name)?.outcomes ?? 0;
  same('joined', fate('joined'), ours.health?.outcomes.joined);
  same('late', fate('late'), ours.health?.outcomes.late);
  same('orphans', fate('orphan'), ours.health?.outcomes.orphans);
  same('predictions', hand.reasons.find(({ reason }) => reason === 'split')?.predictions, ours.health?.predictions);
  return told;
}
