// Is a guardrail being broken right now? A test on the live counts that may look four times a second for as long as the
// experiment runs: over the whole run and over short windows, because harm that begins late must show within seconds.
import { type GroupTally, unitGroups, type VariantTally } from '../evidence/index.ts';
import type { Experiment } from '../experiment/index.ts';
import { normal, studentT, watchLimit, watchRate } from '../stats/index.ts';
import { type LiveGuardrail, readGuardrails } from './guardrail-form.ts';

/** A guardrail that does not hold, and the numbers that say so. */
export interface GuardrailBreach {
  readonly guardrail: string;
  readonly variant: string;
  /** In one sentence. */
  readonly text: string;
  readonly numbers: {
    readonly estimate: number;
    readonly limit: number;
    readonly pValue: number;
    /** Level this look was held to, after all windows have had their share of alpha. */
    readonly alpha: number;
    readonly trials: number;
    /** Trials that say as much, were they independent. */
    readonly effectiveTrials: number;
    readonly windowMs: number;
  };
}

/** The guardrails of one run of an experiment. */
export interface GuardrailWatch {
  /** Takes in counts of this experiment. */
  add(tallies: Iterable<VariantTally>): void;
  /** The first breach that the counts so far show; undefined while none does. Opens new windows as time goes by. */
  look(nowMs: number): GuardrailBreach | undefined;
}

/** Options of `watchGuardrails`. */
export interface GuardrailWatchOptions {
  readonly nowMs: number;
  /** Chance of a false breach of one guardrail of one candidate in the whole run; default half of the decision's alpha. */
  readonly alpha?: number;
}

/** A window of each length is opened when the last one is that old, and is read until it is twice as old. */
const windowLengthsMs: readonly number[] = [5_000, 60_000, 600_000, 7_200_000, 86_400_000];
/** Share of alpha for the run as a whole; the lengths of windows share the rest equally. */
const wholeShare = 0.5;
/** Trials at which a test is tightest: harm should show early. */
const horizon = 1_000;
const fewestTrials = 30;
/** Fewer groups of units than this say too little about how alike the requests of a unit are. */
const fewestGroups = 8;
const fewestGroupsOfMeans = 20;

/** Trials and hits by group: [trials of group 0.., hits of group 0..]. */
type Sums = Float64Array;

interface Window {
  readonly openedMs: number;
  readonly lengthMs: number;
  readonly alpha: number;
  readonly candidate: Sums;
  readonly control: Sums;
}

interface Track {
  readonly guardrail: LiveGuardrail;
  readonly variant: string;
  readonly candidate: Sums;
  readonly control: Sums;
  readonly windows: Window[];
}

/**
 * Watches the guardrails that live counts can show (`readGuardrails` says which) for every candidate.
 *
 * Each window is tested by a sequence that is valid at every look, at its own part of alpha: half for the whole run, the rest
 * shared by the lengths, and within a length 1 / ((j + 1)(j + 2)) for the window number j, which adds up to 1 over all there
 * will ever be. So the chance of any false breach in the run is at most alpha, however long it is and however often it is
 * looked at, while late harm meets a window that holds little of the good time before it.
 */
export function watchGuardrails(experiment: Experiment, options: GuardrailWatchOptions): GuardrailWatch {
  const alpha = options.alpha ?? experiment.decision.alpha / 2;
  const live = readGuardrails(experiment).filter((each) => each.kind === 'live');
  const tracks: Track[] = experiment.variants
    .filter(({ name }) => name !== experiment.control)
    .flatMap(({ name }) =>
      live.map((guardrail) => ({
        guardrail,
        variant: name,
        candidate: emptySums(),
        control: emptySums(),
        windows: [
          {
            openedMs: options.nowMs,
            lengthMs: Number.POSITIVE_INFINITY,
            alpha: alpha * wholeShare,
            candidate: emptySums(),
            control: emptySums(),
          },
        ],
      })),
    );
  const opened = windowLengthsMs.map(() => ({ count: 0, lastMs: options.nowMs }));

  const openWindows = (nowMs: number): void => {
    for (const [place, lengthMs] of windowLengthsMs.entries()) {
      const last = opened[place]!;
      if (nowMs - last.lastMs < lengthMs) continue;
      const share = (1 - wholeShare) / windowLengthsMs.length / ((last.count + 1) * (last.count + 2));
      last.count += 1;
      last.lastMs = nowMs;
      for (const track of tracks) {
        const { candidate, control, windows } = track;
        const kept = windows.filter((each) => nowMs - each.openedMs < 2 * each.lengthMs);
        const window = { openedMs: nowMs, lengthMs, alpha: alpha * share };
        windows.splice(0, windows.length, ...kept, {
          ...window,
          candidate: candidate.slice(),
          control: control.slice(),
        });
      }
    }
  };

  return {
    add(tallies) {
      for (const tally of tallies) {
        if (!tally.analysed) continue;
        for (const track of tracks) {
          if (tally.variant === track.variant) addGroups(track.candidate, tally.groups, track.guardrail);
          else if (tally.variant === experiment.control) addGroups(track.control, tally.groups, track.guardrail);
        }
      }
    },
    look(nowMs) {
      openWindows(nowMs);
      for (const track of tracks) {
        for (const window of track.windows) {
          const breach = test(track, window, nowMs);
          if (breach !== undefined) return breach;
        }
      }
      return undefined;
    },
  };
}

function emptySums(): Sums {
  return new Float64Array(2 * unitGroups);
}

function addGroups(sums: Sums, groups: readonly GroupTally[], { measure }: LiveGuardrail): void {
  for (const counts of groups) {
    sums[counts.group]! += measure.trials(counts);
    sums[unitGroups + counts.group]! += measure.hits(counts);
  }
}

/** One variant within a window. */
interface Reading {
  readonly trials: number;
  readonly hits: number;
  readonly mean: number;
  /** Groups with a trial in them. */
  readonly groups: number;
  /** Standard error of the mean, units taken as clusters. */
  readonly standardError: number;
}

function readWindow(now: Sums, then: Sums): Reading {
  let trials = 0;
  let hits = 0;
  let groups = 0;
  for (let group = 0; group < unitGroups; group += 1) {
    const some = now[group]! - then[group]!;
    if (some > 0) groups += 1;
    trials += some;
    hits += now[unitGroups + group]! - then[unitGroups + group]!;
  }
  const mean = trials === 0 ? 0 : hits / trials;
  let squares = 0;
  for (let group = 0; group < unitGroups; group += 1) {
    const own = now[unitGroups + group]! - then[unitGroups + group]! - mean * (now[group]! - then[group]!);
    squares += own * own;
  }
  const standardError = groups < 2 ? 0 : Math.sqrt((groups / (groups - 1)) * squares) / trials;
  return { trials, hits, mean, groups, standardError };
}

function test(track: Track, window: Window, nowMs: number): GuardrailBreach | undefined {
  const { guardrail, variant } = track;
  const candidate = readWindow(track.candidate, window.candidate);
  const control = readWindow(track.control, window.control);
  const hasControl = guardrail.control !== 0;
  if (candidate.trials < fewestTrials || (hasControl && control.trials < fewestTrials)) return undefined;
  const estimate = guardrail.candidate * candidate.mean + guardrail.control * control.mean;
  // Nearly all looks end here, for the price of two sums.
  if (!(estimate > guardrail.limit)) return undefined;
  const groups = hasControl ? Math.min(candidate.groups, control.groups) : candidate.groups;
  const isMean = guardrail.measure.kind === 'mean';
  if (groups < (isMean ? fewestGroupsOfMeans : fewestGroups)) return undefined;
  const found = isMean
    ? testMean(guardrail, { candidate, control, estimate, alpha: window.alpha, groups })
    : hasControl
      ? testShares(guardrail, { candidate, control, alpha: window.alpha })
      : testShare(guardrail, { candidate, alpha: window.alpha });
  if (found === undefined) return undefined;
  const windowMs = nowMs - window.openedMs;
  const percent = (value: number): string =>
    isMean ? `${Number(value.toPrecision(4))} ms` : `${Number((value * 100).toPrecision(3))} %`;
  return {
    guardrail: guardrail.text,
    variant,
    text: `Guardrail ${guardrail.text} is broken for ${variant}: ${percent(estimate)} against a limit of ${percent(guardrail.limit)} over ${candidate.trials} requests of the last ${Math.max(1, Math.round(windowMs / 1000))} s (p ${found.pValue.toExponential(1)}, valid at every look).`,
    numbers: {
      estimate,
      limit: guardrail.limit,
      pValue: found.pValue,
      alpha: window.alpha,
      trials: candidate.trials,
      effectiveTrials: found.effectiveTrials,
      windowMs,
    },
  };
}

interface Found {
  readonly pValue: number;
  readonly effectiveTrials: number;
}

/**
 * Independent trials that say as much as these do: divided by how much more groups of units differ than chance lets them.
 * @see Rao & Scott 1992, Biometrics 48
 */
function effective({ trials, hits, mean, groups, standardError }: Reading): { n: number; successes: number } {
  // Where all were the same no spread shows; units, by their groups, are then the trials.
  if (hits === 0 || hits === trials) return { n: groups, successes: hits === 0 ? 0 : groups };
  const inflation = Math.max(1, standardError ** 2 / ((mean * (1 - mean)) / trials));
  const n = Math.max(1, Math.floor(trials / inflation));
  return { n, successes: Math.min(n, Math.floor(mean * n + 1e-9)) };
}

function testShare(
  { limit, candidate: weight }: LiveGuardrail,
  { candidate, alpha }: { readonly candidate: Reading; readonly alpha: number },
): Found | undefined {
  const counts = effective(candidate);
  const bound = limit / weight;
  // Outside of (0, 1) the limit cannot be passed, or is passed by anything above 0.
  if (bound >= 1 || (weight < 0 && bound <= 0)) return undefined;
  if (bound <= 0) return { pValue: 0, effectiveTrials: counts.n };
  const direction = weight > 0 ? 'above' : 'below';
  const result = watchRate(counts, { alpha, horizon, limit: bound, direction });
  if (result.kind === 'insufficient' || result.pValue >= alpha) return undefined;
  return { pValue: result.pValue, effectiveTrials: counts.n };
}

/** Both shares bounded at half of alpha: broken when even the kindest pair within the bounds breaks it. */
function testShares(
  guardrail: LiveGuardrail,
  { candidate, control, alpha }: { readonly candidate: Reading; readonly control: Reading; readonly alpha: number },
): Found | undefined {
  const kindest = (reading: Reading, weight: number): number => {
    const counts = effective(reading);
    const direction = weight > 0 ? 'above' : 'below';
    // The limit decides the p-value alone, which is not used.
    const result = watchRate(counts, { alpha: alpha / 2, horizon, limit: 0.5, direction });
    const end =
      result.kind === 'watched' && 'lower' in result.interval
        ? result.interval.lower
        : result.kind === 'watched' && 'upper' in result.interval
          ? result.interval.upper
          : weight > 0
            ? 0
            : 1;
    return weight * end;
  };
  const least = kindest(candidate, guardrail.candidate) + kindest(control, guardrail.control);
  if (!(least > guardrail.limit)) return undefined;
  return { pValue: alpha, effectiveTrials: effective(candidate).n };
}

function testMean(
  guardrail: LiveGuardrail,
  {
    candidate,
    control,
    estimate,
    alpha,
    groups,
  }: {
    readonly candidate: Reading;
    readonly control: Reading;
    readonly estimate: number;
    readonly alpha: number;
    readonly groups: number;
  },
): Found | undefined {
  const variance =
    (guardrail.candidate * candidate.standardError) ** 2 + (guardrail.control * control.standardError) ** 2;
  if (!(variance > 0)) return undefined;
  const distance = estimate - guardrail.limit;
  // A spread seen in a few groups is itself uncertain: the error is widened until the normal says what Student's t says.
  const z = normal.isf(Math.max(1e-300, studentT(groups - 1).sf(distance / Math.sqrt(variance))));
  if (!(z > 0)) return undefined;
  const n = candidate.trials + (guardrail.control === 0 ? 0 : control.trials);
  const result = watchLimit(
    { estimate, standardError: distance / z, n },
    { alpha, horizon, direction: 'above', limit: guardrail.limit, tuning: 'approximate' },
  );
  if (result.kind === 'insufficient' || result.pValue >= alpha) return undefined;
  return { pValue: result.pValue, effectiveTrials: n };
}
