// What has a pilot, or an experiment of the past, shown of each metric? Levels and noise to plan the next one with.
import type { ExperimentSummary, VariantSummary } from '../evidence/index.ts';
import { covarianceOfRatios, normal } from '../stats/index.ts';
import { pointEstimate } from './effects.ts';
import { metricVariance } from './linear-effect.ts';
import type { Correlation, Expectations, MeasuredLevel, PlannedMetric } from './planned-world.ts';
import type { Report } from './report.ts';

type Pilot = Pick<Expectations, 'pilot' | 'unitsPerDay' | 'correlation'>;

const dayMs = 86_400_000;
/** A shorter pilot says nothing of the traffic of a day. */
const shortestMs = 3_600_000;

/**
 * What a report shows of its control. Noise is read off the interval of a metric's estimate.
 * @param alpha two-sided level of the report's intervals, in (0, 1)
 */
export function pilotOfReport(
  report: Pick<Report, 'control' | 'metrics' | 'variants' | 'from' | 'to'>,
  alpha: number,
): Pilot {
  const pilot: Record<string, MeasuredLevel> = {};
  for (const { name, kind, variants } of report.metrics) {
    const entry = variants.find(({ variant }) => variant === report.control);
    if (entry === undefined || typeof entry.estimate !== 'number') continue;
    const half = entry.interval?.kind === 'bounded' ? (entry.interval.upper - entry.interval.lower) / 2 : 0;
    const noise = (half / normal.isf(alpha / 2)) ** 2 * entry.n;
    pilot[name] = { level: entry.estimate, form: formOf(kind), ...(noise > 0 ? { noise } : {}) };
  }
  const units = report.variants.reduce((sum, each) => sum + each.units, 0);
  const from = report.from === undefined ? Number.NaN : Date.parse(report.from);
  const to = report.to === undefined ? Number.NaN : Date.parse(report.to);
  return { pilot, ...traffic(units, to - from) };
}

/** What a summary shows of its control. */
export function pilotOfSummary(summary: ExperimentSummary): Pilot {
  const control = summary.variants.find(({ variant }) => variant === summary.control);
  const units = summary.variants.reduce((sum, each) => sum + each.units, 0);
  return {
    ...pilotOfVariant(control ?? { metrics: {}, joint: null }),
    ...traffic(units, (summary.toMs ?? Number.NaN) - (summary.fromMs ?? Number.NaN)),
  };
}

/** What one variant shows. */
export function pilotOfVariant({
  metrics,
  joint,
}: Pick<VariantSummary, 'metrics' | 'joint'>): Pick<Pilot, 'pilot' | 'correlation'> {
  const pilot: Record<string, MeasuredLevel> = {};
  for (const [name, metric] of Object.entries(metrics)) {
    const level = pointEstimate(metric);
    if (level === undefined || metric.kind === 'insufficient') continue;
    const variance = metricVariance(metric);
    pilot[name] = {
      level,
      form: formOf(metric.kind),
      ...(variance !== undefined && variance > 0 ? { noise: variance * metric.n } : {}),
    };
  }
  const correlation = correlationOf(joint);
  return { pilot, ...(correlation === undefined ? {} : { correlation }) };
}

/** Of the estimates of all metrics that are ratios of means over the same units. */
function correlationOf(joint: VariantSummary['joint']): Correlation | undefined {
  if (joint === null || joint.moments.n < 2) return undefined;
  const covariance = covarianceOfRatios(joint.moments);
  if ('kind' in covariance) return undefined;
  const names = joint.columns.flatMap((column) => column.match(/^(.*):numerator$/)?.[1] ?? []);
  const deviations = names.map((_, i) => Math.sqrt(covariance[i]?.[i] ?? 0));
  const between = (i: number, j: number): number => {
    const scale = deviations[i]! * deviations[j]!;
    return scale > 0 ? (covariance[i]?.[j] ?? 0) / scale : 0;
  };
  return Object.fromEntries(
    names.map((name, i) => [name, Object.fromEntries(names.map((other, j) => [other, between(i, j)]))]),
  );
}

/** Rows of several per unit are means with the noise that has their likeness in it. */
function formOf(kind: string): PlannedMetric['form'] {
  if (kind === 'proportion') return 'rate';
  return kind === 'root' || kind === 'quantile' ? kind : 'mean';
}

function traffic(units: number, elapsedMs: number): Pick<Expectations, 'unitsPerDay'> {
  return elapsedMs >= shortestMs && units > 0 ? { unitsPerDay: (units / elapsedMs) * dayMs } : {};
}
