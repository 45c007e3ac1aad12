// Is an effect shown as better, worse or undecided? Colour, word and shape follow this one rule, and it never contradicts the digits.
import type { MetricFormat } from '../../src/api/index.ts';
import type { CriterionEntry } from '../../src/decision/index.ts';
import type { Insufficient, Interval } from '../../src/stats/index.ts';

/** What may be said of an effect. */
export type EffectState = 'better' | 'worse' | 'undecided';

/** What the rule looks at. */
export interface EffectEvidence {
  readonly interval: Interval | Insufficient | undefined;
  /** The criteria of this metric and variant. */
  readonly criteria: readonly Pick<CriterionEntry, 'outcome'>[];
  readonly better: MetricFormat['better'];
}

/**
 * By the metric's own criteria where it has some: one not met is worse, all met better. Otherwise by 0: better or worse only
 * when the whole interval lies on one side and the experiment says which side is better.
 */
export function effectState({ interval, criteria, better }: EffectEvidence): EffectState {
  if (criteria.some(({ outcome }) => outcome === 'not-met')) return 'worse';
  if (criteria.length > 0) return criteria.every(({ outcome }) => outcome === 'met') ? 'better' : 'undecided';
  if (better === 'unknown' || interval?.kind !== 'bounded') return 'undecided';
  if (interval.lower > 0) return better === 'higher' ? 'better' : 'worse';
  if (interval.upper < 0) return better === 'lower' ? 'better' : 'worse';
  return 'undecided';
}
