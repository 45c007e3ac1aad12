// Over which units (and which of their rows) is each set of numbers taken? The whole, each segment, each allocation.
import { type AnalysisPlan, strataOf } from './plan.ts';
import { ageBand } from './segment.ts';
import { double, quoted, type SqlStep } from './sql-text.ts';

/** Values of a segment that are told apart; rarer ones are left to the whole. */
const segmentValues = 20;
const dayMs = 86_400_000;

/** The scope without units seen in several variants. */
export const unmixedScope = 50_000;
const stratumStep = 100_000;

/** The part of a scope that lies in one stratum. */
export function scopeInStratum(scope: number, stratum: number): number {
  return scope + (stratum + 1) * stratumStep;
}

/** True when the report is split by days since the first exposure: then rows are told apart, not only units. */
export function isByAge({ experiment }: AnalysisPlan): boolean {
  return experiment.segments.includes('days_since_exposure');
}

/**
 * Tables `scope` (scope, place, value; scope 0 is the whole) and `unit_scope` (scope, unit_no, variant, age). `age` is -1
 * where all rows of the unit belong to the scope, else the band of days whose rows do.
 */
export function scopeSteps(plan: AnalysisPlan): readonly SqlStep[] {
  const { segments, sensitivity = [] } = plan.experiment;
  const isAge = (name: string): boolean => name === 'days_since_exposure';
  const counted = segments.map((name, place) =>
    isAge(name)
      ? `SELECT ${place} AS place, CAST(b.age AS VARCHAR) AS value, count(DISTINCT b.unit_no) AS units FROM ` +
        `(SELECT e.unit_no, ${ageBand('e')} AS age FROM exposure e) b GROUP BY b.age`
      : `SELECT ${place} AS place, f.s${place} AS value, count(*) AS units FROM first_exposure f GROUP BY f.s${place}`,
  );
  const ranked =
    segments.length === 0
      ? ''
      : ' UNION ALL SELECT row_number() OVER (ORDER BY t.place, t.nth), t.place, t.value FROM (' +
        'SELECT c.place, c.value, row_number() OVER (PARTITION BY c.place ORDER BY c.units DESC, c.value) AS nth ' +
        `FROM (${counted.join(' UNION ALL ')}) c) t WHERE t.nth <= ${segmentValues}`;
  const units = segments.map((name, place) =>
    isAge(name)
      ? 'SELECT DISTINCT s.scope, b.unit_no, b.variant, b.age FROM ' +
        `(SELECT e.unit_no, f.variant, ${ageBand('e')} AS age FROM exposure e JOIN first_exposure f ON f.unit_no = e.unit_no) b ` +
        `JOIN scope s ON s.place = ${place} AND s.value = CAST(b.age AS VARCHAR)`
      : 'SELECT s.scope, f.unit_no, f.variant, -1 AS age FROM first_exposure f ' +
        `JOIN scope s ON s.place = ${place} AND s.value = f.s${place}`,
  );
  const all = [
    'SELECT 0 AS scope, f.unit_no, f.variant, -1 AS age FROM first_exposure f',
    ...units,
    ...(sensitivity.includes('exclude-mixed')
      ? [`SELECT ${unmixedScope} AS scope, f.unit_no, f.variant, -1 AS age FROM first_exposure f WHERE NOT f.is_mixed`]
      : []),
  ].join(' UNION ALL ');
  const isStratified = strataOf(plan).length > 1;
  return [
    { table: 'scope', select: `SELECT 0 AS scope, -1 AS place, '' AS value${ranked}` },
    {
      table: 'unit_scope',
      select: isStratified
        ? `WITH whole AS (${all}) SELECT w.* FROM whole w UNION ALL ` +
          `SELECT w.scope + (f.stratum + 1) * ${stratumStep}, w.unit_no, w.variant, w.age FROM whole w ` +
          'JOIN first_exposure f ON f.unit_no = w.unit_no'
        : all,
    },
  ];
}

/** Names and values of the segments' scopes. */
export function scopesSql({ experiment }: AnalysisPlan): string {
  const names = experiment.segments.map((name, place) => `WHEN ${place} THEN ${quoted(name)}`).join(' ');
  const segment = names === '' ? "''" : `CASE c.place ${names} END`;
  return `SELECT CAST(c.scope AS DOUBLE) AS scope, ${segment} AS segment, c.value FROM scope c WHERE c.scope > 0 ORDER BY c.scope`;
}

/** Table `series_width` (width_ms): hours while the experiment is young, then days. */
export function seriesWidthStep(): SqlStep {
  return {
    table: 'series_width',
    select:
      `SELECT CASE WHEN max(f.first_ms) - min(f.first_ms) <= ${double(3 * dayMs)} THEN ${double(dayMs / 24)} ` +
      `ELSE ${double(dayMs)} END AS width_ms, max(f.first_ms) AS last_ms FROM first_exposure f`,
  };
}
