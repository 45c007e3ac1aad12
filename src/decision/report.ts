// The report: the document every reader gets (CLI --json, API, page). Other programs depend on its shape.
import type { CapSummary, Insufficient } from '../evidence/index.ts';
import type { Interval } from '../stats/index.ts';

export type VerdictKind = 'ship' | 'roll-back' | 'keep-testing' | 'no-difference' | 'invalid';
export type Recommendation = 'strong-recommend' | 'recommend' | 'continue-testing' | 'reject';

/** A code, its sentence, and the numbers the sentence rests on. */
export interface Finding {
  readonly code: string;
  readonly text: string;
  readonly numbers?: { readonly [name: string]: number | string | readonly number[] };
}

/**
 * Candidate minus control. `interval` and `pValue` come from the same method and never contradict each other;
 * where neither variant's rate moved and both are equal, there is a score interval and no p-value.
 */
export interface Difference {
  readonly absolute: number;
  /** absolute / control's estimate. */
  readonly relative: number | Insufficient;
  readonly interval: Interval | Insufficient;
  readonly pValue: number | Insufficient;
  /** Test and interval of this candidate in words, and why this test, where the data chose it (rare events). */
  readonly method?: string;
  readonly because?: string;
  /** With a covariate: candidate - control as measured, without the adjustment. */
  readonly unadjusted?: number;
  /** With a covariate: 1 - adjusted variance / unadjusted variance. */
  readonly varianceReduction?: number;
  /** Valid at every look, however often one looks; `interval` and `pValue` above are those of one look at the end. */
  readonly sequential?: SequentialEntry | Insufficient;
  readonly bayes?: BayesEntry | Insufficient;
  /** Effect on those who really got the candidate, where some were answered by the control instead. */
  readonly compliers?: ComplierEntry | Insufficient;
  /** Judged together with the report's other comparisons of its kind; absent where nothing was to be corrected. */
  readonly adjusted?: AdjustedEntry;
}

export interface SequentialEntry {
  readonly method: string;
  readonly interval: Interval;
  readonly pValue: number | Insufficient;
}

/** After the data, under a flat prior. */
export interface BayesEntry {
  readonly method: string;
  /** P(candidate > control), 0..1. */
  readonly probabilityHigher: number;
  /** Credible interval of the difference, same level as `interval`. */
  readonly interval: Interval;
  /** Expected cost, in the metric's unit, of taking the candidate / of keeping the control, where more is better. */
  readonly expectedShortfall: number;
  readonly expectedExcess: number;
}

export interface ComplierEntry {
  readonly method: string;
  readonly estimate: number;
  readonly interval: Interval;
  /** Share of predictions answered by the candidate where it was assigned, 0..1. */
  readonly compliance: number;
}

export interface AdjustedEntry {
  readonly method: 'holm' | 'bh';
  /** Comparisons judged together. */
  readonly comparisons: number;
  readonly pValue: number;
  /** At the level that goes with what was selected; insufficient where this comparison was not. */
  readonly interval: Interval | Insufficient;
}

export interface MetricVariantEntry {
  readonly variant: string;
  /** Units behind the estimate. */
  readonly n: number;
  /** Rows behind the estimate where a unit has several. */
  readonly rows?: number;
  readonly estimate: number | Insufficient;
  /** Interval of the estimate itself. */
  readonly interval?: Interval | Insufficient;
  /** How `interval` was made, where the metric's own method had no noise to measure. */
  readonly intervalMethod?: string;
  /** Rows whose window is still open. */
  readonly waiting?: number;
  /** Absent for the control. */
  readonly difference?: Difference | Insufficient;
  /** Of a candidate's probabilities from the control's; only where the metric is made of probabilities. */
  readonly drift?: ScoreDrift | Insufficient;
}

/** How far two models' probabilities are apart as distributions, whatever came true. */
export interface ScoreDrift {
  readonly method: string;
  /** Population stability index, >= 0; by custom below 0.1 little, above 0.25 much. */
  readonly index: number;
  /** Bins it was taken over, sparse ones put together. */
  readonly bins: number;
  /** Chance of so large an index where both are spread alike. */
  readonly pValue: number | Insufficient;
}

export interface MetricEntry {
  readonly name: string;
  /** `proportion`, `mean`, `ratio`, `root`, `quantile`, `calibration`, `estimate`, `point`. */
  readonly kind: string;
  readonly role: 'primary' | 'secondary' | 'guardrail' | 'informational';
  /** The test in words, for example `Welch t-test`; several where the candidates' data called for several. */
  readonly method: string;
  /** What has one value: a unit (from its first exposure on) or a prediction; absent where nothing says so. */
  readonly per?: 'unit' | 'prediction';
  /** Where values were ended, and how many. */
  readonly capped?: CapSummary;
  readonly variants: readonly MetricVariantEntry[];
}

/** One metric's effect over the values of one segment; `value`s as in `segments`. */
export interface SegmentEffects {
  readonly segment: string;
  readonly metric: string;
  readonly variant: string;
  readonly effects: readonly { readonly value: string; readonly difference: number; readonly interval: Interval }[];
  /** Of the effect being the same for all values (Welch's F-test). */
  readonly sameEffectPValue: number;
  /** Effect of the last stretch of days since exposure less that of the first. */
  readonly decay?: { readonly change: number; readonly interval: Interval; readonly pValue: number } | Insufficient;
  /** The one value without which nothing is shown, or `none`. */
  readonly restsOn?: string;
  /** `reversed`: all together point one way, the values the other (Simpson). Rates per unit only. */
  readonly withinSegments?: 'reversed' | 'unclear' | 'agrees';
}

export interface SeriesEntry {
  readonly metric: string;
  readonly variant: string;
  /** Length of each stretch, milliseconds. */
  readonly everyMs: number;
  readonly points: readonly {
    /** Begin of the stretch, ISO 8601. */
    readonly at: string;
    /** Units. */
    readonly n: number;
    readonly estimate: number;
  }[];
}

/** A criterion over time; see `Report.looks`. */
export interface LooksEntry {
  readonly criterion: string;
  readonly variant: string;
  readonly limit: number;
  readonly points: readonly {
    /** End of the stretch, ISO 8601. */
    readonly at: string;
    /** Of control and this candidate together, so far. */
    readonly units: number;
    readonly estimate: number;
    readonly interval: Interval | Insufficient;
  }[];
}

export interface VariantEntry {
  readonly name: string;
  readonly units: number;
  readonly requests: number;
  /** Share of units, 0..1. */
  readonly share: number;
  readonly expectedShare: number;
  /** Rates 0..1. */
  readonly failureRate: number | Insufficient;
  readonly callerFailureRate: number | Insufficient;
  readonly fallbackRate: number | Insufficient;
  readonly attemptMs: LatencyEntry | Insufficient;
  readonly callerMs: LatencyEntry | Insufficient;
}

export interface LatencyEntry {
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

export interface CheckEntry {
  readonly ok: boolean;
  readonly text: string;
  readonly numbers?: Finding['numbers'];
  /** What to do; only where the check does not hold. */
  readonly fix?: string;
  /** No ship while this does not hold. */
  readonly blocks?: boolean;
}

export interface CriterionEntry {
  readonly text: string;
  readonly role: 'primary' | 'secondary' | 'guardrail';
  readonly variant: string;
  /** `met` / `not-met` when the whole interval lies on one side of the limit. */
  readonly outcome: 'met' | 'not-met' | 'undecided';
  /** `limit`: a bound on the candidate alone, or on a quotient. Equivalence bounds `estimate` by -limit and limit. */
  readonly aim?: 'superiority' | 'non-inferiority' | 'equivalence' | 'limit';
  readonly estimate: number | Insufficient;
  readonly limit: number | Insufficient;
  readonly interval: Interval | Insufficient;
  /** How `interval` was made, where the metric's own method had no noise to measure. */
  readonly intervalMethod?: string;
  /** What decided, in words: `asymptotic confidence sequence`, `beta-binomial mixture sequence`, `fixed horizon`. */
  readonly method?: string;
  /** What one look at the end would have said; absent where that is what decided. */
  readonly fixedHorizon?: {
    readonly outcome: 'met' | 'not-met' | 'undecided';
    readonly interval: Interval | Insufficient;
  };
  /** Probability that the criterion holds, flat prior; normal approximation, or exact for a rate that never moved. */
  readonly probability: number | Insufficient;
}

export interface NetValue {
  readonly estimate: number;
  /** `unbounded` when no term has a known spread. */
  readonly interval: Interval;
  /** Valid at every look; `interval` is that of one look at the end. */
  readonly sequential?: Interval | Insufficient;
  /** P(net > `threshold`), normal approximation, flat prior. */
  readonly probabilityAbove: number | Insufficient;
  readonly threshold: number;
  /** In the value's unit, on average over what is still possible: E[max(-net, 0)] of taking the candidate, E[max(net, 0)] of keeping the control. */
  readonly expectedLoss?: { readonly candidate: number; readonly control: number } | Insufficient;
  /** Terms whose noise is unknown and therefore missing from the interval. */
  readonly omits: readonly string[];
}

export interface ValueTermEntry {
  readonly name: string;
  readonly metric: string;
  /** What it is counted in, as declared. */
  readonly base?: string;
  readonly estimate: number | Insufficient;
  /** Share of the net value's variance, 0..1. */
  readonly varianceShare: number | Insufficient;
}

export interface ValueEntry {
  readonly variant: string;
  readonly unit: string;
  readonly net: NetValue | Insufficient;
  readonly terms: readonly ValueTermEntry[];
  /** In money, a year; absent where the value model has no `money`. */
  readonly money?: MoneyEntry | Insufficient;
}

/** The net value in money, a year; all amounts in `currency`. */
export interface MoneyEntry {
  readonly currency: string;
  /** Net value times what one of it is worth (the mean of its range). */
  readonly gain: number;
  /** Noise of the net value alone, one look at the end. */
  readonly gainInterval: Interval | Insufficient;
  /** What the candidate costs more to run; the mean of its range. */
  readonly infrastructure: number;
  /** `gain` - `infrastructure`, no risk counted. */
  readonly net: number;
  /** Mean loss of the risk register. */
  readonly expectedLoss: number;
  /** `net` / `infrastructure`: 11.43 is 1,143 %. */
  readonly returnOnCost: number | Insufficient;
  /** Expected loss of taking the candidate / of keeping the control, if that is the wrong choice. */
  readonly choices: { readonly candidate: number; readonly control: number } | Insufficient;
  /** gain - losses - infrastructure over 20,000 possible years: noise, ranges and risks together. */
  readonly years: YearSpread | Insufficient;
  /** The same over infrastructure. */
  readonly returns: YearSpread | Insufficient;
}

/** A distribution over possible years. */
export interface YearSpread {
  readonly mean: number;
  readonly p5: number;
  readonly median: number;
  readonly p95: number;
  /** Share of years, 0..1, below what it is without noise and risk / below 0. */
  readonly worse: number;
  readonly negative: number;
}

export interface Verdict {
  readonly kind: VerdictKind;
  /** The variant the verdict speaks of. */
  readonly variant: string;
  readonly recommendation: Recommendation;
  /** What the customary rule on point estimates would have said. */
  readonly pointRule: Recommendation | Insufficient;
  /** Weightiest first. */
  readonly reasons: readonly Finding[];
  readonly outlook?: Outlook;
  /** What was found, in one sentence for everybody; the kind itself is not said again. */
  readonly headline: string;
  /** At most two reasons, with their numbers. */
  readonly because: readonly string[];
  /** What stands against it. */
  readonly but?: string;
  /** What to do. */
  readonly next: string;
}

export interface Outlook {
  /** In sentences: what would make the verdict another one. */
  readonly wouldChange: readonly string[];
  /** The criteria on which it hangs: where they stand, where they would have to stand, and when that is expected. */
  readonly changes?: readonly {
    readonly criterion: string;
    readonly now: CriterionEntry['outcome'];
    readonly probability: number | Insufficient;
    readonly limit: number | Insufficient;
    readonly interval: Interval | Insufficient;
    /** Units of all variants together / days from the start; absent where it is decided, or cannot be told. */
    readonly units?: number;
    readonly days?: number;
  }[];
  /** Units of all variants together at which the primary criteria will be decided with 80 % power, and days from the start at the present traffic. */
  readonly decidedAt: { readonly units: number; readonly days?: number } | Insufficient;
}

/** One figure that somebody published, beside what its own inputs give. */
export interface PublishedFigure {
  readonly name: string;
  /** The place the figure was quoted at. */
  readonly source: string;
  readonly published: number;
  readonly recomputed: number | Insufficient;
  /** The sum in words, for example `1851 / 2500`. */
  readonly formula: string;
  /** True when the recomputed figure rounds to the published one at the digits it was published with. */
  readonly reproduced: boolean;
  /** What the figure is instead, where something in the document gives it. */
  readonly note?: string;
}

/** One report. Shares and rates are 0..1; absent answers are `{kind: "insufficient", reason}`, never null or NaN. */
export interface Report {
  readonly experiment: string;
  readonly namespace: string;
  readonly control: string;
  readonly unit: 'unit' | 'request';
  /** ISO 8601; absent for summaries without times. */
  readonly from?: string;
  readonly to?: string;
  readonly variants: readonly VariantEntry[];
  readonly checks: {
    readonly sampleRatio: { readonly pValue: number | Insufficient; readonly ok: boolean } & CheckEntry;
    readonly [name: string]: CheckEntry;
  };
  readonly metrics: readonly MetricEntry[];
  readonly criteria: readonly CriterionEntry[];
  /** For the first candidate; further candidates stand in `values`. */
  readonly value: ValueEntry;
  readonly values: readonly ValueEntry[];
  readonly segments: readonly {
    readonly segment: string;
    readonly value: string;
    readonly metrics: readonly MetricEntry[];
  }[];
  /** Effects on the primary metrics by segment: new and established units, days since exposure, and what was captured. */
  readonly segmentEffects?: readonly SegmentEffects[];
  /** The same metrics under another rule, to see whether the answer hangs on it; never what the verdict rests on. */
  readonly sensitivity?: readonly {
    readonly name: 'exclude-mixed';
    readonly text: string;
    readonly metrics: readonly MetricEntry[];
  }[];
  /** Units by the time of their first exposure: what became of those who came in then. */
  readonly series?: readonly SeriesEntry[];
  /** Where each primary criterion stood as units came in, by the interval that is valid at every look. */
  readonly looks?: readonly LooksEntry[];
  readonly findings: readonly Finding[];
  readonly verdict: Verdict;
  /** Only for analyses of published tables: every quoted figure beside the recomputed one. */
  readonly published?: readonly PublishedFigure[];
}
