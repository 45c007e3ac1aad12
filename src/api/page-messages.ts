// What does the live page read besides reports? Every number it shows comes in one of these answers; it computes geometry only.
// Long because it holds nothing but shapes, which are read together.
// Shares and rates are 0..1, times ISO 8601 in UTC, durations milliseconds; what is not known is `{kind: "insufficient", reason}`.
import type { PowerPlan, Report, ValueEntry, Verdict } from '../decision/index.ts';
import type { Insufficient } from '../evidence/index.ts';
import type { ExperimentStateName } from '../experiment/index.ts';
import type { Interval } from '../stats/index.ts';
import type { ExperimentAnswer } from './messages.ts';

/** What a verdict looks like at a glance: its kind, or that there is too little for any (`not-enough-data`), or that there is none. */
export type VerdictDisplay = Verdict['kind'] | 'not-enough-data' | 'no-verdict';

/** How the numbers of a metric are written: shares as `%` and differences as `pp`, milliseconds as `ms`, all else as plain numbers. */
export interface MetricFormat {
  readonly kind: 'share' | 'milliseconds' | 'number';
  /** Metrics of one group share one axis: `pp`, `ms`, or the metric's own name. */
  readonly axis: string;
  /** Whether more of it is better, where the experiment's criteria say so. */
  readonly better: 'higher' | 'lower' | 'unknown';
  /** Limits that the criteria of this metric draw, in the metric's own unit; `difference` is about candidate - control. */
  readonly limits: readonly {
    readonly text: string;
    readonly on: 'level' | 'difference';
    readonly value: number;
    readonly role: 'primary' | 'secondary' | 'guardrail';
  }[];
}

/** `GET /api/v1/experiments?view=list`: one row per experiment, from the last report of each, so never a heavy question. */
export interface ListAnswer {
  readonly asOf: string;
  readonly rows: readonly ListRow[];
}

export interface ListRow {
  readonly namespace: string;
  readonly name: string;
  readonly hypothesis?: string;
  readonly state: ExperimentStateName;
  readonly revision: number;
  readonly epoch: number;
  /** Share of units that take part. */
  readonly coverage: number;
  readonly startedAt?: string;
  readonly endedAt?: string;
  /** Since the start, until the end or now; absent for a draft. */
  readonly ageMs?: number;
  readonly control: string;
  /** Units so far, by variant; the control first, then in the file's order. */
  readonly split: readonly SplitShare[] | Insufficient;
  readonly verdict: ListVerdict | Insufficient;
  /** Withheld (insufficient, with that reason) while the experiment is invalid. */
  readonly value: ListValue | Insufficient;
  readonly health: HealthCount | Insufficient;
  /** The step that waits for somebody's approval, for example `promote b`. */
  readonly proposal?: string;
  /** Rank of "needs attention", 0 first: invalid, breached, decided but not acted on, undecidable, running, draft, done. */
  readonly attention: number;
  /** When the numbers of this row were made; absent before the first report. */
  readonly asOf?: string;
  /** As in live events: changes whenever something of this experiment does. */
  readonly version: number;
}

export interface SplitShare {
  readonly variant: string;
  readonly isControl: boolean;
  readonly units: number;
  readonly share: number;
  readonly expectedShare: number;
}

export interface ListVerdict {
  readonly kind: Verdict['kind'];
  readonly display: VerdictDisplay;
  readonly variant: string;
  readonly recommendation: Verdict['recommendation'];
  /** The same words as everywhere else. */
  readonly headline: string;
  /** Code of the weightiest reason. */
  readonly code: string;
}

export interface ListValue {
  readonly variant: string;
  readonly unit: string;
  readonly estimate: number;
  readonly interval: Interval;
  readonly threshold: number;
  readonly probabilityAbove: number | Insufficient;
}

export interface HealthCount {
  readonly ok: number;
  readonly total: number;
  /** Checks that make the experiment invalid or forbid to ship. */
  readonly vetoes: number;
}

/** `GET /api/v1/experiments/{name}/overview` (`?at=TIME`: as it was): all of the page above the charts, one request. */
export interface OverviewAnswer {
  readonly asOf: string;
  readonly version: number;
  /** First 12 hex digits of the SHA-256 of the report: cites exactly these numbers. */
  readonly digest: string;
  /** Set by `?at=`: when the stored verdict that is shown was made; actions are disabled. */
  readonly at?: string;
  readonly experiment: ExperimentAnswer;
  readonly display: VerdictDisplay;
  /** The sentence of the verdict, as everywhere else. */
  readonly headline: string;
  readonly report: Report;
  readonly values: readonly PageValue[];
  /** The same differences as shares of the control. */
  readonly relative: RelativeEffects;
  /** The step that waits for approval; absent while none does. */
  readonly proposal?: ProposalEntry;
  /** By metric name. */
  readonly formats: { readonly [metric: string]: MetricFormat };
  /** In the order in which they are read: the split first. */
  readonly health: readonly HealthItem[];
  readonly steps: readonly StepOffer[];
}

/** `values` of the report with an interval for each term, valid at every look where that of the net value is. */
type PageValue = Omit<ValueEntry, 'terms'> & {
  readonly terms: readonly (ValueEntry['terms'][number] & { readonly interval: Interval | Insufficient })[];
};

/** What stands at `/metrics/0/variants/1` here belongs to `/report/metrics/0/variants/1`; an empty object to the control. */
interface RelativeEffects {
  readonly metrics: readonly RelativeMetric[];
  /** In the order of `report.segments`. */
  readonly segments: readonly { readonly metrics: readonly RelativeMetric[] }[];
}

interface RelativeMetric {
  readonly variants: readonly RelativeEffect[];
}

/** Intervals of (candidate - control) / control by method; each leaves 0 out exactly when that of the difference does. */
interface RelativeEffect {
  readonly sequential?: Interval | Insufficient;
  readonly fixed?: Interval | Insufficient;
  readonly bayes?: Interval | Insufficient;
}

/** A step that the decision loop has proposed. */
interface ProposalEntry {
  readonly step: 'ramp' | 'promote';
  /** Of a ramp, 0..1. */
  readonly coverage?: number;
  /** Of a promotion. */
  readonly variant?: string;
  /** What it is, for example `ramp to 50.0 % of units`. */
  readonly text: string;
  readonly at: string;
  /** Why it was proposed. */
  readonly reason: string;
}

export interface HealthItem {
  /** Name of the check in `report.checks`. */
  readonly name: string;
  readonly title: string;
  readonly state: 'ok' | 'waiting' | 'warning' | 'veto';
  readonly text: string;
  readonly fix?: string;
}

/** A step that the page may offer, with what it would do: those of the lifecycle, and `approve` while one is proposed. */
export interface StepOffer {
  readonly action: 'start' | 'pause' | 'resume' | 'ramp' | 'promote' | 'roll-back' | 'stop' | 'approve';
  /** Whether the state allows it. */
  readonly isAllowed: boolean;
  /** Why not. */
  readonly refusal?: string;
  /** What it does, in a sentence with its share of traffic. */
  readonly effect: string;
  /** How it stands to the verdict: `with`, `against` (then the name must be typed), or `neutral`. */
  readonly agreement: 'with' | 'against' | 'neutral';
}

/** `GET /api/v1/experiments/{name}/now`: the last hour, from everything that is durable. */
export interface NowAnswer {
  readonly asOf: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly variants: readonly NowVariant[];
  /** Guardrails as the last report has them. */
  readonly guardrails: readonly {
    readonly text: string;
    readonly variant: string;
    readonly outcome: 'met' | 'not-met' | 'undecided';
    readonly estimate: number | Insufficient;
    readonly limit: number | Insufficient;
  }[];
  /** What happens by itself on a breach, in words: `armed (automatic)`, `only notified`, ... */
  readonly onBreach: string;
}

export interface NowVariant {
  readonly variant: string;
  readonly isControl: boolean;
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Requests whose assigned variant's own attempt failed. */
  readonly failed: number;
  readonly callerFailed: number;
  readonly fallback: number;
  /** Of the assigned variant's own attempts, milliseconds. */
  readonly p50Ms: number | Insufficient;
  /** Needs 20 attempts. */
  readonly p95Ms: number | Insufficient;
  /** The last request; absent without one in the hour. */
  readonly lastAt?: string;
}

/** `GET /api/v1/experiments/{name}/series`: what changed over time; at most 500 points per line. */
export interface SeriesAnswer {
  readonly asOf: string;
  readonly split: SplitSeries | Insufficient;
  /** One per primary criterion's metric and per net value: the estimate at every look that was kept, oldest first. */
  readonly looks: readonly LookSeries[];
  readonly maturity: readonly MaturitySeries[];
  /** Level of each metric by the time of the units' first exposure, as in `report.series`. */
  readonly levels: NonNullable<Report['series']>;
  /** Changes that belong on a time axis. */
  readonly flags: readonly { readonly at: string; readonly kind: string; readonly text: string }[];
}

export interface SplitSeries {
  readonly everyMs: number;
  /** Rows of one epoch belong together; a new epoch with another split begins a new line. */
  readonly points: readonly SplitPoint[];
}

export interface SplitPoint {
  /** Begin of the stretch. */
  readonly at: string;
  readonly epoch: number;
  /** Units that came in during the stretch, by variant. */
  readonly units: { readonly [variant: string]: number };
  /** Share of all units of this allocation up to the end of the stretch, by variant. */
  readonly share: { readonly [variant: string]: number };
  /** Where that share would lie at every look, 95 times of 100, were the split as declared. */
  readonly band: { readonly [variant: string]: { readonly lower: number; readonly upper: number } };
  readonly expected: { readonly [variant: string]: number };
}

/**
 * `GET /api/v1/experiments/{name}/split-cells`: where the split is off. A diagnosis of the counts, each at one look; the verdict
 * rests on the check of the whole split.
 */
export interface SplitCellsAnswer {
  readonly asOf: string;
  /** What the cells say together, in words. */
  readonly finding: string;
  /** How wide a stretch of time is. */
  readonly everyMs: number;
  /** Cells with enough units to be judged, all groups together; p-values are those of the worst of so many (Holm). */
  readonly judged: number;
  /** By time, by segment and by revision, then all of them crossed. */
  readonly groups: readonly SplitGroup[] | Insufficient;
}

interface SplitGroup {
  readonly by: 'time' | 'segment' | 'revision' | 'crossed';
  readonly title: string;
  readonly judged: number;
  readonly off: number;
  /** Cells whose smallest expected count is below 5: they say nothing by themselves. */
  readonly tooFew: number;
  /** Judged cells, the worst first; at most 50. */
  readonly cells: readonly SplitCell[];
}

/** Units whose first exposure shares a stretch of time, a revision and a value of a segment; absent is any. */
export interface SplitCell {
  /** Begin of the stretch. */
  readonly at?: string;
  readonly revision?: number;
  readonly segment?: string;
  readonly value?: string;
  /** The control first. */
  readonly variants: readonly {
    readonly variant: string;
    readonly units: number;
    readonly share: number;
    readonly expectedShare: number;
  }[];
  /** Chi-squared, as that of the worst of all judged cells. */
  readonly pValue: number;
  readonly isOff: boolean;
}

export interface LookSeries {
  /** Metric name, or `net_value`. */
  readonly metric: string;
  readonly variant: string;
  /** Drawn dashed; in the unit of `estimate`. */
  readonly limit?: number;
  readonly points: readonly {
    readonly at: string;
    readonly units: number;
    readonly estimate: number;
    /** Valid at every look. */
    readonly lower?: number;
    readonly upper?: number;
    /** Of one look at the end. */
    readonly fixedLower?: number;
    readonly fixedUpper?: number;
  }[];
}

/** How much of a metric that waits for outcomes has come in, by time of exposure. */
export interface MaturitySeries {
  readonly metric: string;
  readonly variant: string;
  readonly everyMs: number;
  readonly windowMs: number;
  readonly points: readonly {
    readonly at: string;
    /** Predictions (units of a metric per unit) whose truth is there, whose window is open, whose window ended without it. */
    readonly arrived: number;
    readonly waiting: number;
    readonly never: number;
  }[];
  /** When the last one that waits will be mature; absent when none waits. */
  readonly allMatureAt?: string;
}

/** `GET /api/v1/experiments/{name}/distributions`: latency of the assigned variant's own attempts. */
export interface DistributionsAnswer {
  readonly asOf: string;
  readonly variants: readonly LatencyDistribution[];
  /** Limits on latency quantiles from the criteria, milliseconds. */
  readonly limits: readonly { readonly text: string; readonly value: number }[];
}

export interface LatencyDistribution {
  readonly variant: string;
  readonly isControl: boolean;
  readonly n: number;
  /** At most 300, rising: `share` of the attempts took at most `ms`. */
  readonly points: readonly { readonly ms: number; readonly share: number }[] | Insufficient;
  readonly quantiles: readonly {
    readonly q: number;
    readonly ms: number | Insufficient;
    readonly interval?: Interval;
  }[];
}

/** `GET /api/v1/experiments/{name}/served`: who really answered. */
export interface ServedAnswer {
  readonly asOf: string;
  readonly variants: readonly string[];
  /** Predictions by assigned and served variant; `served` is `none` where no variant answered. */
  readonly cells: readonly {
    readonly assigned: string;
    readonly served: string;
    readonly predictions: number;
    readonly share: number;
  }[];
  /** Why another variant answered, by assigned variant. */
  readonly reasons:
    | readonly { readonly assigned: string; readonly reason: string; readonly predictions: number }[]
    | Insufficient;
  /** All predictions of the experiment by the reason of their assignment (`split`, `not-covered`, `forced`, ...). */
  readonly assignments: readonly { readonly reason: string; readonly predictions: number }[];
  readonly mirror: readonly MirrorEntry[] | Insufficient;
}

export interface MirrorEntry {
  readonly variant: string;
  readonly sent: number;
  readonly failed: number;
  /** Of pairs where both gave a prediction. */
  readonly compared: number;
  readonly agreed: number;
}

/** `GET /api/v1/experiments/{name}/timeline`: who changed what and why, newest first. */
export interface TimelineAnswer {
  readonly entries: readonly TimelineEntry[];
}

export interface TimelineEntry {
  readonly logRevision: number;
  readonly at: string;
  /** `create`, `revise`, `start`, `pause`, `ramp`, `promote`, `roll-back`, `stop`, `verdict`, and what later versions add. */
  readonly kind: string;
  readonly author: string;
  /** True where no person asked: the decision loop. */
  readonly isAutomatic: boolean;
  readonly reason: string;
  /** One sentence: what it was and what it became. */
  readonly text: string;
  readonly before: TimelineState | null;
  readonly after: TimelineState;
  /** Of the evidence a verdict rested on. */
  readonly evidenceDigest?: string;
  /** SHA-256 link of the chain. */
  readonly hash: string;
}

export interface TimelineState {
  readonly state: ExperimentStateName;
  readonly revision: number;
  readonly epoch: number;
  readonly coverage: number;
  /** Shares in force; empty while the control answers everybody. */
  readonly shares: { readonly [variant: string]: number };
}

/** `GET /api/v1/experiments/{name}/revisions`: the file as it was and is, newest first. */
export interface RevisionsAnswer {
  readonly revisions: readonly RevisionEntry[];
}

export interface RevisionEntry {
  readonly revision: number;
  readonly at: string;
  readonly author: string;
  readonly reason: string;
  /** The experiment file; `apply` takes it. */
  readonly yaml: string;
  /** Against the revision before; empty for the first. */
  readonly diff: readonly DiffLine[];
}

export interface DiffLine {
  readonly kind: 'same' | 'added' | 'removed';
  readonly text: string;
  /** Line number in the older / newer file, from 1. */
  readonly before?: number;
  readonly after?: number;
}

/** One event of `GET /api/v1/live` (server-sent events, event name `change`). */
export interface LiveEvent {
  readonly experiment: string;
  readonly namespace: string;
  readonly version: number;
  readonly verdictKind: VerdictDisplay;
  readonly asOf: string;
}

/** `POST /api/v1/session`: whether a token is needed, and until when this browser is signed in. */
export interface SessionAnswer {
  readonly needsToken: boolean;
  readonly isSignedIn: boolean;
  /** Absent where no token is needed. */
  readonly expiresAt?: string;
}

/** `POST /api/v1/validate`, the file as body: what `assay validate` says. */
export interface ValidateAnswer {
  readonly ok: boolean;
  readonly faults: readonly FileFault[];
  /** Of files that are sound: what else a reader should know (`experiment-exists`, overlaps on one route). */
  readonly warnings: readonly { readonly code: string; readonly text: string }[];
  /** The experiments in the file. */
  readonly experiments: readonly {
    readonly name: string;
    readonly namespace: string;
    readonly route: string;
    readonly exists: boolean;
  }[];
}

export interface FileFault {
  readonly code: string;
  /** For example `spec.variants[1].weight`. */
  readonly place: string;
  /** The whole sentence, as the command line prints it. */
  readonly text: string;
  readonly fix: string;
  /** From 1; absent where the fault has no line. */
  readonly line?: number;
  readonly column?: number;
}

/** `POST /api/v1/power`, the file as body (`?unitsPerDay=N` where no traffic is known): what `assay power --json` says. */
export interface PowerAnswer {
  /** Where the traffic is from: `given` in the request, the file's `plan`, the same route's past `traffic`, or `assumed`. */
  readonly source: 'given' | 'plan' | 'traffic' | 'assumed';
  /** Days, units, detectable values and the curve by day. */
  readonly plan: PowerPlan;
}

/** `POST /api/v1/probe` with `{"url": "..."}`: does this model server answer? */
export interface ProbeAnswer {
  readonly ok: boolean;
  readonly status?: number;
  readonly tookMs: number;
  /** For example `200 in 41 ms`, or `refused: is it running?`. */
  readonly text: string;
}

/** `POST /api/v1/playground` with `{"experiment", "namespace"?, "units": [...]}` (at most 1,000): who gets what, and the proof. */
export interface PlaygroundAnswer {
  readonly experiment: string;
  readonly namespace: string;
  readonly state: ExperimentStateName;
  readonly salt: string;
  readonly coverage: number;
  /** Half-open stretches of the hash, as shares of its range. */
  readonly ranges: readonly { readonly variant: string; readonly from: number; readonly to: number }[];
  readonly units: readonly PlaygroundUnit[];
}

export interface PlaygroundUnit {
  readonly unit: string;
  readonly variant: string;
  readonly reason: string;
  readonly propensity: number;
  /** 8 hex digits; absent where nothing was hashed. */
  readonly splitHash?: string;
  /** The hash as a share of its range, [0, 1). */
  readonly splitAt?: number;
  readonly coverageAt?: number;
  readonly isCovered: boolean;
  readonly text: string;
  /** Other experiments that would see this unit; only for a single unit. */
  readonly others: readonly { readonly experiment: string; readonly variant: string; readonly reason: string }[];
}
