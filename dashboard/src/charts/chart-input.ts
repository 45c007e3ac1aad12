// What can be drawn below the fold? Plain data for each kind of chart; the drawing itself is loaded later.
import type { FigureUnit } from '../../../src/decision/index.ts';
import type { VariantPlace } from '../parts/variant-mark.tsx';

/** Something that happened, above a time axis. */
export interface Flag {
  readonly at: number;
  readonly text: string;
}

/** A line of one variant. */
interface VariantLine<Point> {
  readonly variant: string;
  readonly place: VariantPlace;
  readonly points: readonly Point[];
}

/** Every kind of chart; times are epoch milliseconds. */
export type ChartInput =
  /** An estimate at every look with the band that holds at all of them. */
  | {
      readonly kind: 'looks';
      readonly unit: FigureUnit;
      readonly xIs: 'units' | 'time';
      readonly place: VariantPlace;
      readonly limit?: number;
      readonly points: readonly {
        readonly x: number;
        readonly estimate: number;
        readonly lower?: number;
        readonly upper?: number;
        readonly fixedLower?: number;
        readonly fixedUpper?: number;
      }[];
      readonly flags: readonly Flag[];
    }
  /** The cumulative share with its any-time band around the declared one. */
  | {
      readonly kind: 'shares';
      readonly lines: readonly (VariantLine<{
        readonly at: number;
        readonly epoch: number;
        readonly share: number;
        readonly expected: number;
        readonly lower: number;
        readonly upper: number;
      }> & { readonly isOutside: boolean })[];
      readonly flags: readonly Flag[];
    }
  /** Counts by stretch of time, stacked. */
  | {
      readonly kind: 'counts';
      readonly label: string;
      readonly everyMs: number;
      readonly stacks: readonly {
        readonly name: string;
        readonly token: string;
        readonly isHatched?: boolean;
        readonly points: readonly { readonly at: number; readonly count: number }[];
      }[];
    }
  /** A level by time of exposure. */
  | {
      readonly kind: 'levels';
      readonly unit: FigureUnit;
      readonly lines: readonly VariantLine<{ readonly at: number; readonly estimate: number }>[];
      readonly flags: readonly Flag[];
    }
  /** Share of attempts that took at most so long. */
  | {
      readonly kind: 'latency';
      readonly variants: readonly (VariantLine<{ readonly ms: number; readonly share: number }> & {
        readonly n: number;
        readonly quantiles: readonly {
          readonly q: number;
          readonly ms: number;
          readonly lower?: number;
          readonly upper?: number;
        }[];
      })[];
      readonly limits: readonly number[];
    }
  /** Chance of a decision by duration. */
  | {
      readonly kind: 'power';
      readonly wanted: number;
      readonly points: readonly {
        readonly days: number;
        readonly power: number;
        readonly lower?: number;
        readonly upper?: number;
      }[];
    };
