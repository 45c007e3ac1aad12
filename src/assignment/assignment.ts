// Which variant does this unit get, why, and with what probability?
import { type BucketRange, requireCover } from './allocation.ts';
import { bucketCount, murmur3 } from './murmur3.ts';

/** Buckets of a hash of their own that a unit must fall into to take part at all. */
export interface UnitGate {
  /** `layer`: experiments of one layer never share a unit. `holdout`: some units are kept out of every experiment that names it. */
  readonly kind: 'layer' | 'holdout';
  /** Seeds the hash; the same for all experiments that share the gate. */
  readonly salt: string;
  /** Half-open intervals of the 2^32 buckets that may pass. */
  readonly ranges: readonly { readonly from: number; readonly to: number }[];
}

/** What assignment needs to know of an experiment; a routed experiment fits as it is. */
export interface AssignableExperiment {
  /** Seeds the hash; two experiments with the same salt assign alike. */
  readonly salt: string;
  /** Share of units that take part, 0..1, in steps of 2^-32. */
  readonly coverage: number;
  /** All must let the unit pass; absent: everybody may. */
  readonly gates?: readonly UnitGate[];
  /** The variant that answers when nothing is split. */
  readonly control: string;
  readonly variants: readonly { readonly name: string }[];
  readonly unit: {
    readonly sources: readonly { readonly kind: string }[];
    readonly orElse: 'control' | 'request';
  };
  readonly allocation:
    | { readonly kind: 'fixed'; readonly ranges: readonly BucketRange[] }
    | { readonly kind: 'single'; readonly variant: string; readonly reason: 'paused' | 'promoted' | 'ended' };
}

/** Why the unit got its variant. */
export type AssignmentReason =
  | 'split'
  | 'forced'
  | 'not-covered'
  | 'paused'
  | 'no-unit'
  | 'promoted'
  | 'ended'
  /** Kept out of all experiments that name the holdout. */
  | 'held-out'
  /** Another experiment of the layer may see the unit, or none. */
  | 'other-experiment';

/** The answer: a variant, why, and the probability with which a covered unit gets it. */
export interface Assignment {
  readonly variant: string;
  readonly reason: AssignmentReason;
  /** 0..1; 1 where nothing was drawn. */
  readonly propensity: number;
  /** Bucket in [0, 2^32) that was compared with the coverage; null where nothing was drawn. */
  readonly coverageBucket: number | null;
  /** Bucket in [0, 2^32) that was looked up in the ranges; null where nothing was drawn. */
  readonly splitBucket: number | null;
}

/** Who asks. */
export interface AssignmentRequest {
  /** The unit id; null or empty when the request carries none. */
  readonly unit: string | null;
  /** Name of the variant a tester asks for; ignored when it is no variant of the experiment. */
  readonly forced: string | null;
  /** Uniform on [0, 1); called only when the request itself is the unit. */
  readonly random: () => number;
}

/** An experiment with everything worked out that does not depend on the unit. */
export interface PreparedAssignment {
  readonly control: string;
  /** Names of all variants, for `forced`. */
  readonly names: ReadonlySet<string>;
  /** True when every request is its own unit, whatever id it carries. */
  readonly byRequest: boolean;
  /** True when a request without an id is its own unit. */
  readonly orElseRequest: boolean;
  /** The answer to everybody while there is no split; else null. */
  readonly single: Assignment | null;
  readonly gates: readonly {
    readonly seed: number;
    readonly ranges: UnitGate['ranges'];
    readonly refusal: Assignment;
  }[];
  readonly coverageSeed: number;
  readonly splitSeed: number;
  /** Units with a coverage bucket below it take part. */
  readonly coverageLimit: number;
  /** Ends of the ranges, rising, with the variant and its propensity (all its ranges together). */
  readonly ranges: readonly { readonly to: number; readonly variant: string; readonly propensity: number }[];
}

/**
 * Everything about an experiment that does not depend on the unit; make it once per routing snapshot.
 *
 * @throws RangeError when the coverage is outside [0, 1] or the ranges do not cover [0, 2^32).
 */
export function prepareAssignment(experiment: AssignableExperiment): PreparedAssignment {
  const { salt, coverage, allocation } = experiment;
  if (!(coverage >= 0 && coverage <= 1)) throw new RangeError(`coverage is ${coverage}, must be in [0, 1]`);
  const ranges = allocation.kind === 'fixed' ? allocation.ranges : [];
  if (allocation.kind === 'fixed') requireCover(ranges);
  const widths = new Map<string, number>();
  for (const { variant, from, to } of ranges) widths.set(variant, (widths.get(variant) ?? 0) + to - from);
  return {
    control: experiment.control,
    names: new Set(experiment.variants.map((variant) => variant.name)),
    byRequest: experiment.unit.sources.some((source) => source.kind === 'request'),
    orElseRequest: experiment.unit.orElse === 'request',
    single: allocation.kind === 'single' ? undrawn(allocation.variant, allocation.reason) : null,
    gates: (experiment.gates ?? []).map((gate) => ({
      seed: murmur3(`${gate.salt}/${gate.kind}`, 0),
      ranges: gate.ranges,
      refusal: undrawn(experiment.control, gate.kind === 'layer' ? 'other-experiment' : 'held-out'),
    })),
    coverageSeed: murmur3(`${salt}/coverage`, 0),
    splitSeed: murmur3(`${salt}/split`, 0),
    coverageLimit: Math.floor(coverage * bucketCount + 0.5),
    ranges: ranges.map(({ variant, to }) => ({ variant, to, propensity: widths.get(variant)! / bucketCount })),
  };
}

/**
 * The assignment of one request; the first rule that applies answers.
 *
 * | rule | reason |
 * |---|---|
 * | the tester names a variant | `forced` |
 * | the experiment is not running | `paused`, `promoted`, `ended` |
 * | no unit id, and the control answers then | `no-unit` |
 * | its bucket of a holdout or a layer is not this experiment's | `held-out`, `other-experiment` |
 * | the coverage bucket is beyond the coverage | `not-covered` |
 * | the split bucket picks the range | `split` |
 */
export function decide(prepared: PreparedAssignment, request: AssignmentRequest): Assignment {
  const { unit, forced } = request;
  if (forced !== null && prepared.names.has(forced)) return undrawn(forced, 'forced');
  if (prepared.single !== null) return prepared.single;
  // An empty id is no id: otherwise all anonymous requests would be one unit.
  const hasUnit = unit !== null && unit !== '';
  if (hasUnit && !prepared.byRequest) return assign(prepared, unit);
  if (!prepared.byRequest && !prepared.orElseRequest) return undrawn(prepared.control, 'no-unit');
  const draw = (): number => Math.floor(request.random() * bucketCount);
  return refused(prepared, draw) ?? pick(prepared, draw(), draw());
}

/** The assignment of a unit id, without the rules of `decide` that look at the request. */
export function assign(prepared: PreparedAssignment, unit: string): Assignment {
  if (prepared.single !== null) return prepared.single;
  return (
    refused(prepared, (seed) => murmur3(unit, seed)) ??
    pick(prepared, murmur3(unit, prepared.coverageSeed), murmur3(unit, prepared.splitSeed))
  );
}

/** The answer of the first gate that does not let the unit pass; undefined when all do. */
function refused({ gates }: PreparedAssignment, bucketOf: (seed: number) => number): Assignment | undefined {
  // Nearly always there is none.
  for (const { seed, ranges, refusal } of gates) {
    const bucket = bucketOf(seed);
    if (!ranges.some(({ from, to }) => bucket >= from && bucket < to)) return refusal;
  }
  return undefined;
}

function pick(prepared: PreparedAssignment, coverageBucket: number, splitBucket: number): Assignment {
  if (coverageBucket >= prepared.coverageLimit) {
    return { variant: prepared.control, reason: 'not-covered', propensity: 1, coverageBucket, splitBucket };
  }
  const { ranges } = prepared;
  let index = 0;
  while (splitBucket >= ranges[index]!.to) index += 1;
  const { variant, propensity } = ranges[index]!;
  return { variant, reason: 'split', propensity, coverageBucket, splitBucket };
}

function undrawn(variant: string, reason: AssignmentReason): Assignment {
  return { variant, reason, propensity: 1, coverageBucket: null, splitBucket: null };
}
