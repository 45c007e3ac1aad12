// Can the experiment be trusted? Each check says in one sentence what it looked at and whether it holds.
import type { EpochUnits, EvidenceHealth, ExperimentSummary } from '../evidence/index.ts';
import { chiSquared, sampleRatio, watchSampleRatio } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import { comparableStrata } from './allocation-strata.ts';
import {
  type AnnotatedTime,
  checkCovariates,
  checkGaps,
  checkJoinRates,
  checkPeeking,
  checkSegmentRatio,
  checkWholeWeeks,
} from './balance-checks.ts';
import { durationText, numberText, percentText } from './number-text.ts';
import type { CheckEntry, Report } from './report.ts';

/** What the checks need beside the summary. */
export interface CheckOptions {
  /** Time under test so far; undefined where the summary has no times. */
  readonly elapsedMs: number | undefined;
  /** Undefined where nothing was planned. */
  readonly minDurationMs: number | undefined;
  readonly planChanges: readonly string[];
  /** What people have written down about the time of the experiment; explains gaps. */
  readonly annotations?: readonly AnnotatedTime[];
  /** The experiment is looked at again and again, so that split, covariates and joins are tested at every look; default false. */
  readonly isWatched?: boolean;
  /** Default: a plan without one look at its end. */
  readonly plan?: { readonly isFixed: boolean; readonly units: number | undefined };
}

/** A fixed look; stricter than other tests because a false alarm throws the whole experiment away. */
const sampleRatioAlpha = 0.001;
/** Above these shares a check stops being a curiosity; each is far above what a healthy set-up shows. */
const tolerated = {
  severalVariants: 0.01,
  orphans: 0.05,
  late: 0.05,
  waiting: 0.1,
  fallback: 0.01,
  claims: 0.01,
} as const;

/** Beyond these shares the numbers mean something else than they say, and nothing is shipped on them. */
const severe = { severalVariants: 0.1, fallback: 0.1, claims: 0.1, waiting: 0.5 } as const;

/** What to do about a check that does not hold. */
const remedies: { readonly [check: string]: string } = {
  sampleRatio: 'Find out which units were lost or added, mend it, and start again.',
  segmentRatio: 'See what is special about that segment: a filter, a cache or a crash that only one variant meets.',
  covariates:
    'Check that the covariate is read before the first exposure, and that both variants are joined the same way.',
  joinRates: 'See why outcomes of one variant are missing: failed requests, another client version, a lost topic.',
  minDuration: 'Wait for the end of the planned duration.',
  wholeWeeks: 'Let it run to the end of the week.',
  peeking: 'Wait for the planned units, or start a new experiment with decision.method sequential.',
  maturity: 'Wait until the windows have ended, or choose a shorter window.',
  fallback: 'See why the variant fails: its timeout, its errors, its ejection.',
  planUnchanged: 'Say in the write-up what was changed and when, or start anew with the new criteria.',
  severalVariants: 'Check that the unit id is the same on every call, and that it is not one id for many users.',
  outcomeJoin: 'Report outcomes within the window, or widen it.',
  orphans: 'Send the prediction id, the request id or the unit id of the prediction with each outcome.',
  modelUsed: 'Check which model the upstream serves under that name.',
  variantServed: 'Check where the reporter takes its variant from.',
  uncleanShutdown: 'Stop servers with SIGTERM; look for what killed them.',
  expired: 'Keep evidence longer than an experiment runs.',
  gaps: 'Compare with deployments and outages of these times.',
};

/** Every check of a report, `sampleRatio` always among them; one that does not hold says what to do. */
export function runChecks(summary: ExperimentSummary, options: CheckOptions): Report['checks'] {
  const checks = checksOf(summary, options);
  const withRemedy = ([name, check]: readonly [string, CheckEntry]): readonly [string, CheckEntry] => {
    const fix = check.ok ? undefined : remedies[name];
    return [name, fix === undefined ? check : { ...check, fix }];
  };
  return {
    ...Object.fromEntries(Object.entries(checks).map(withRemedy)),
    sampleRatio: { ...checks.sampleRatio, ...(checks.sampleRatio.ok ? {} : { fix: remedies.sampleRatio ?? '' }) },
  };
}

function checksOf(summary: ExperimentSummary, options: CheckOptions): Report['checks'] {
  const checks: Record<string, CheckEntry> = {};
  const looks = { isWatched: options.isWatched ?? false };
  if (options.minDurationMs !== undefined) {
    checks.minDuration = checkMinDuration(options.elapsedMs, options.minDurationMs);
  }
  const units = summary.variants.reduce((sum, variant) => sum + variant.units, 0);
  for (const [name, check] of [
    ['segmentRatio', checkSegmentRatio(summary, expectedShares(summary.epochs), looks)],
    ['covariates', checkCovariates(summary, looks)],
    ['wholeWeeks', summary.health === null ? undefined : checkWholeWeeks(options.elapsedMs, options.minDurationMs)],
    ['peeking', options.plan === undefined ? undefined : checkPeeking(units, options.plan)],
    ['gaps', checkGaps(summary, options.annotations)],
  ] as const) {
    if (check !== undefined) checks[name] = check;
  }
  // A table of numbers says nothing of waiting outcomes, fallbacks or changed plans: it cannot pass a check of them.
  if (summary.health !== null) {
    const joinRates = checkJoinRates(summary, looks);
    if (joinRates !== undefined) checks.joinRates = joinRates;
    checks.maturity = checkMaturity(summary);
    checks.fallback = checkFallback(summary);
    checks.planUnchanged = checkPlan(options.planChanges);
    checks.severalVariants = checkSeveralVariants(summary, summary.health.unitsInSeveralVariants);
    checks.outcomeJoin = checkOutcomeJoin(summary.health);
    if (summary.health.namespace !== undefined) checks.orphans = checkOrphans(summary.health.namespace);
    Object.assign(checks, checkClaims(summary.health));
    checks.uncleanShutdown = checkShutdown(summary.health.uncleanShutdowns);
    if (summary.health.expired !== undefined) checks.expired = checkExpired(summary.health.expired);
  }
  if (summary.strata !== undefined) checks.allocations = checkAllocations(summary);
  return { sampleRatio: checkSampleRatio(summary.epochs, looks), ...checks };
}

/** Not a fault: says how the numbers were put together after the shares of variants had changed. */
function checkAllocations(summary: ExperimentSummary): CheckEntry {
  const { used, left } = comparableStrata(summary);
  const total = [...used, ...left].flatMap(({ variants }) => variants).reduce((sum, { units }) => sum + units, 0);
  const lost = left.flatMap(({ variants }) => variants).reduce((sum, { units }) => sum + units, 0);
  const without =
    lost === 0
      ? ''
      : ` ${numberText(lost, 1)} units came in where a variant had no units to compare; they are left out.`;
  return {
    ok: true,
    text: `The shares of the variants changed: variants are compared within each of ${used.length} allocations, and the differences are weighed by their units, so that time does not stand behind a variant.${without}`,
    numbers: { allocations: used.length, units: total, leftOut: lost },
  };
}

/**
 * Chi-squared of assigned units against the allocation, per epoch, statistics and degrees of freedom added.
 * Epochs are apart because each had its own shares.
 */
export function checkSampleRatio(
  epochs: readonly EpochUnits[],
  { isWatched }: { readonly isWatched: boolean } = { isWatched: false },
): Report['checks']['sampleRatio'] {
  let statistic = 0;
  let logE = 0;
  let df = 0;
  let isImpossible = false;
  let why = 'no units were assigned by a split yet';
  for (const epoch of epochs) {
    const names = [...new Set([...Object.keys(epoch.shares), ...Object.keys(epoch.units)])];
    const counts = names.map((name) => epoch.units[name] ?? 0);
    if (Object.keys(epoch.shares).length === 0 || counts.every((count) => count === 0)) continue;
    const shares = names.map((name) => epoch.shares[name] ?? 0);
    const test = sampleRatio(counts, shares);
    const watched = watchSampleRatio(counts, shares);
    // Evidence of separate epochs multiplies.
    if (watched.kind === 'watched') logE += watched.logE;
    if (test.kind === 'insufficient') {
      why = test.reason;
      continue;
    }
    statistic += test.statistic;
    df += test.df;
    isImpossible ||= test.impossible.length > 0;
  }
  if (df === 0 && !isImpossible) {
    return { ok: true, pValue: insufficient(why), text: `The split cannot be checked: ${why}.` };
  }
  const once = isImpossible ? 0 : chiSquared(df).sf(statistic);
  const pValue = isWatched && !isImpossible ? Math.min(1, Math.exp(-logE)) : once;
  const ok = pValue >= sampleRatioAlpha;
  const seen = observedText(epochs);
  const figures = isImpossible
    ? 'units were seen where none were allowed'
    : `chi-squared ${numberText(statistic, 4)}, p = ${numberText(pValue, 4)}${isWatched ? ' at every look' : ''}`;
  return {
    ok,
    pValue,
    text: ok
      ? `${pValue < 0.01 ? 'The split is odd, yet within chance' : 'The split is as declared'}: ${seen}, ${figures}.`
      : `The split is broken: ${seen}, ${figures}; below ${sampleRatioAlpha} this is not chance, and no comparison of the variants is valid.`,
    numbers: { statistic, df, pValue, alpha: sampleRatioAlpha, ...(isWatched ? { fixedHorizonPValue: once } : {}) },
  };
}

function observedText(epochs: readonly EpochUnits[]): string {
  const expected = expectedUnits(epochs);
  const total = Object.values(expected).reduce((sum, cell) => sum + cell.seen, 0);
  return Object.entries(expected)
    .map(
      ([name, cell]) =>
        `${name} has ${numberText(cell.seen, 1)} units (${percentText(cell.seen / total, 2)}, expected ${percentText(cell.expected / total, 2)})`,
    )
    .join(', ');
}

function expectedUnits(
  epochs: readonly EpochUnits[],
): Readonly<Record<string, { readonly seen: number; readonly expected: number }>> {
  const cells: Record<string, { seen: number; expected: number }> = {};
  for (const epoch of epochs) {
    if (Object.keys(epoch.shares).length === 0) continue;
    const total = Object.values(epoch.units).reduce((sum, count) => sum + count, 0);
    for (const name of new Set([...Object.keys(epoch.shares), ...Object.keys(epoch.units)])) {
      cells[name] ??= { seen: 0, expected: 0 };
      cells[name].seen += epoch.units[name] ?? 0;
      cells[name].expected += total * (epoch.shares[name] ?? 0);
    }
  }
  return cells;
}

/** Share of units each variant should have: the epochs' shares weighted by their units; before the first unit, the newest split. */
export function expectedShares(epochs: readonly EpochUnits[]): Readonly<Record<string, number>> {
  const cells = Object.entries(expectedUnits(epochs));
  const total = cells.reduce((sum, [, cell]) => sum + cell.expected, 0);
  if (total > 0) return Object.fromEntries(cells.map(([name, cell]) => [name, cell.expected / total]));
  return epochs.findLast((epoch) => Object.keys(epoch.shares).length > 0)?.shares ?? {};
}

function checkMinDuration(elapsedMs: number | undefined, minDurationMs: number): CheckEntry {
  if (elapsedMs === undefined) {
    return {
      ok: minDurationMs === 0,
      text: 'The experiment has not started, or its evidence carries no times: the planned duration cannot be checked.',
      numbers: { minDurationMs },
    };
  }
  if (minDurationMs === 0) {
    return {
      ok: true,
      text: `The experiment ran ${durationText(elapsedMs)}; its plan asks for no minimum.`,
      numbers: { elapsedMs },
    };
  }
  const ok = elapsedMs >= minDurationMs;
  return {
    ok,
    text: `The experiment ran ${durationText(elapsedMs)} ${ok ? 'of' : 'under its own plan of'} at least ${durationText(minDurationMs)}.`,
    numbers: { elapsedMs, minDurationMs },
  };
}

function checkMaturity(summary: ExperimentSummary): CheckEntry {
  let worst = { share: 0, metric: '', variant: '', waiting: 0 };
  for (const variant of summary.variants) {
    for (const [metric, waiting] of Object.entries(variant.waiting)) {
      const perUnit = summary.perUnit?.includes(metric) ?? false;
      const share = waiting / Math.max(1, perUnit ? variant.units : variant.requests);
      if (waiting > 0 && share >= worst.share) worst = { share, metric, variant: variant.variant, waiting };
    }
  }
  if (worst.waiting === 0) return { ok: true, text: 'No prediction waits for its outcome.' };
  return {
    ok: worst.share <= tolerated.waiting,
    text: summary.perUnit?.includes(worst.metric)
      ? `${numberText(worst.waiting, 1)} of ${worst.variant}'s units (${percentText(worst.share)}) still wait for the end of the window of ${worst.metric}.`
      : `${numberText(worst.waiting, 1)} of ${worst.variant}'s predictions (${percentText(worst.share)}) still wait for the outcome of ${worst.metric}.`,
    numbers: { waiting: worst.waiting, share: worst.share },
    ...(worst.share > severe.waiting ? { blocks: true } : {}),
  };
}

function checkFallback(summary: ExperimentSummary): CheckEntry {
  const worst = summary.variants
    .filter((variant) => variant.requests > 0)
    .map((variant) => ({ ...variant, share: variant.fallback / variant.requests }))
    .sort((left, right) => right.share - left.share)[0];
  if (worst === undefined || worst.fallback === 0) {
    return { ok: true, text: 'Every request was answered by its assigned variant.' };
  }
  return {
    ok: worst.share <= tolerated.fallback,
    text: `${numberText(worst.fallback, 1)} of ${worst.variant}'s requests (${percentText(worst.share)}) were answered by another variant; they count under ${worst.variant} all the same.`,
    numbers: { fallback: worst.fallback, share: worst.share },
    ...(worst.share > severe.fallback ? { blocks: true } : {}),
  };
}

function checkPlan(changes: readonly string[]): CheckEntry {
  if (changes.length === 0) return { ok: true, text: 'Criteria and plan are as they were at the start.' };
  return { ok: false, text: `Changed after the start: ${changes.join('; ')}.`, numbers: { changes: changes.length } };
}

function checkSeveralVariants(summary: ExperimentSummary, units: number): CheckEntry {
  const total = summary.variants.reduce((sum, variant) => sum + variant.units, 0);
  const share = units / Math.max(1, total);
  return {
    ok: share <= tolerated.severalVariants,
    text:
      units === 0
        ? 'No unit was seen in several variants.'
        : `${numberText(units, 1)} units (${percentText(share)}) were seen in several variants; each counts under its first.`,
    numbers: { units, share },
    ...(share > severe.severalVariants ? { blocks: true } : {}),
  };
}

function checkOutcomeJoin({ outcomes, namespace, corrections = 0 }: EvidenceHealth): CheckEntry {
  const distinct = Math.max(0, outcomes.received - outcomes.duplicates);
  if (distinct === 0) return { ok: true, text: 'No outcome was received.' };
  // Orphans of the namespace have their own check; here they weigh only where the namespace is not known.
  const own = namespace === undefined ? distinct : Math.max(1, distinct - outcomes.orphans);
  const orphans = namespace === undefined ? outcomes.orphans / distinct : 0;
  const late = outcomes.late / own;
  const corrected = corrections === 0 ? '' : ` ${numberText(corrections, 1)} were corrected by a later one.`;
  return {
    ok: orphans <= tolerated.orphans && late <= tolerated.late,
    text: `Of ${numberText(distinct, 1)} outcomes ${numberText(outcomes.joined, 1)} joined a prediction, ${numberText(outcomes.orphans, 1)} found none and ${numberText(outcomes.late, 1)} came after the window; ${numberText(outcomes.duplicates, 1)} repeats were counted once.${corrected}`,
    numbers: { ...outcomes, ...(namespace === undefined ? {} : { corrections }) },
  };
}

function checkOrphans({ outcomes, orphans }: NonNullable<EvidenceHealth['namespace']>): CheckEntry {
  const share = orphans / Math.max(1, outcomes);
  return {
    ok: share <= tolerated.orphans,
    text:
      orphans === 0
        ? 'Every outcome of the namespace belongs to a prediction.'
        : `${numberText(orphans, 1)} of the namespace's ${numberText(outcomes, 1)} outcomes (${percentText(share)}) found no prediction of any experiment; they belong to none of them.`,
    numbers: { outcomes, orphans, share },
  };
}

function checkClaims({ modelUsed, variantServed }: EvidenceHealth): Readonly<Record<string, CheckEntry>> {
  const checks: Record<string, CheckEntry> = {};
  for (const [name, claim, words] of [
    ['modelUsed', modelUsed, 'replies name another model (model_used) than the one asked'],
    ['variantServed', variantServed, 'outcomes name another variant than the one served'],
  ] as const) {
    if (claim === undefined || claim.compared === 0) continue;
    const share = claim.mismatched / claim.compared;
    checks[name] = {
      ok: share <= tolerated.claims,
      text: `${numberText(claim.mismatched, 1)} of ${numberText(claim.compared, 1)} (${percentText(share)}) ${words}.`,
      numbers: { ...claim, share },
      ...(share > severe.claims ? { blocks: true } : {}),
    };
  }
  return checks;
}

/** Numbers made from what is left answer another question than those made from all. */
function checkExpired(count: number): CheckEntry {
  return {
    ok: false,
    text: `${count} predictions of this experiment are gone, because evidence is kept for a limited time: the numbers rest on what is left.`,
    numbers: { expired: count },
  };
}

function checkShutdown(count: number): CheckEntry {
  return {
    ok: count === 0,
    text:
      count === 0
        ? 'Every writer closed its log.'
        : `${count} ${count === 1 ? 'writer' : 'writers'} ended without closing: each may miss up to 5 ms of predictions.`,
    numbers: { uncleanShutdowns: count },
  };
}
