// What remains of a difference when the shares of variants changed on the way? Variants compared within each allocation, then put together.
import type {
  ExperimentSummary,
  MetricSummary,
  ScopeSummary,
  StratumSummary,
  VariantSummary,
} from '../evidence/index.ts';
import { estimateQuantile, type Insufficient, type JointMoments } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import { constantRate } from './constant-rate.ts';

/**
 * The summary with every variant's numbers brought to the same mix of allocations: sum over allocations of weight x number,
 * the weight an allocation's share of all units. Time then stands behind no variant. Without a change of shares it is the
 * summary itself.
 *
 * Means and ratios come back as moments whose mean and whose standard error are those of the weighted sum, so that every
 * test stays what it is. Allocations in which a variant has fewer than two units compare nothing and are left out.
 * @see Miratrix, Sekhon & Yu 2013, JRSS B 75(2) (post-stratification)
 */
export function levelAllocations(summary: ExperimentSummary): ExperimentSummary {
  if (summary.strata === undefined) return summary;
  return {
    ...summary,
    variants: levelScope(summary),
    segments: summary.segments.map((segment) => ({ ...segment, variants: levelScope(segment) })),
    ...(summary.unmixed === undefined
      ? {}
      : { unmixed: { ...summary.unmixed, variants: levelScope(summary.unmixed) } }),
  };
}

/** The allocations in which every variant took part, and the others. */
export function comparableStrata({ variants, strata = [] }: ScopeSummary): {
  readonly used: readonly StratumSummary[];
  readonly left: readonly StratumSummary[];
} {
  const present = variants.filter(({ units }) => units > 0).map(({ variant }) => variant);
  const isUsed = (stratum: StratumSummary): boolean =>
    present.every((name) => (stratum.variants.find(({ variant }) => variant === name)?.units ?? 0) >= 2);
  return { used: strata.filter(isUsed), left: strata.filter((each) => !isUsed(each)) };
}

function levelScope(scope: ScopeSummary): readonly VariantSummary[] {
  const { variants, strata = [] } = scope;
  if (strata.length === 0) return variants;
  const present = variants.filter(({ units }) => units > 0).map(({ variant }) => variant);
  const units = weigh(present, strata, (of) => of.units);
  const weights = new Map<string, readonly Part[]>();
  const partsOf = (metric: string): readonly Part[] => {
    const known = weights.get(metric) ?? weigh(present, strata, (of) => sizeOf(of.metrics[metric]));
    weights.set(metric, known);
    return known;
  };
  return variants.map((variant) => {
    if (!present.includes(variant.variant)) return variant;
    const metrics = Object.entries(variant.metrics).map(
      ([name, summary]) =>
        [name, levelMetric(name, summary, { parts: partsOf(name), variant: variant.variant })] as const,
    );
    return { ...variant, metrics: Object.fromEntries(metrics), joint: levelJoint(variant, units) };
  });
}

/** One allocation and its weight; weights sum to 1. */
interface Part {
  readonly weight: number;
  readonly stratum: StratumSummary;
}

function weigh(
  present: readonly string[],
  strata: readonly StratumSummary[],
  size: (variant: VariantSummary) => number,
): readonly Part[] {
  const used = strata.flatMap((stratum) => {
    const sizes = present.map((name) => {
      const found = stratum.variants.find(({ variant }) => variant === name);
      return found === undefined ? 0 : size(found);
    });
    return sizes.every((n) => n >= 2) ? [{ stratum, size: sizes.reduce((sum, n) => sum + n, 0) }] : [];
  });
  const total = used.reduce((sum, each) => sum + each.size, 0);
  return used.map((each) => ({ stratum: each.stratum, weight: each.size / total }));
}

function sizeOf(summary: MetricSummary | undefined): number {
  return summary === undefined || summary.kind === 'insufficient' ? 0 : summary.n;
}

function levelMetric(
  name: string,
  pooled: MetricSummary,
  place: { readonly parts: readonly Part[]; readonly variant: string },
): MetricSummary {
  // What never moved, or is only shown, has nothing to be weighed.
  if (pooled.kind === 'insufficient' || pooled.kind === 'point' || pooled.kind === 'calibration') return pooled;
  if (constantRate(pooled, true) !== undefined) return pooled;
  const { parts, variant } = place;
  const own = parts.flatMap(({ weight, stratum }) => {
    const summary = stratum.variants.find((each) => each.variant === variant)?.metrics[name];
    return summary === undefined || summary.kind === 'insufficient' ? [] : [{ weight, summary }];
  });
  const n = own.reduce((sum, { summary }) => sum + summary.n, 0);
  if (own.length === 0) return insufficient(`no allocation has two units of every variant with a value of ${name}`);
  if (pooled.kind === 'quantile' || pooled.kind === 'estimate') return levelQuantile(own, n);
  const leveled = (columns: (summary: MetricSummary) => JointMoments | undefined): JointMoments | undefined => {
    const moments = own.map(({ weight, summary }) => ({ weight, moments: columns(summary) }));
    return moments.every(hasMoments) ? weightedMoments(moments) : undefined;
  };
  const adjusted = leveled((summary) => ('adjusted' in summary ? summary.adjusted : undefined));
  const extra = adjusted === undefined ? {} : { adjusted };
  if (pooled.kind === 'ratio' || pooled.kind === 'root') {
    const moments = leveled((summary) => ('moments' in summary ? summary.moments : undefined));
    if (moments === undefined) return pooled;
    return pooled.kind === 'root' ? { ...pooled, n, moments } : { ...pooled, n, moments, ...extra };
  }
  const moments = leveled(asColumn);
  return moments === undefined
    ? pooled
    : { kind: 'mean', n, mean: moments.mean[0] ?? 0, m2: moments.m2[0]?.[0] ?? 0, ...extra };
}

interface Weighted {
  readonly weight: number;
  readonly moments: JointMoments;
}

function hasMoments(part: { readonly weight: number; readonly moments: JointMoments | undefined }): part is Weighted {
  return part.moments !== undefined;
}

function asColumn(summary: MetricSummary): JointMoments | undefined {
  if (summary.kind === 'mean') return { n: summary.n, mean: [summary.mean], m2: [[summary.m2]] };
  if (summary.kind !== 'proportion') return undefined;
  const share = summary.successes / summary.n;
  return { n: summary.n, mean: [share], m2: [[summary.n * share * (1 - share)]] };
}

/** Moments with the mean and the squared standard error of the weighted sum; n is that of all parts. */
function weightedMoments(parts: readonly Weighted[]): JointMoments {
  const n = parts.reduce((sum, { moments }) => sum + moments.n, 0);
  const columns = parts[0]?.moments.mean ?? [];
  return {
    n,
    mean: columns.map((_, i) => parts.reduce((sum, { weight, moments }) => sum + weight * (moments.mean[i] ?? 0), 0)),
    m2: columns.map((_, i) =>
      columns.map(
        (__, j) =>
          n *
          (n - 1) *
          parts.reduce(
            (sum, { weight, moments }) =>
              sum + (weight * weight * (moments.m2[i]?.[j] ?? 0)) / (moments.n - 1) / moments.n,
            0,
          ),
      ),
    ),
  };
}

function levelQuantile(
  parts: readonly { readonly weight: number; readonly summary: MetricSummary }[],
  n: number,
): MetricSummary | Insufficient {
  let estimate = 0;
  let variance = 0;
  for (const { weight, summary } of parts) {
    if (summary.kind !== 'quantile') continue;
    const found = estimateQuantile(summary, { alpha: 0.05 });
    if (found.kind === 'insufficient') return found;
    estimate += weight * found.estimate;
    variance += (weight * found.standardError) ** 2;
  }
  return {
    kind: 'estimate',
    n,
    estimate,
    standardError: Math.sqrt(variance),
    method: 'mean of the quantiles, variance by unit',
  };
}

function levelJoint(variant: VariantSummary, parts: readonly Part[]): VariantSummary['joint'] {
  if (variant.joint === null) return null;
  const own = parts.map(({ weight, stratum }) => ({
    weight,
    moments: stratum.variants.find((each) => each.variant === variant.variant)?.joint?.moments,
  }));
  return own.length > 0 && own.every(hasMoments)
    ? { columns: variant.joint.columns, moments: weightedMoments(own) }
    : variant.joint;
}
