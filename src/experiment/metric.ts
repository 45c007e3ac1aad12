// What is a metric, as data: the kinds, what they count, and which rows of the evidence they read.
import { type Expression, namesIn } from '../expression/index.ts';

/** What is added up for each unit: numbers of an expression, or how many there are of an outcome type, `prediction` or `item`. */
export type UnitTotal =
  | { readonly kind: 'sum'; readonly expression: string }
  | { readonly kind: 'count'; readonly of: string };

/** How one number per variant is made from evidence. `expression` is in the language of src/expression. */
export type MetricDefinition =
  /** Per prediction. `rmse`, `mae` and `pinball` read an error, prediction - truth. */
  | { readonly kind: 'mean' | 'rmse' | 'mae'; readonly expression: string }
  | { readonly kind: 'quantile' | 'pinball'; readonly expression: string; readonly q: number }
  /** Expected calibration error of probabilities against labels of 0 and 1, in bins of equal width. */
  | { readonly kind: 'calibration'; readonly expression: string; readonly label: string; readonly bins: number }
  /** Over the captured `items` of a reply, the outcomes of one type telling which were relevant; the first `k` places count. */
  | { readonly kind: 'ndcg' | 'hit_rate'; readonly outcome: string; readonly k: number }
  /** Per unit, from its first exposure on: 1 where the expression was true at least once. */
  | { readonly kind: 'proportion'; readonly expression: string }
  | UnitTotal
  | { readonly kind: 'ratio'; readonly numerator: UnitTotal; readonly denominator: UnitTotal }
  /** Per unit: 1 where an outcome of the type (or a `prediction`) came in [from, to) after the first exposure. */
  | { readonly kind: 'retention'; readonly of: string; readonly fromMs: number; readonly toMs: number };

/** Where values end: a fixed upper value, or quantiles of all variants together. */
export type CapRule =
  | { readonly kind: 'value'; readonly upper: number }
  | { readonly kind: 'quantile'; readonly lower?: number; readonly upper?: number };

/** What was known of a unit before its first exposure: the same metric then (`expression` null), or an expression of its own. */
export interface CovariateRule {
  readonly expression: string | null;
  /** How far outcomes are looked back at, before the first exposure. */
  readonly beforeMs: number;
}

export interface Metric {
  readonly name: string;
  readonly definition: MetricDefinition;
  /** How long after the prediction (per unit: after the first exposure) an outcome still counts. */
  readonly windowMs: number;
  /** Only rows for which this is true count. */
  readonly filter?: string;
  readonly cap?: CapRule;
  readonly covariate?: CovariateRule;
}

/** Segments made from the evidence itself. */
export const builtInSegments: readonly string[] = ['new_unit', 'first_seen', 'days_since_exposure'];

/** True for kinds with one value per unit, counted from its first exposure. */
export function isPerUnit({ kind }: MetricDefinition): boolean {
  return ['proportion', 'sum', 'count', 'ratio', 'retention'].includes(kind);
}

/** Which rows of the evidence an expression per unit is computed for. */
export type RowSource =
  | { readonly kind: 'prediction' }
  | { readonly kind: 'item' }
  /** One row per outcome of the type. */
  | { readonly kind: 'outcome'; readonly type: string };

/** Prefix of names: the value of an outcome, an attribute of the outcome, a member of a recommended item. */
export const namePrefixes = { outcome: 'outcome.', attribute: 'attribute.', item: 'item.' } as const;

/** The rows an expression per unit reads; a fault in words when it would need rows of two kinds at once. */
export function rowSourceOf(expression: Expression): RowSource | { readonly kind: 'fault'; readonly message: string } {
  const names = namesIn(expression);
  const types = names
    .filter((name) => name.startsWith(namePrefixes.outcome))
    .map((name) => name.slice('outcome.'.length));
  const foreign = names.filter((name) => !Object.values(namePrefixes).some((prefix) => name.startsWith(prefix)));
  const [type, another] = types;
  if (another !== undefined) {
    return {
      kind: 'fault',
      message: `it reads outcomes of ${type} and of ${another}, must read one type: each outcome is a row`,
    };
  }
  if (type !== undefined) {
    return foreign.length === 0
      ? { kind: 'outcome', type }
      : {
          kind: 'fault',
          message: `it reads outcome.${type} and ${foreign[0]}, must read outcomes or predictions, not both`,
        };
  }
  if (names.some((name) => name.startsWith(namePrefixes.attribute))) {
    return {
      kind: 'fault',
      message: 'attribute.NAME belongs to an outcome, the expression must also name outcome.TYPE',
    };
  }
  const isOfItems = names.some((name) => name.startsWith(namePrefixes.item));
  if (!isOfItems) return { kind: 'prediction' };
  return foreign.length === 0
    ? { kind: 'item' }
    : { kind: 'fault', message: `it reads item members and ${foreign[0]}, must read items or predictions, not both` };
}

/** The rows `count` counts. */
export function countedSource(of: string): RowSource {
  return of === 'prediction' || of === 'item' ? { kind: of } : { kind: 'outcome', type: of };
}
