// At one look of a planned series: what is the interval, and what the p-value, that allow for all the looks?
import type { LooksOptions } from './group-sequential.ts';
import { type Insufficient, type Interval, insufficient } from './interval.ts';
import { refuse, requireFinite, requireNonNegative } from './precondition.ts';
import { usualReach } from './recursive-integration.ts';
import type { Measured } from './relative-difference.ts';
import { findRoot } from './root.ts';
import { criticalValues, rejectionProbability, requireLooks, shapeOf } from './sequential-boundary.ts';

/** What may be said at one look. */
export interface LookResult {
  readonly kind: 'looked';
  readonly method: string;
  readonly difference: number;
  readonly standardError: number;
  readonly statistic: number;
  /** z at which this look rejects. */
  readonly critical: number;
  /** Smallest alpha at which this design would reject at this look; below 1e-290 that number stands. */
  readonly pValue: number;
  /** Holds the truth at all looks at once with probability 1 - alpha; one-sided: a lower end. 0 is outside exactly when pValue < alpha. */
  readonly interval: Interval;
}

/**
 * Repeated confidence interval and p-value at a look, valid whether or not the test stops there and why. Futility bounds
 * are left out of account, also binding ones: then the interval is wider than the boundary, which has been eased.
 * Insufficient without noise, and at a look where nothing may be spent yet.
 * @param look index of the look, 0 is the first
 * @throws RangeError when the design cannot be had or `look` is none of its looks.
 * @see Jennison & Turnbull 1989, JRSS B 51; 2000, chapter 9
 */
export function readLook(
  measured: Measured,
  options: { readonly look: number; readonly design: LooksOptions },
): LookResult | Insufficient {
  const { look, design } = options;
  requireLooks(design);
  if (!(Number.isSafeInteger(look) && look >= 0 && look < design.information.length)) {
    refuse('look', look, `a whole number in 0..${design.information.length - 1}`);
  }
  const difference = requireFinite('measured.estimate', measured.estimate);
  const standardError = requireNonNegative('measured.standardError', measured.standardError);
  if (standardError === 0) return insufficient('the difference shows no noise, so nothing can be said of its error');
  const critical = criticalValues(design, { alpha: design.alpha })[look]!;
  if (critical === Infinity) return insufficient('the design spends nothing at this look');
  const half = critical * standardError;
  const statistic = difference / standardError;
  return {
    kind: 'looked',
    method: 'repeated confidence interval',
    difference,
    standardError,
    statistic,
    critical,
    pValue: repeatedPValue(design.sides === 2 ? Math.abs(statistic) : statistic, { look, design }),
    interval:
      design.sides === 2
        ? { kind: 'bounded', lower: difference - half, upper: difference + half }
        : { kind: 'lower', lower: difference - half },
  };
}

const highest = 36;
const smallest = 1e-290;

/** Smallest alpha at which the design's critical value at this look is no more than z. */
function repeatedPValue(z: number, { look, design }: { readonly look: number; readonly design: LooksOptions }): number {
  const { boundary, information, sides } = design;
  const reach = Math.max(usualReach, Math.min(z, highest) + 2);
  if (boundary.kind !== 'spending') {
    const shape = shapeOf(boundary);
    const constant = z / information[look]! ** shape;
    const critical = information.map((t) => constant * t ** shape);
    // Paths beyond some 38 standard deviations weigh less than a double can hold.
    if (Math.min(...critical) > highest) return smallest;
    return Math.min(
      1,
      Math.max(
        smallest,
        rejectionProbability({ ...design, sides }, critical, Math.max(reach, 2 + Math.min(highest, ...critical))),
      ),
    );
  }
  const soFar = { ...design, information: information.slice(0, look + 1) };
  const lead = (logAlpha: number): number =>
    Math.min(100, criticalValues(soFar, { alpha: Math.exp(logAlpha), reach })[look]!) - z;
  const [low, high] = [Math.log(smallest), -1e-12];
  if (lead(low) <= 0) return smallest;
  return lead(high) >= 0 ? 1 : Math.exp(findRoot(lead, [low, high]));
}
