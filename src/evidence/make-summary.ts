// How the answers of a database become a summary: plain rows in, the document that statistics and verdicts rest on out.
import { isPerUnit } from '../experiment/index.ts';
import { type AnalysisPlan, isRequestUnit, strataOf } from './plan.ts';
import { scopeInStratum, unmixedScope } from './scope-sql.ts';
import { isOrderedSegment, segmentLabel } from './segment.ts';
import type {
  CapSummary,
  ClaimCount,
  EpochUnits,
  EvidenceHealth,
  ExperimentSummary,
  ScopeSummary,
  SegmentSummary,
  VariantSummary,
} from './summary.ts';
import type { SqlRow, SummaryQuery } from './summary-sql.ts';
import {
  kindOf,
  number,
  pairOf,
  rowsOf,
  type SummarisedMetric,
  type SummaryAnswers,
  summariseVariant,
  type ValueKind,
} from './variant-summary.ts';

/** The summary of a plan. @param options.uncleanShutdowns writers that ended without closing; `expired` predictions are gone. */
export function makeSummary(
  plan: AnalysisPlan,
  answers: SummaryAnswers,
  options: { readonly uncleanShutdowns: number; readonly expired?: number },
): ExperimentSummary {
  const { experiment } = plan;
  const metrics = experiment.metrics.map(({ name, definition }) => summarised(name, definition));
  const declared = experiment.variants.map((variant) => variant.name);
  const sheet = sheetOf({ answers, metrics, declared });
  const strata = strataOf(plan);
  const scopeOf = (scope: number): ScopeSummary => ({
    variants: sheet.inScope(scope),
    ...(strata.length > 1
      ? {
          strata: strata.map(({ epochs, shares }, stratum) => ({
            epochs,
            shares,
            variants: sheet.inScope(scopeInStratum(scope, stratum)),
          })),
        }
      : {}),
  });
  const span = answers.span?.[0];
  const perUnit = experiment.metrics.flatMap(({ name, definition }) => (isPerUnit(definition) ? [name] : []));
  return {
    format: 'assay-summary',
    version: 1,
    namespace: experiment.namespace,
    experiment: experiment.name,
    control: experiment.control,
    unit: isRequestUnit(plan) ? 'request' : 'unit',
    fromMs: (span?.from_ms as number | undefined) ?? null,
    toMs: (span?.to_ms as number | undefined) ?? null,
    ...scopeOf(0),
    segments: segmentsOf(answers, scopeOf),
    epochs: epochsOf(plan, answers.epochs ?? []),
    ...(perUnit.length === 0 ? {} : { perUnit }),
    ...capsOf(answers, metrics),
    ...(experiment.sensitivity?.includes('exclude-mixed') ? { unmixed: scopeOf(unmixedScope) } : {}),
    ...seriesOf(answers, metrics),
    health: {
      ...healthOf(answers, options.uncleanShutdowns),
      ...(options.expired ? { expired: options.expired } : {}),
    },
  };
}

/** How the values of a metric are put together. */
export function summarised(
  name: string,
  definition: AnalysisPlan['experiment']['metrics'][number]['definition'],
): SummarisedMetric {
  switch (definition.kind) {
    case 'quantile':
      return { name, kind: 'quantile', q: definition.q };
    case 'calibration':
      return { name, kind: 'calibration', bins: definition.bins };
    case 'rmse':
      return { name, kind: 'root' };
    case 'ratio':
      return { name, kind: 'ratio', perUnit: true };
    case 'sum':
    case 'count':
      return { name, kind: 'mean', perUnit: true };
    case 'proportion':
    case 'retention':
      return { name, kind: 'values', perUnit: true };
    default:
      return { name, kind: 'values' };
  }
}

/** The variants of the whole, declared ones first and always there. */
export function assembleVariants(input: {
  readonly answers: SummaryAnswers;
  readonly metrics: readonly SummarisedMetric[];
  readonly declared: readonly string[];
}): readonly VariantSummary[] {
  return sheetOf(input).inScope(0);
}

function sheetOf(input: Parameters<typeof assembleVariants>[0]): {
  readonly inScope: (scope: number) => readonly VariantSummary[];
} {
  const { answers, metrics, declared } = input;
  const seen = (answers.units ?? []).filter((row) => row.scope === 0).map((row) => row.variant as string);
  const names = [...new Set([...declared, ...seen.sort()])];
  const kinds = metrics.map(
    (metric, index): ValueKind => kindOf(metric, rowsOf(answers.metrics, { scope: 0, metric: index })),
  );
  return {
    inScope: (scope) => names.map((variant) => summariseVariant({ answers, metrics, kinds, scope, variant })),
  };
}

function segmentsOf(answers: SummaryAnswers, scopeOf: (scope: number) => ScopeSummary): readonly SegmentSummary[] {
  const rows = answers.scopes ?? [];
  const order = [...new Set(rows.map((row) => row.segment as string))];
  return order.flatMap((segment) => {
    const mine = rows.filter((row) => row.segment === segment);
    const sorted = isOrderedSegment(segment)
      ? mine.toSorted((a, b) => Number(a.value) - Number(b.value) || (String(a.value) < String(b.value) ? -1 : 1))
      : mine;
    return sorted.map((row) => ({
      segment,
      value: segmentLabel(segment, row.value as string),
      ...scopeOf(row.scope as number),
    }));
  });
}

function epochsOf(plan: AnalysisPlan, rows: readonly SqlRow[]): readonly EpochUnits[] {
  const unplanned = [...new Set(rows.map((row) => row.epoch as number))]
    .filter((epoch) => !plan.epochs.some((planned) => planned.epoch === epoch))
    .map((epoch) => ({ epoch, shares: {} }));
  return [...plan.epochs, ...unplanned]
    .sort((a, b) => a.epoch - b.epoch)
    .map(({ epoch, shares }) => {
      const units: Record<string, number> = {};
      for (const variant of Object.keys(shares)) units[variant] = 0;
      for (const row of rows) if (row.epoch === epoch) units[row.variant as string] = number(row.units);
      return { epoch, shares, units };
    });
}

function capsOf(answers: SummaryAnswers, metrics: readonly SummarisedMetric[]): Pick<ExperimentSummary, 'caps'> {
  const rows = answers.caps ?? [];
  if (rows.length === 0) return {};
  const caps: Record<string, CapSummary> = {};
  for (const row of rows) {
    const name = metrics[number(row.metric)]?.name;
    if (name === undefined) continue;
    caps[name] = {
      ...(typeof row.lower === 'number' ? { lower: row.lower } : {}),
      ...(typeof row.upper === 'number' ? { upper: row.upper } : {}),
      raised: number(row.raised),
      lowered: number(row.lowered),
      n: number(row.n),
    };
  }
  return { caps };
}

function seriesOf(answers: SummaryAnswers, metrics: readonly SummarisedMetric[]): Pick<ExperimentSummary, 'series'> {
  const rows = (answers.series ?? []).filter((row) => number(row.n) > 0);
  const widthMs = number(rows[0]?.width_ms);
  if (widthMs === 0) return {};
  const points = rows.map((row) => ({
    metric: metrics[number(row.metric)]?.name ?? '',
    variant: row.variant as string,
    atMs: number(row.at_ms),
    n: number(row.n),
    moments: pairOf(row),
  }));
  return { series: { widthMs, points } };
}

function healthOf(answers: SummaryAnswers, uncleanShutdowns: number): EvidenceHealth {
  const byReason: Record<string, number> = {};
  for (const row of answers.reasons ?? []) byReason[row.reason as string] = number(row.predictions);
  const all = answers.outcomes ?? [];
  const ours = all.filter((row) => row.fate !== 'elsewhere');
  const withFate = (fate: string): number => number(ours.find((row) => row.fate === fate)?.outcomes);
  const distinctOf = (rows: readonly SqlRow[]): number => rows.reduce((sum, row) => sum + number(row.outcomes), 0);
  const received = ours.reduce((sum, row) => sum + number(row.copies), 0);
  return {
    predictions: Object.values(byReason).reduce((sum, count) => sum + count, 0),
    byReason,
    unitsInSeveralVariants: number(answers.several?.[0]?.units),
    outcomes: {
      received,
      duplicates: received - distinctOf(ours),
      joined: withFate('joined'),
      orphans: withFate('orphan'),
      late: withFate('late'),
    },
    namespace: { outcomes: distinctOf(all), orphans: withFate('orphan') },
    corrections: number(answers.corrections?.[0]?.outcomes),
    ...claimOf(answers, 'modelUsed'),
    ...claimOf(answers, 'variantServed'),
    uncleanShutdowns,
  };
}

function claimOf(
  answers: SummaryAnswers,
  query: SummaryQuery & ('modelUsed' | 'variantServed'),
): { readonly [claim in typeof query]?: ClaimCount } {
  const row = answers[query]?.[0];
  return row === undefined ? {} : { [query]: { compared: number(row.compared), mismatched: number(row.mismatched) } };
}
