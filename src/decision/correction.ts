// Which of the report's many comparisons stand when they are judged together, and with which intervals?
import type { VariantSummary } from '../evidence/index.ts';
import { type Correction, type Insufficient, type Interval, selectComparisons } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import { watchDifferenceOf } from './comparison.ts';
import { compareMetric } from './effects.ts';
import type { Procedure } from './procedure.ts';
import type { AdjustedEntry, Difference, MetricEntry } from './report.ts';

/** How comparisons are judged together. */
export interface CorrectionOptions {
  readonly alpha: number;
  readonly control: string;
  readonly correction: 'holm' | 'bh' | 'none';
  /** Names of the metrics whose rows are 0 or 1 whatever the evidence holds. */
  readonly zeroOne: ReadonlySet<string>;
  /** Whose p-values and intervals are judged: those of one look, or those valid at every look. */
  readonly procedure: Procedure;
}

/** One table of metrics and the numbers behind it: the whole experiment, or one value of a segment. */
export interface ComparedTable {
  readonly metrics: readonly MetricEntry[];
  readonly variants: readonly VariantSummary[];
}

const methods: { readonly [name in 'holm' | 'bh']: Correction } = { holm: 'holm', bh: 'benjamini-hochberg' };

/**
 * The tables with `adjusted` at every difference that has a p-value; guardrails are left out, because a guardrail that is
 * eased by its company protects nobody. One comparison alone needs no correction.
 * @see Holm 1979; Benjamini & Hochberg 1995; intervals: Benjamini & Yekutieli 2005, JASA 100
 */
export function correctTogether(
  tables: readonly ComparedTable[],
  options: CorrectionOptions,
): readonly ComparedTable[] {
  const { correction, alpha } = options;
  if (correction === 'none') return tables;
  const pValues = tables.flatMap(({ metrics }) => metrics.flatMap((metric) => pValuesOf(metric, options)));
  if (pValues.length < 2) return tables;
  const { adjusted, rejected, intervals } = selectComparisons(pValues, { alpha, method: methods[correction] });
  const selected = new Set(rejected);
  let next = 0;
  const entryFor = (name: string, candidate: string, variants: readonly VariantSummary[]): AdjustedEntry => {
    const index = next;
    next += 1;
    return {
      method: correction,
      comparisons: pValues.length,
      pValue: adjusted[index] ?? 1,
      interval: !selected.has(index)
        ? insufficient('this comparison does not stand among the others, so no interval of it was selected')
        : intervals.kind === 'insufficient'
          ? intervals
          : intervalAt(name, candidate, variants, { ...options, alpha: intervals.alpha }),
    };
  };
  return tables.map(({ metrics, variants }) => ({
    variants,
    metrics: metrics.map((metric) => ({
      ...metric,
      variants: metric.variants.map((each) =>
        each.difference === undefined || pValueOf(metric, each.difference, options) === undefined
          ? each
          : { ...each, difference: { ...each.difference, adjusted: entryFor(metric.name, each.variant, variants) } },
      ),
    })),
  }));
}

const pValuesOf = (metric: MetricEntry, options: CorrectionOptions): readonly number[] =>
  metric.variants.flatMap(({ difference }) =>
    difference === undefined ? [] : (pValueOf(metric, difference, options) ?? []),
  );

function pValueOf(
  metric: MetricEntry,
  difference: Difference | Insufficient,
  { procedure }: CorrectionOptions,
): number | undefined {
  if (metric.role === 'guardrail' || 'kind' in difference) return undefined;
  if (procedure.kind === 'fixed') return typeof difference.pValue === 'number' ? difference.pValue : undefined;
  const { sequential } = difference;
  return sequential !== undefined && 'pValue' in sequential && typeof sequential.pValue === 'number'
    ? sequential.pValue
    : undefined;
}

function intervalAt(
  name: string,
  candidateName: string,
  variants: readonly VariantSummary[],
  options: CorrectionOptions,
): Interval | Insufficient {
  const control = variants.find(({ variant }) => variant === options.control);
  const candidate = variants.find(({ variant }) => variant === candidateName);
  const left = control?.metrics[name];
  const right = candidate?.metrics[name];
  if (control === undefined || candidate === undefined || left === undefined || right === undefined) {
    return insufficient(`${name} was not measured for ${candidateName}`);
  }
  const { alpha, procedure } = options;
  if (procedure.kind === 'fixed') {
    const test = compareMetric(left, right, { alpha });
    return test.kind === 'tested' ? test.interval : test;
  }
  const isZeroOne = options.zeroOne.has(name);
  const watched = watchDifferenceOf(
    name,
    { control, candidate },
    { alpha, procedure: sequenceOf(procedure), isZeroOne },
  );
  return 'interval' in watched ? watched.interval : watched;
}

/** A plan's looks have no p-value: comparisons beside the criteria are then watched by a sequence tuned to its end. */
export function sequenceOf(procedure: Procedure): Extract<Procedure, { readonly kind: 'sequential' }> {
  if (procedure.kind === 'sequential') return procedure;
  return { kind: 'sequential', horizon: procedure.kind === 'group-sequential' ? procedure.units : 5_000 };
}
