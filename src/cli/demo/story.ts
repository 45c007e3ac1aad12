// What does a watcher of the demo read? The setting before the requests, and what was done after them.
import { formatCount, formatQuantity, type TerminalStyle, wrapText } from '../render/index.ts';
import { demoExperimentName } from './demo-experiment.ts';
import type { DriveResult } from './drive.ts';
import { type ForecastModelName, historyDays } from './forecast-models.ts';
import { trafficShape } from './traffic-plan.ts';

/** Everything that makes one run of the demo what it is. */
export interface DemoFacts {
  readonly scenario: string;
  /** What was injected, in one sentence; absent when nothing was. */
  readonly injected?: string;
  readonly seed: number;
  readonly requests: number;
  readonly workers: number;
  readonly data: string;
  /** Last day the models were fitted on, and first day they are asked about; ISO dates. */
  readonly fittedUpTo: string;
  readonly askedFrom: string;
  /** Days the models can be asked about. */
  readonly questions: number;
  /** Share of all these days the models get right, 0..1, without any injection. */
  readonly offlineAccuracy: Readonly<Record<ForecastModelName, number>>;
  /** Absent: real service times. */
  readonly simulatedServiceMs?: Readonly<Record<ForecastModelName, number>>;
  /** One trading day on the replay clock, milliseconds. */
  readonly dayMs: number;
  readonly models: Readonly<Record<ForecastModelName, string>>;
  readonly gatewayUrl: string;
  readonly apiUrl: string;
  /** Absent when the logs are removed at the end. */
  readonly dataDirectory?: string;
  /** The experiment file of this run. */
  readonly experimentFile: string;
}

const labelWidth = 11;

/** Gives the setting: data, question, models, what is injected or simulated, and where everything listens. */
export function tellSetting(facts: DemoFacts, style: TerminalStyle): string {
  const { models, simulatedServiceMs: service, dayMs } = facts;
  return tell(style, [
    ['Scenario', `${facts.scenario}, seed ${facts.seed}`],
    ['Injected', facts.injected ?? 'nothing'],
    ['Data', `${facts.data} (npm vega-datasets)`],
    ['Question', `Will tomorrow's range (high/low) exceed its median of the last ${historyDays} days?`],
    ['baseline', `logistic regression on today's range; ${models.baseline}`],
    ['enhanced', `the same with the week's and the month's range and today's return (HAR); ${models.enhanced}`],
    ['', `Both fitted on the days up to ${facts.fittedUpTo}, asked only about days from ${facts.askedFrom} on.`],
    [
      'Traffic',
      `${formatCount(facts.requests)} requests, ${facts.workers} workers, ` +
        `${formatCount(Math.max(1, Math.round(facts.requests / trafficShape.requestsPerUser)))} users (simulated), ` +
        `${percent(trafficShape.newUsers)} of them new, 70/30` +
        (facts.requests > facts.questions
          ? `; more requests than the ${formatCount(facts.questions)} days, so days repeat`
          : ''),
    ],
    [
      'Service',
      service === undefined
        ? 'real service times'
        : `SIMULATED service times: ${service.baseline} ms baseline, ${service.enhanced} ms enhanced, on average`,
    ],
    [
      'Truth',
      `what the market did. Replay clock: one trading day is ${dayMs} ms. Truth comes a day later, ` +
        `${percent(trafficShape.truthLate)} late (up to ${trafficShape.latestDays} days; after ${trafficShape.windowDays} it no longer counts), ` +
        `${percent(trafficShape.truthTwice)} twice, ${percent(trafficShape.truthNever)} never.`,
    ],
    ['Gateway', `${facts.gatewayUrl}/v2/models/forecast/infer`],
    ['API', facts.apiUrl],
    ...(facts.dataDirectory === undefined ? [] : [['Kept in', facts.dataDirectory] as const]),
  ]);
}

/** Gives what was done: requests, truths, and what the models are worth offline for comparison. */
export function tellDrive(
  done: DriveResult,
  options: { readonly facts: DemoFacts; readonly style: TerminalStyle },
): string {
  const { facts, style } = options;
  const { offlineAccuracy: offline } = facts;
  return tell(style, [
    [
      'Done',
      `${formatCount(done.sent)} requests of ${formatCount(done.users)} users in ${(done.elapsedMs / 1000).toFixed(1)} s; ` +
        `${formatCount(done.callerFailed)} callers got an error` +
        (done.lost > 0 ? `; ${formatCount(done.lost)} requests never left the client (injected)` : ''),
    ],
    [
      'Truths',
      `${formatCount(done.truthsPosted)} reports; ${formatCount(done.truthsLate)} predictions late, ` +
        `${formatCount(done.truthsTwice)} reported twice, ${formatCount(done.truthsNever)} never`,
    ],
    [
      'Offline',
      `on all ${formatCount(facts.questions)} unseen days the baseline is right on ${formatQuantity(offline.baseline, 'share')}, ` +
        `the enhanced model on ${formatQuantity(offline.enhanced, 'share')}` +
        (facts.injected === undefined ? '' : ' (without the injection)'),
    ],
  ]);
}

/** Gives where the verdict can be looked at, and what still runs behind it. */
export function tellPage({ apiUrl, gatewayUrl }: DemoFacts, style: TerminalStyle): string {
  return tell(style, [
    ['Page', `${apiUrl}/experiments/${demoExperimentName}`],
    ['Gateway', `${gatewayUrl}/v2/models/forecast/infer; both models go on answering`],
    ['', 'Ctrl-C ends everything.'],
  ]);
}

/** A declared share: round by nature. */
function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function tell(style: TerminalStyle, rows: readonly (readonly [string, string])[]): string {
  const lines = rows.flatMap(([label, text]) => {
    const [first = '', ...rest] = wrapText(text, { width: style.width - labelWidth });
    return [`${label.padEnd(labelWidth)}${first}`, ...rest.map((line) => `${' '.repeat(labelWidth)}${line}`)];
  });
  return `${lines.join('\n')}\n\n`;
}
