// What is an alert here? Its condition, its words, and an example that fires it beside one that does not, so that every rule has its unit test.

/** One series of a unit test, in promtool's notation: `series` and `values` such as `0+60x40`. */
export interface TestSeries {
  readonly series: string;
  readonly values: string;
}

/** One alerting rule. */
export interface AlertRule {
  readonly name: string;
  readonly expr: string;
  /** How long the condition must hold, seconds. */
  readonly forS: number;
  readonly severity: 'critical' | 'warning';
  /** What Assay shall do when Alertmanager hands the alert on. */
  readonly action: 'roll-back' | 'pause' | 'none';
  /** Templates of Prometheus. */
  readonly summary: string;
  readonly description: string;
  readonly test: {
    /** Series under which it fires for `labels`, and the texts it then carries. */
    readonly fires: readonly TestSeries[];
    readonly labels: Readonly<Record<string, string>>;
    readonly summary: string;
    readonly description: string;
    /** Series under which it does not, by why: all but one fact as in `fires`. */
    readonly silent: Readonly<Record<string, readonly TestSeries[]>>;
  };
}

/** Times that all rules share, seconds. */
export interface RuleTimes {
  /** Window of rates. */
  readonly windowS: number;
  /** Replaces the `for` of every rule. */
  readonly forS?: number;
}

/** Seconds between two samples of a unit test. */
export function testStepS(windowS: number): number {
  return windowS / 5;
}

/** A duration as Prometheus writes it. */
export function promDuration(seconds: number): string {
  if (seconds % 3600 === 0 && seconds > 0) return `${seconds / 3600}h`;
  if (seconds % 60 === 0 && seconds > 0) return `${seconds / 60}m`;
  return `${seconds}s`;
}

/** A label matcher's value, quoted for PromQL. */
export function promText(text: string): string {
  return JSON.stringify(text);
}
