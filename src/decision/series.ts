// How did the metrics come about over time? The units of each stretch of time, as points a chart can draw.
import type { ExperimentSummary } from '../evidence/index.ts';
import type { SeriesEntry } from './report.ts';

/** One entry per metric and variant, metrics in the report's order. Stretches without a unit have no point. */
export function seriesEntries(
  { widthMs, points }: NonNullable<ExperimentSummary['series']>,
  metrics: readonly string[],
): readonly SeriesEntry[] {
  return metrics.flatMap((metric) => {
    const mine = points.filter((point) => point.metric === metric);
    return [...new Set(mine.map(({ variant }) => variant))].map((variant) => ({
      metric,
      variant,
      everyMs: widthMs,
      points: mine.flatMap((point) => {
        const [numerator = 0, denominator = 0] = point.moments.mean;
        if (point.variant !== variant || denominator === 0) return [];
        return [{ at: new Date(point.atMs).toISOString(), n: point.n, estimate: numerator / denominator }];
      }),
    }));
  });
}
