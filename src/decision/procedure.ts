// By which rule may a number be held against a limit: looked at as often as one likes, at the looks of a plan, or once?
import type { Decision, Experiment } from '../experiment/index.ts';
import { designLooks, type Insufficient } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import { numberText } from './number-text.ts';

/** How criteria are decided. */
export type Procedure =
  /** One look, at the end. */
  | { readonly kind: 'fixed' }
  /** Valid at every look; `horizon`: units of both variants together at which intervals are tightest. */
  | { readonly kind: 'sequential'; readonly horizon: number }
  /** Valid whenever it is read until `units`, of both variants together, are in. */
  | {
      readonly kind: 'group-sequential';
      readonly units: number;
      /** z of the interval at this many units, for a two-sided alpha; insufficient before the first look. */
      reachAt(units: number, alpha: number): number | Insufficient;
    };

/** The procedure of primary and secondary criteria, and that of guardrails. */
export interface Procedures {
  readonly criteria: Procedure;
  readonly guardrails: Procedure;
}

/** Units at which a sequence is tightest where the plan names no number; it is valid at any other number too. */
const usualHorizon = 5_000;
/** Harm should show early: guardrails are tuned to the first thousand units. */
const guardrailHorizon = 1_000;
/** Share of the planned units from one look to the next. */
const lookStep = 0.05;

/**
 * The procedures of a specification: what it asks for, else sequential. Numbers without a log behind them (a table) are
 * looked at once, so theirs are fixed; guardrails of a running experiment are always watched, because they may roll back
 * at any second.
 */
export function proceduresOf(
  experiment: { readonly decision: Pick<Decision, 'method'>; readonly plan: Experiment['plan'] } | undefined,
  options: { readonly isLive: boolean },
): Procedures {
  const isLive = options.isLive && experiment !== undefined;
  const method = experiment?.decision.method ?? (isLive ? 'sequential' : 'fixed');
  const horizon = experiment?.plan.units ?? usualHorizon;
  const guardrails: Procedure =
    isLive || method !== 'fixed'
      ? { kind: 'sequential', horizon: Math.min(horizon, guardrailHorizon) }
      : { kind: 'fixed' };
  if (method === 'fixed') return { criteria: { kind: 'fixed' }, guardrails };
  const units = experiment?.plan.units;
  // A plan without its number of units has no looks; a sequence needs none.
  const isPlanned = method === 'group-sequential' && units !== undefined;
  return { criteria: isPlanned ? groupSequential(units) : { kind: 'sequential', horizon }, guardrails };
}

/**
 * O'Brien-Fleming-like spending over looks at every twentieth of the planned units. Between two looks the wider reach of
 * the look before holds, so that reading at any time in between stays within alpha.
 * @see Lan & DeMets 1983, Biometrika 70
 */
function groupSequential(units: number): Procedure {
  const information = Array.from({ length: Math.round(1 / lookStep) }, (_, i) => Math.min(1, (i + 1) * lookStep));
  const designs = new Map<number, readonly number[]>();
  return {
    kind: 'group-sequential',
    units,
    reachAt: (now, alpha) => {
      const look = Math.min(information.length, Math.floor(now / units / lookStep + 1e-9)) - 1;
      if (look < 0) return insufficient(`the first look comes at ${numberText(Math.ceil(units * lookStep), 1)} units`);
      const known = designs.get(alpha);
      const critical =
        known ??
        designLooks({
          alpha,
          sides: 2,
          boundary: { kind: 'spending', spending: { kind: 'obrien-fleming-like' } },
          information,
        }).critical;
      designs.set(alpha, critical);
      return critical[look] ?? insufficient('the plan has no such look');
    },
  };
}
