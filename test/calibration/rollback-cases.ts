// Does the loop roll back without cause? The very function it calls, watched second by second while the truth stands at the limit.
import { watchGuardrails } from '../../src/control/index.ts';
import { type GroupTally, latencyBoundsMs, unitGroups, type VariantTally } from '../../src/evidence/index.ts';
import { type Experiment, parseExperimentFile } from '../../src/experiment/index.ts';
import { normal, type Random } from '../../src/stats/index.ts';
import { type CalibrationCase, type CalibrationCheck, calibrationCase } from './calibration-case.ts';

const limit = 0.02;
const latencyLimitMs = 100;
const seconds = 150;
const perSecond = 60;

const experimentWith = (guardrail: string): Experiment =>
  parseExperimentFile(`apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: one}
spec:
  route: {path: /one}
  unit: {header: x-user-id}
  control: a
  variants:
    - {name: a, weight: 1, upstream: {url: "http://127.0.0.1:1"}}
    - {name: b, weight: 1, upstream: {url: "http://127.0.0.1:1"}}
  metrics: {error_rate: {mean: failed}, latency: {mean: attempt_ms}}
  decision: {guardrails: ["${guardrail}"]}
`);
const onFailures = experimentWith(`error_rate < ${limit}`);
const onLatency = experimentWith(`latency < ${latencyLimitMs}`);

interface Request {
  readonly group: number;
  readonly failed: boolean;
  readonly ms: number;
}

/** What the candidate's requests did, second by second. */
type Run = readonly (readonly Request[])[];

function drawRun(one: () => Request): Run {
  return Array.from({ length: seconds }, () => Array.from({ length: perSecond }, one));
}

/** Requests of many users, each of whom sends a few. */
const drawIndependent = (random: Random): Run =>
  drawRun(() => ({ group: random.integer(unitGroups), failed: random.uniform() < limit, ms: 1 }));

/** 2,000 users, of whom one in ten meets a failure at every fifth request, and the others never. */
function drawClustered(random: Random): Run {
  const users = Array.from({ length: 2_000 }, () => ({
    group: random.integer(unitGroups),
    rate: random.uniform() < 0.1 ? limit / 0.1 : 0,
  }));
  return drawRun(() => {
    const { group, rate } = users[random.integer(users.length)]!;
    return { group, failed: random.uniform() < rate, ms: 1 };
  });
}

/** Skewed latencies, mean at the limit. */
const drawLatencies = (random: Random): Run =>
  drawRun(() => ({
    group: random.integer(unitGroups),
    failed: false,
    ms: latencyLimitMs * Math.exp(random.normal() - 0.5),
  }));

function tallyOf(requests: readonly Request[]): VariantTally {
  const latency = (of: readonly Request[]): GroupTally['attemptMs'] => ({
    n: of.length,
    sumMs: of.reduce((sum, { ms }) => sum + ms, 0),
    within: new Array<number>(latencyBoundsMs.length + 1).fill(0),
  });
  const countsOf = (of: readonly Request[]): Omit<GroupTally, 'group'> => ({
    requests: of.length,
    failed: of.filter(({ failed }) => failed).length,
    ...{ callerFailed: 0, fallback: 0, aborted: 0 },
    attemptMs: latency(of),
    callerMs: latency(of),
  });
  const groups = new Map<number, Request[]>();
  for (const each of requests) {
    const known = groups.get(each.group);
    if (known === undefined) groups.set(each.group, [each]);
    else known.push(each);
  }
  return {
    ...{ namespace: 'default', experiment: 'one', epoch: 1, variant: 'b', analysed: true },
    ...countsOf(requests),
    groups: [...groups].map(([group, of]) => ({ group, ...countsOf(of) })),
  };
}

const watched = (guardrail: Experiment): CalibrationCheck<Run> => ({
  method: 'roll-back on live counts (`watchGuardrails`), looked at every second',
  measure: 'false alarms',
  // The report spends the other half on the same guardrails.
  nominal: guardrail.decision.alpha / 2,
  outcome: (run) => {
    const watch = watchGuardrails(guardrail, { nowMs: 0 });
    return run.some((requests, second) => {
      watch.add([tallyOf(requests)]);
      return watch.look((second + 1) * 1_000) !== undefined;
    });
  },
});

/** What an alert rule does: one fixed test of all so far, again every second. */
const naive: CalibrationCheck<Run> = {
  method: 'one-sided z-test of the failures so far at every second, beside it',
  measure: 'false alarms',
  nominal: 0.05,
  expectedToFail: { from: 0.2, to: 0.6, warning: 'a test for one look, made every second' },
  outcome: (run) => {
    let n = 0;
    let failed = 0;
    return run.some((requests) => {
      n += requests.length;
      failed += requests.filter((each) => each.failed).length;
      return n >= 500 && (failed / n - limit) / Math.sqrt((limit * (1 - limit)) / n) > normal.isf(0.05);
    });
  },
};

export const rollbackCases: readonly CalibrationCase[] = [
  calibrationCase({
    setting: `a candidate that fails in exactly ${limit * 100} % of independent requests, its guardrail's limit`,
    rounds: 60,
    draw: drawIndependent,
    checks: [watched(onFailures), naive],
  }),
  calibrationCase({
    setting: `the same share of failures, all of them met by one user in ten`,
    rounds: 60,
    draw: drawClustered,
    checks: [watched(onFailures)],
  }),
  calibrationCase({
    setting: `a candidate whose skewed latency has its mean exactly at its guardrail's limit`,
    rounds: 60,
    draw: drawLatencies,
    checks: [watched(onLatency)],
  }),
];
