// Is the effect the same for everybody and all the time? Effects by segment, their decay, and whether one segment carries the whole.
import type { MetricSummary, SegmentSummary, VariantSummary } from '../evidence/index.ts';
import {
  compareGroupEffects,
  type EffectGroup,
  type GroupEffects,
  type Moments,
  normal,
  simpsonCheck,
} from '../stats/index.ts';
import { pointEstimate } from './effects.ts';
import { metricVariance } from './linear-effect.ts';
import { numberText } from './number-text.ts';
import type { Finding, SegmentEffects } from './report.ts';

/** What is compared over the values of each segment. */
export interface SegmentEffectOptions {
  readonly control: string;
  readonly candidates: readonly string[];
  /** Those the decision rests on. */
  readonly metrics: readonly string[];
  readonly alpha: number;
}

/** The segment whose values are stretches of time since the first exposure. */
const daysSegment = 'days_since_exposure';
/** Fewer units of a variant make no group. */
const fewestUnits = 20;

/** Effects by the values of each segment, in the order of segments, candidates and metrics; segments of one value have none. */
export function segmentEffects(
  segments: readonly SegmentSummary[],
  options: SegmentEffectOptions,
): readonly SegmentEffects[] {
  return [...new Set(segments.map(({ segment }) => segment))].flatMap((segment) => {
    const values = segments.filter((each) => each.segment === segment);
    return options.candidates.flatMap((variant) =>
      options.metrics.flatMap((metric) => effectsOf(values, { ...options, segment, variant, metric }) ?? []),
    );
  });
}

interface Place {
  readonly segment: string;
  readonly variant: string;
  readonly metric: string;
}

function effectsOf(values: readonly SegmentSummary[], place: Place & SegmentEffectOptions): SegmentEffects | undefined {
  const { segment, variant, metric, control, alpha } = place;
  const sideOf = (variants: readonly VariantSummary[], name: string): MetricSummary | undefined =>
    variants.find((each) => each.variant === name)?.metrics[metric];
  const groups = values.flatMap(({ value, variants }): readonly EffectGroup[] => {
    const left = asMoments(sideOf(variants, control));
    const right = asMoments(sideOf(variants, variant));
    return left === undefined || right === undefined ? [] : [{ name: value, control: left, candidate: right }];
  });
  if (groups.length < 2) return undefined;
  const found = compareGroupEffects(groups, { alpha });
  if (found.kind === 'insufficient') return undefined;
  const effects = found.effects.flatMap(({ name, effect }) =>
    effect.kind === 'tested'
      ? [{ value: name, difference: effect.difference, standardError: effect.standardError, interval: effect.interval }]
      : [],
  );
  const weights = groups.map((group) => group.control.n + group.candidate.n);
  const isTime = segment === daysSegment;
  return {
    segment,
    metric,
    variant,
    effects: effects.map(({ value, difference, interval }) => ({ value, difference, interval })),
    sameEffectPValue: found.sameEffect.pValue,
    // A unit stands in several stretches, which makes their difference surer than it is taken for: the test errs to caution.
    ...(isTime ? { decay: decayOf(found.lastAgainstFirst) } : {}),
    ...(isTime ? {} : { restsOn: restsOn(effects, { weights, names: groups.map(({ name }) => name), alpha }) }),
    ...(isTime ? {} : simpsonOf(values, place)),
  };
}

function decayOf(last: GroupEffects['lastAgainstFirst']): NonNullable<SegmentEffects['decay']> {
  if (last.kind === 'insufficient') return last;
  return { change: last.estimate, interval: last.interval, pValue: last.pValue };
}

/** Estimate and standard error as moments, whatever the metric's kind. */
function asMoments(summary: MetricSummary | undefined): Moments | undefined {
  const mean = pointEstimate(summary);
  const variance = metricVariance(summary);
  if (summary === undefined || summary.kind === 'insufficient' || mean === undefined) return undefined;
  if (variance === undefined || !(variance > 0) || summary.n < fewestUnits) return undefined;
  return { n: summary.n, mean, m2: variance * summary.n * (summary.n - 1) };
}

interface Effect {
  readonly value: string;
  readonly difference: number;
  readonly standardError: number;
}

/** The value without which the rest, weighed by their units, show no effect although all together do; `none` where there is none. */
function restsOn(
  effects: readonly Effect[],
  {
    weights,
    names,
    alpha,
  }: { readonly weights: readonly number[]; readonly names: readonly string[]; readonly alpha: number },
): string {
  const z = normal.isf(alpha / 2);
  const isClear = (some: readonly Effect[]): boolean => {
    const own = some.map((effect) => weights[names.indexOf(effect.value)] ?? 0);
    const total = own.reduce((sum, weight) => sum + weight, 0);
    if (!(total > 0)) return false;
    const sum = some.reduce((part, effect, i) => part + ((own[i] ?? 0) / total) * effect.difference, 0);
    const error = Math.hypot(...some.map((effect, i) => ((own[i] ?? 0) / total) * effect.standardError));
    return Math.abs(sum) > z * error;
  };
  if (!isClear(effects)) return 'none';
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  // The effect of the largest part of the units is no one segment's.
  const carrier = effects.find(
    ({ value }) =>
      (weights[names.indexOf(value)] ?? 0) < all / 2 && !isClear(effects.filter((effect) => effect.value !== value)),
  );
  return carrier?.value ?? 'none';
}

function simpsonOf(
  values: readonly SegmentSummary[],
  { metric, control, variant, alpha }: Place & SegmentEffectOptions,
): Pick<SegmentEffects, 'withinSegments'> {
  const strata = values.flatMap(({ variants }) => {
    const left = variants.find((each) => each.variant === control)?.metrics[metric];
    const right = variants.find((each) => each.variant === variant)?.metrics[metric];
    if (left?.kind !== 'proportion' || right?.kind !== 'proportion') return [];
    return [{ control: whole(left), candidate: whole(right) }];
  });
  if (strata.length < 2) return {};
  const check = simpsonCheck(strata, { alpha });
  return check.kind === 'insufficient' ? {} : { withinSegments: check.verdict };
}

const whole = ({ n, successes }: { readonly n: number; readonly successes: number }) => ({
  n,
  successes: Math.round(successes),
});

/** What a reader should hear of it; effects of many segments are judged together (Bonferroni). */
export function segmentFindings(all: readonly SegmentEffects[], alpha: number): readonly Finding[] {
  return all.flatMap((each): readonly Finding[] => {
    const { segment, metric, variant, decay, restsOn: carrier, withinSegments, sameEffectPValue } = each;
    const level = alpha / all.length;
    const found: Finding[] = [];
    if (withinSegments === 'reversed') {
      found.push({
        code: 'simpson',
        text: `All units together ${variant} points one way in ${metric}, within the values of ${segment} the other (Simpson's paradox): the mix of ${segment} differs between the variants. See to the split within segments first.`,
      });
    }
    if (carrier !== undefined && carrier !== 'none') {
      found.push({
        code: 'rests-on-one-segment',
        text: `The effect of ${variant} on ${metric} rests on ${segment} ${carrier} alone: without it nothing is shown.`,
      });
    }
    if (decay !== undefined && 'change' in decay && decay.pValue < level) {
      const first = each.effects[0];
      const last = each.effects.at(-1);
      found.push({
        code: 'effect-changes-over-time',
        text: `The effect of ${variant} on ${metric} is ${numberText(first?.difference ?? 0)} on day ${first?.value ?? ''} and ${numberText(last?.difference ?? 0)} on day ${last?.value ?? ''} since first exposure: ${Math.abs(last?.difference ?? 0) < Math.abs(first?.difference ?? 0) ? 'a novelty that wears off' : 'it grows as units get used to it'}; the overall effect is a mix of both.`,
        numbers: { change: decay.change, pValue: decay.pValue },
      });
    } else if (decay === undefined && sameEffectPValue < level) {
      found.push({
        code: 'effect-differs-by-segment',
        text: `The effect of ${variant} on ${metric} is not the same for all values of ${segment} (p = ${numberText(sameEffectPValue)}): ${each.effects.map(({ value, difference }) => `${value} ${numberText(difference)}`).join(', ')}.`,
        numbers: { pValue: sameEffectPValue },
      });
    }
    return found;
  });
}
