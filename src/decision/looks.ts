// Where did each primary criterion stand over time? Its estimate and the interval valid at every look, as units came in.
import type { ExperimentSummary, MetricSummary, VariantSummary } from '../evidence/index.ts';
import type { ValueModel } from '../experiment/index.ts';
import { type JointMoments, mergeJointMoments } from '../stats/index.ts';
import { boundedForm } from './criterion-form.ts';
import { type LinearEffectSides, linearEffect } from './linear-effect.ts';
import type { Procedure } from './procedure.ts';
import type { LooksEntry } from './report.ts';
import { watchedInterval } from './watched-interval.ts';

/** How the looks are read. */
export interface LooksOptions {
  /** Texts of the primary criteria. */
  readonly primary: readonly string[];
  readonly model: ValueModel | undefined;
  /** Two-sided, of one candidate. */
  readonly alpha: number;
  readonly zeroOne: ReadonlySet<string>;
  readonly procedure: Exclude<Procedure, { readonly kind: 'fixed' }>;
}

/** Looks a reader can tell apart on a chart. */
const mostLooks = 40;

/**
 * The looks at each criterion that is a weighted sum of metrics with a series: units by the time of their first exposure, and
 * what is known of them now, metrics taken as independent. None where the shares of variants changed on the way, because time
 * then stands behind the variant.
 */
export function looksOf(summary: ExperimentSummary, options: LooksOptions): readonly LooksEntry[] {
  const { series, strata } = summary;
  if (series === undefined || strata !== undefined) return [];
  const times = [...new Set(series.points.map(({ atMs }) => atMs))].sort((left, right) => left - right);
  const step = Math.max(1, Math.ceil(times.length / mostLooks));
  const control = summary.variants.find(({ variant }) => variant === summary.control);
  if (control === undefined) return [];
  return summary.variants.flatMap((candidate) =>
    candidate === control
      ? []
      : options.primary.flatMap((text): readonly LooksEntry[] => {
          const form = boundedForm(text, options.model);
          if (form.kind !== 'form') return [];
          const names = [...new Set([...Object.keys(form.control), ...Object.keys(form.candidate)])];
          if (names.some((name) => series.points.every(({ metric }) => metric !== name))) return [];
          const running = new Map<string, JointMoments>();
          let next = 0;
          const points = times.flatMap((atMs, i): LooksEntry['points'] => {
            for (; next < times.length && times[next]! <= atMs; next += 1) {
              for (const point of series.points) {
                if (point.atMs !== times[next] || !names.includes(point.metric)) continue;
                const key = `${point.variant} ${point.metric}`;
                const before = running.get(key);
                running.set(key, before === undefined ? point.moments : mergeJointMoments(before, point.moments));
              }
            }
            if ((times.length - 1 - i) % step !== 0) return [];
            const sides = {
              control: sideAt(control, { names, running }),
              candidate: sideAt(candidate, { names, running }),
            };
            const effect = linearEffect(sides, form);
            if (effect.kind === 'insufficient') return [];
            const watched = watchedInterval(form, sides, options);
            const shift = form.offset ?? 0;
            return [
              {
                at: new Date(atMs + series.widthMs).toISOString(),
                units: unitsOf(sides),
                estimate: effect.estimate + shift,
                interval: watched.kind === 'insufficient' ? watched : shifted(watched.interval, shift),
              },
            ];
          });
          return points.length === 0
            ? []
            : [{ criterion: text, variant: candidate.variant, limit: form.limit, points }];
        }),
  );
}

function shifted(
  interval: Extract<LooksEntry['points'][number]['interval'], { kind: string }>,
  by: number,
): LooksEntry['points'][number]['interval'] {
  return interval.kind === 'bounded'
    ? { kind: 'bounded', lower: interval.lower + by, upper: interval.upper + by }
    : interval;
}

const unitsOf = ({ control, candidate }: LinearEffectSides): number => control.units + candidate.units;

/** The variant as it was: its metrics' running moments. */
function sideAt(
  variant: VariantSummary,
  { names, running }: { readonly names: readonly string[]; readonly running: ReadonlyMap<string, JointMoments> },
): VariantSummary {
  const metrics = names.map((name): readonly [string, MetricSummary] => {
    const moments = running.get(`${variant.variant} ${name}`);
    if (moments === undefined) return [name, { kind: 'insufficient', reason: 'no units yet' }];
    return [name, { kind: 'ratio', n: moments.n, rows: Math.round(moments.n * (moments.mean[1] ?? 0)), moments }];
  });
  const units = Math.max(0, ...metrics.map(([, metric]) => ('n' in metric ? metric.n : 0)));
  return { ...variant, units, metrics: Object.fromEntries(metrics), joint: null };
}
