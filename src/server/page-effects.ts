// What does the page show that a report does not hold? Effects as shares of the control, and the noise of each term of a value.
import type { OverviewAnswer } from '../api/index.ts';
import type { Difference, MetricEntry, Report, ValueEntry } from '../decision/index.ts';
import type { Experiment } from '../experiment/index.ts';
import type { Insufficient, Interval } from '../stats/index.ts';

type Relative = OverviewAnswer['relative'];
type Tree = Relative['metrics'][number];
type Effect = Tree['variants'][number];

/** The differences of a report as shares of the control, in the order of the report. */
export function relativeEffects({ metrics, segments, control }: Report): Relative {
  const treeOf = (metric: MetricEntry): Tree => ({
    variants: metric.variants.map(({ difference }) =>
      difference === undefined || 'kind' in difference
        ? {}
        : effectOf(difference, metric.variants.find(({ variant }) => variant === control)?.interval),
    ),
  });
  return {
    metrics: metrics.map(treeOf),
    segments: segments.map((segment) => ({ metrics: segment.metrics.map(treeOf) })),
  };
}

function effectOf(difference: Difference, level: Interval | Insufficient | undefined): Effect {
  const { interval, sequential, bayes } = difference;
  const of = (watched: Interval | Insufficient): Interval | Insufficient =>
    relativeInterval(difference, { watched, level });
  return {
    fixed: of(interval),
    ...(sequential === undefined
      ? {}
      : { sequential: 'interval' in sequential ? of(sequential.interval) : sequential }),
    ...(bayes === undefined ? {} : { bayes: 'interval' in bayes ? of(bayes.interval) : bayes }),
  };
}

const none = (reason: string): Insufficient => ({ kind: 'insufficient', reason });

/**
 * Fieller's interval of difference / control from what a report holds: all r for which difference - r control lies within its
 * noise. The noise is that of the difference's own interval, side by side, and of the control's level, scaled to the same
 * procedure; control and candidate are independent. So it leaves 0 out exactly when the difference's interval does.
 *
 * @param options.watched interval of the difference by the procedure that is asked for
 * @param options.level interval of the control's level, one look at the end
 * @see Fieller 1954, JRSS B 16
 */
export function relativeInterval(
  { absolute, relative, interval }: Pick<Difference, 'absolute' | 'relative' | 'interval'>,
  options: { readonly watched: Interval | Insufficient; readonly level: Interval | Insufficient | undefined },
): Interval | Insufficient {
  const { watched, level } = options;
  if (typeof relative !== 'number') return relative;
  if (watched.kind === 'insufficient') return watched;
  if (level?.kind !== 'bounded') return none('the noise of the control by itself is not known');
  if (interval.kind !== 'bounded') return none('the difference has no interval of one look');
  // A difference of exactly 0 hides what it was divided by; the middle of the level's interval is near it.
  const control = relative === 0 ? (level.lower + level.upper) / 2 : absolute / relative;
  if (control === 0) return none('the control is 0, so no share of it can be taken');
  const levelNoise = ((level.upper - level.lower) / 2) ** 2;
  const ownNoise = ((interval.upper - interval.lower) / 2) ** 2;
  if (ownNoise === 0) return none('neither variant shows any noise');
  const end = (bound: number): number => {
    // Below a control of less than 0 the lower end of the difference is the upper one of the share.
    const side = bound < absolute === control > 0 ? -1 : 1;
    if (!Number.isFinite(bound)) return side * Number.POSITIVE_INFINITY;
    const noise = (bound - absolute) ** 2;
    // The control's part of it can be all of it, never more.
    const part = noise * Math.min(1, levelNoise / ownNoise);
    const scale = control ** 2 - part;
    if (scale <= 0) return side * Number.POSITIVE_INFINITY;
    const middle = absolute * control + part;
    const root = Math.sqrt(Math.max(0, middle ** 2 - scale * (absolute ** 2 - noise)));
    return (middle + side * root) / scale;
  };
  const [lower, upper] = endsOf(watched);
  return control > 0 ? intervalOf(end(lower), end(upper)) : intervalOf(end(upper), end(lower));
}

/** The values of a report with an interval for each term, from the interval of its metric's difference. */
export function valuesWithTerms(report: Report, { value: model }: Experiment): OverviewAnswer['values'] {
  return report.values.map((value) => {
    const { net, variant } = value;
    const isWatched = 'estimate' in net && net.sequential !== undefined && net.sequential.kind !== 'insufficient';
    return {
      ...value,
      terms: value.terms.map((term) => {
        const declared = model?.terms.find(({ name }) => name === term.name);
        const weight = declared === undefined ? undefined : declared.coefficient / declared.per;
        return {
          ...term,
          interval: termInterval(term, { weight, isWatched, difference: differenceOf(report, term.metric, variant) }),
        };
      }),
    };
  });
}

function differenceOf({ metrics }: Report, metric: string, variant: string): Difference | Insufficient | undefined {
  return metrics.find(({ name }) => name === metric)?.variants.find((each) => each.variant === variant)?.difference;
}

function termInterval(
  { estimate, metric }: ValueEntry['terms'][number],
  options: {
    readonly weight: number | undefined;
    readonly isWatched: boolean;
    readonly difference: Difference | Insufficient | undefined;
  },
): Interval | Insufficient {
  const { weight, isWatched, difference } = options;
  if (typeof estimate !== 'number') return estimate;
  if (weight === undefined || difference === undefined) return none(`${metric} is not in the report`);
  if ('kind' in difference) return difference;
  const { absolute, interval, sequential } = difference;
  // With a covariate the metric is judged by another estimate than the one the value adds up.
  if (Math.abs(weight * absolute - estimate) > 1e-9 * Math.max(Math.abs(estimate), Math.abs(weight)))
    return none(`${metric} is judged by another estimate than its term`);
  const own = isWatched
    ? sequential !== undefined && 'interval' in sequential
      ? sequential.interval
      : sequential
    : interval;
  if (own === undefined || own.kind === 'insufficient')
    return own ?? none(`${metric} has no interval valid at every look`);
  const ends = endsOf(own)
    .map((bound) => weight * bound)
    .sort((a, b) => a - b) as [number, number];
  return weight === 0 ? { kind: 'bounded', lower: 0, upper: 0 } : intervalOf(...ends);
}

function endsOf(interval: Interval): readonly [number, number] {
  return [
    'lower' in interval ? interval.lower : Number.NEGATIVE_INFINITY,
    'upper' in interval ? interval.upper : Number.POSITIVE_INFINITY,
  ];
}

function intervalOf(lower: number, upper: number): Interval {
  if (Number.isFinite(lower))
    return Number.isFinite(upper) ? { kind: 'bounded', lower, upper } : { kind: 'lower', lower };
  return Number.isFinite(upper) ? { kind: 'upper', upper } : { kind: 'unbounded' };
}
