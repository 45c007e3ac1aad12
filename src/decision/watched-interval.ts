// Where is the number a criterion bounds, said so that one may look as often as one likes?
import type { MetricSummary } from '../evidence/index.ts';
import type { ValueModel } from '../experiment/index.ts';
import { type Insufficient, type Interval, normal, ratioStandardError, watchLimit, watchRate } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import { constantRate } from './constant-rate.ts';
import type { BoundedForm } from './criterion-form.ts';
import { type FormInterval, type FormIntervalOptions, formInterval, singleMetric } from './criterion-interval.ts';
import { pointEstimate } from './effects.ts';
import type { LinearEffectSides } from './linear-effect.ts';
import { lowerEnd, upperEnd } from './number-text.ts';
import type { Procedure } from './procedure.ts';
import type { ValueEntry } from './report.ts';
import { valueWeights } from './value.ts';

/** An interval that stays valid at every look. */
export interface WatchedInterval {
  readonly kind: 'watched';
  readonly interval: Interval;
  readonly method: string;
  /** Two-sided, of the form being 0; absent where the method has none. */
  readonly pValue?: number;
}

/** How the interval is watched. */
export interface WatchedOptions extends FormIntervalOptions {
  readonly procedure: Exclude<Procedure, { readonly kind: 'fixed' }>;
}

/** Fewer units a side than this are not near normal enough to be watched. */
const fewestWatchedUnits = 50;
/** With fewer rows of either kind a rate is not near normal: its exact sequence is taken. */
const fewestEvents = 10;

/**
 * The form's interval by the procedure. A rate of 0/1 rows keeps an exact sequence (of rows weighed down by how alike
 * rows of a unit are); the difference of two rates of which one is rare combines theirs; all else is near normal.
 * @see Waudby-Smith et al. 2024, Annals of Statistics 52(6) (asymptotic sequence); Robbins 1970 (exact rates);
 * Rao & Scott 1992, Biometrics 48 (effective counts of clustered rows)
 */
export function watchedInterval(
  form: BoundedForm,
  sides: LinearEffectSides,
  options: WatchedOptions,
): WatchedInterval | Insufficient {
  const { alpha, procedure } = options;
  if (procedure.kind === 'sequential') {
    const exact = exactInterval(form, sides, { ...options, horizon: procedure.horizon });
    if (exact !== undefined) return exact;
  }
  const spread = formInterval(form, sides, options);
  if (spread.kind === 'insufficient') return spread;
  const estimate = spread.kind === 'measured' ? (spread.estimate ?? estimateOf(form, sides)) : undefined;
  const standardError = standardErrorOf(spread, alpha);
  if (estimate === undefined || standardError === undefined) {
    return insufficient('the numbers show no noise that could be watched');
  }
  const { n, least } = unitsBehind(form, sides);
  if (least < fewestWatchedUnits) {
    return insufficient(`${least} units of one variant are too few to be watched; it takes ${fewestWatchedUnits}`);
  }
  if (procedure.kind === 'group-sequential') {
    const reach = procedure.reachAt(n, alpha);
    if (typeof reach !== 'number') return reach;
    return {
      kind: 'watched',
      method: 'group sequential, O’Brien-Fleming-like spending',
      interval: { kind: 'bounded', lower: estimate - reach * standardError, upper: estimate + reach * standardError },
    };
  }
  const watched = watchLimit(
    { estimate, standardError, n },
    { alpha, horizon: procedure.horizon, direction: 'apart', tuning: 'approximate' },
  );
  return watched.kind === 'insufficient'
    ? watched
    : { kind: 'watched', method: 'asymptotic confidence sequence', interval: watched.interval, pValue: watched.pValue };
}

/** Half the interval over its normal quantile: the standard error it stands for; undefined for intervals of another kind. */
export function standardErrorOf(spread: FormInterval, alpha: number): number | undefined {
  if (spread.kind !== 'measured' || spread.interval.kind !== 'bounded') return undefined;
  const half = (spread.interval.upper - spread.interval.lower) / 2;
  return half > 0 ? half / normal.isf(alpha / 2) : undefined;
}

function estimateOf(form: BoundedForm, { control, candidate }: LinearEffectSides): number | undefined {
  let sum = 0;
  for (const [weights, side] of [
    [form.candidate, candidate],
    [form.control, control],
  ] as const) {
    for (const [name, weight] of Object.entries(weights)) {
      const point = pointEstimate(side.metrics[name]);
      if (point === undefined) return undefined;
      sum += weight * point;
    }
  }
  return sum;
}

/** Units of both variants together, and of the variant that has fewest, behind the metric that has fewest. */
export function unitsBehind(
  form: Pick<BoundedForm, 'control' | 'candidate'>,
  { control, candidate }: LinearEffectSides,
): { readonly n: number; readonly least: number } {
  const count = (weights: BoundedForm['control'], side: LinearEffectSides['control']): number =>
    Math.min(
      ...Object.keys(weights).flatMap((name) => {
        const summary = side.metrics[name];
        return summary === undefined || summary.kind === 'insufficient' ? [] : [summary.n];
      }),
      side.units,
    );
  const left = count(form.control, control);
  const right = count(form.candidate, candidate);
  const hasControl = Object.values(form.control).some((weight) => weight !== 0);
  return { n: left + right, least: hasControl ? Math.min(left, right) : right };
}

interface ExactOptions extends FormIntervalOptions {
  readonly horizon: number;
}

/** Undefined where the form is no rate and no difference of rare rates. */
function exactInterval(
  form: BoundedForm,
  sides: LinearEffectSides,
  { alpha, zeroOne, horizon }: ExactOptions,
): WatchedInterval | undefined {
  const single = form.isValue ? undefined : singleMetric(form);
  if (single === undefined) return undefined;
  const counts = ({ metrics }: LinearEffectSides['control']): Counts | undefined => {
    const summary = metrics[single.name];
    return summary === undefined ? undefined : effectiveCounts(summary, zeroOne.has(single.name));
  };
  const candidate = counts(sides.candidate);
  if (candidate === undefined) return undefined;
  if (!single.isDifference) {
    const interval = scaled(rateInterval(candidate, { alpha, horizon }), single.weight);
    return { kind: 'watched', interval, method: 'beta-binomial mixture sequence' };
  }
  const control = counts(sides.control);
  if (control === undefined || (isFrequent(control) && isFrequent(candidate))) return undefined;
  const left = rateInterval(control, { alpha: alpha / 2, horizon });
  const right = rateInterval(candidate, { alpha: alpha / 2, horizon });
  return {
    kind: 'watched',
    interval: scaled({ lower: right.lower - left.upper, upper: right.upper - left.lower }, single.weight),
    method: 'difference of two beta-binomial mixture sequences',
  };
}

interface Counts {
  readonly n: number;
  readonly successes: number;
}

const isFrequent = ({ n, successes }: Counts): boolean => Math.min(successes, n - successes) >= fewestEvents;

/** Independent trials that say as much as the rows do; undefined for anything but 0/1 rows. */
function effectiveCounts(summary: MetricSummary, isKnownZeroOne: boolean): Counts | undefined {
  if (summary.kind === 'proportion') {
    return summary.n > 0 ? { n: summary.n, successes: Math.round(summary.successes) } : undefined;
  }
  if (summary.kind !== 'ratio' || !isKnownZeroOne) return undefined;
  const constant = constantRate(summary, true);
  if (constant !== undefined) return { n: constant.units, successes: constant.rate * constant.units };
  const rate = pointEstimate(summary);
  const standardError = ratioStandardError(summary.moments);
  if (rate === undefined || typeof standardError !== 'number' || !(standardError > 0)) return undefined;
  const n = Math.max(1, Math.floor(Math.min(summary.rows, (rate * (1 - rate)) / standardError ** 2)));
  return { n, successes: Math.min(n, Math.round(rate * n)) };
}

interface Ends {
  readonly lower: number;
  readonly upper: number;
}

/** Both ends, each at half of alpha. */
function rateInterval(counts: Counts, { alpha, horizon }: { readonly alpha: number; readonly horizon: number }): Ends {
  // The limit decides the p-value alone, which is not used.
  const options = { alpha: alpha / 2, horizon, limit: 0.5 } as const;
  const below = watchRate(counts, { ...options, direction: 'above' });
  const above = watchRate(counts, { ...options, direction: 'below' });
  return {
    lower: below.kind === 'insufficient' ? 0 : Math.max(0, lowerEnd(below.interval)),
    upper: above.kind === 'insufficient' ? 1 : Math.min(1, upperEnd(above.interval)),
  };
}

function scaled({ lower, upper }: Ends, weight: number): Interval {
  const ends = [lower * weight, upper * weight];
  return { kind: 'bounded', lower: Math.min(...ends), upper: Math.max(...ends) };
}

/** The value with its net value's interval at every look; as it was where it is looked at once, or has no net value. */
export function watchNetValue(
  value: ValueEntry,
  sides: LinearEffectSides,
  options: FormIntervalOptions & { readonly model: ValueModel | undefined; readonly procedure: Procedure },
): ValueEntry {
  const { model, procedure, ...within } = options;
  if (model === undefined || procedure.kind === 'fixed' || !('estimate' in value.net)) return value;
  const form: BoundedForm = { kind: 'form', ...valueWeights(model), comparison: '>', limit: 0, isValue: true };
  const watched = watchedInterval(form, sides, { ...within, procedure });
  return { ...value, net: { ...value.net, sequential: watched.kind === 'insufficient' ? watched : watched.interval } };
}
