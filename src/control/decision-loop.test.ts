import { beforeEach, describe, expect, test } from 'vitest';
import { createMemoryControlLog } from '../adapters/memory-control-log.ts';
import { makeReport } from '../decision/index.ts';
import { createLiveTally, type ExperimentSummary, type VariantTally } from '../evidence/index.ts';
import { type Experiment, parseExperimentFile } from '../experiment/index.ts';
import {
  approve,
  auditEntries,
  type ControlLog,
  createDecisionLoop,
  createExperimentService,
  type DecisionLoop,
  type ExperimentService,
  recomputeVerdicts,
  rolloutGate,
  verdictBasis,
} from './index.ts';

const by = { author: 'ann', reason: 'weekly review' };
const about = { name: 'one', namespace: 'default' };

function write(decision: string, more = ''): Experiment {
  return parseExperimentFile(`apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: one}
spec:
  route: {path: /one}
  unit: {header: x-user-id}
  control: a
  variants:
    - {name: a, weight: 1, upstream: {url: "http://127.0.0.1:1"}}
    - {name: b, weight: 1, upstream: {url: "http://127.0.0.1:1"}}
  metrics: {liked: {proportion: outcome.like}, error_rate: {mean: failed}}
  decision: {primary: [liked > control.liked], minDuration: 0s, ${decision}}
${more}`);
}

interface Counts {
  readonly units: number;
  readonly likes: number;
}

/** A summary with these likes by unit; `b` may have failures by unit too. */
function summaryOf(a: Counts, b: Counts & { readonly failed?: number }): ExperimentSummary {
  const variant = (name: string, { units, likes, failed = 0 }: Counts & { readonly failed?: number }) => ({
    variant: name,
    units,
    requests: units,
    failed,
    callerFailed: 0,
    fallback: 0,
    attemptMs: { kind: 'insufficient' as const, reason: 'not measured' },
    callerMs: { kind: 'insufficient' as const, reason: 'not measured' },
    metrics: {
      liked: { kind: 'proportion' as const, n: units, successes: likes },
      error_rate: { kind: 'proportion' as const, n: units, successes: failed },
    },
    waiting: {},
    joint: null,
  });
  return {
    format: 'assay-summary',
    version: 1,
    namespace: 'default',
    experiment: 'one',
    control: 'a',
    unit: 'unit',
    fromMs: 1000,
    toMs: 2000,
    variants: [variant('a', a), variant('b', b)],
    segments: [],
    epochs: [{ epoch: 1, shares: { a: 0.5, b: 0.5 }, units: { a: a.units, b: b.units } }],
    health: {
      predictions: a.units + b.units,
      byReason: { split: a.units + b.units },
      unitsInSeveralVariants: 0,
      outcomes: { received: 0, duplicates: 0, joined: 0, orphans: 0, late: 0 },
      uncleanShutdowns: 0,
    },
  };
}

const open = summaryOf({ units: 60, likes: 20 }, { units: 60, likes: 22 });
const better = summaryOf({ units: 2000, likes: 400 }, { units: 2000, likes: 700 });
const broken = summaryOf({ units: 2000, likes: 400 }, { units: 2000, likes: 700, failed: 200 });

describe('the decision loop', () => {
  let log: ControlLog;
  let service: ExperimentService;
  let loop: DecisionLoop;
  let summary: ExperimentSummary;
  let clock: number;
  let faults: unknown[];

  beforeEach(async () => {
    clock = 1_000;
    faults = [];
    summary = open;
    log = createMemoryControlLog({ now: () => clock });
    service = await createExperimentService({ log });
    loop = createDecisionLoop({
      service,
      reports: {
        judge: async (name, namespace) => {
          const { experiment, ...state } = service.get(name, namespace);
          const basis = verdictBasis({ experiment, ...state }, clock);
          return { report: makeReport(summary, { experiment, ...basis }), summary, basis };
        },
      },
      onFault: (fault) => faults.push(fault),
    });
  });
  const start = async (experiment: Experiment): Promise<void> => {
    await service.apply(experiment, by);
    await service.act('start', { ...about, ...by });
  };
  const kinds = (): readonly string[] => service.history('one').map(({ event }) => event.kind);
  const deliberate = async (afterMs: number): Promise<void> => {
    clock += afterMs;
    await loop.deliberate(clock);
    expect(faults).toEqual([]);
  };
  const failing = (epoch: number): readonly VariantTally[] => {
    const tally = createLiveTally();
    for (let unit = 0; unit < 200; unit += 1)
      tally.add({
        kind: 'prediction',
        timeMs: 0,
        ...about,
        experiment: 'one',
        revision: 1,
        epoch,
        predictionId: 'p',
        requestId: 'r',
        row: 0,
        unit: unit.toString(16).padStart(2, '0').padEnd(16, '0'),
        assigned: 'b',
        served: 'a',
        reason: 'split',
        propensity: 0.5,
        attempts: [{ variant: 'b', status: 500, latencyMs: 1, error: 'status' }],
        context: {},
        prediction: null,
        captured: {},
        status: 200,
        callerMs: 2,
        streaming: false,
      });
    return tally.take();
  };

  test('keeps a verdict when it becomes another one, with all that it takes to make it once more', async () => {
    await start(write(''));
    await deliberate(5_000);
    await deliberate(5_000);
    expect(kinds()).toEqual(['create', 'start', 'verdict']);
    summary = better;
    await deliberate(5_000);
    expect(kinds()).toEqual(['create', 'start', 'verdict', 'verdict', 'propose']);
    expect(service.get('one')).toMatchObject({
      lastVerdict: { kind: 'ship', variant: 'b', logRevision: 4 },
      proposal: { step: 'promote', variant: 'b' },
    });
    const verdicts = await recomputeVerdicts(await log.read(), about);
    expect(verdicts.map(({ kind, agrees }) => [kind, agrees])).toEqual([
      ['keep-testing', 'exactly'],
      ['ship', 'exactly'],
    ]);
  });

  test('counts what is left of the evidence behind a verdict', async () => {
    await start(write(''));
    await deliberate(5_000);
    const { health } = open;
    const asked: number[] = [];
    const [verdict] = await recomputeVerdicts(await log.read(), about, async ({ nowMs }) => {
      asked.push(nowMs);
      return { ...open, health: { ...health!, predictions: 100, expired: 15 } };
    });
    expect(verdict?.evidence).toEqual({ predictions: 120, left: 100, expired: 15, erased: 5 });
    expect(asked).toEqual([6_000]);
  });

  test('promotes where the file says so, takes a proposal back when it no longer holds, and leaves a held one to people', async () => {
    await start(write('onShip: hold'));
    summary = better;
    await deliberate(5_000);
    await expect(approve(service, { ...about, ...by, reason: 'too early' })).resolves.toMatchObject({
      state: 'promoted',
    });
    expect(service.history('one').at(-1)?.event).toMatchObject({ kind: 'promote', author: 'ann', reason: 'too early' });
    await expect(approve(service, { ...about, ...by })).rejects.toMatchObject({ code: 'transition-refused' });
  });

  test('withdraws a proposal when the verdict changes', async () => {
    await start(write('onShip: hold'));
    summary = better;
    await deliberate(5_000);
    expect(service.get('one').proposal).not.toBeNull();
    summary = open;
    await deliberate(70_000);
    expect(service.get('one').proposal).toBeNull();
    expect(kinds().at(-1)).toBe('propose');
  });

  test('promotes by itself with onShip promote, in the name of the policy', async () => {
    await start(write('onShip: promote'));
    summary = better;
    await deliberate(5_000);
    expect(service.get('one')).toMatchObject({ state: 'promoted', promoted: 'b' });
    const [row] = auditEntries(await log.read(), about).slice(-1);
    expect(row).toMatchObject({
      author: 'policy:onShip',
      before: { state: 'running', split: { a: 0.5, b: 0.5 } },
      after: { state: 'promoted', split: { b: 1 } },
      evidenceDigest: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  test('rolls back on live counts at the next tick, and on a broken guardrail of the report', async () => {
    await start(write('guardrails: [error_rate < 0.02]'));
    await loop.tick(clock);
    loop.observe(failing(1));
    await loop.tick(clock + 250);
    expect(service.get('one').state).toBe('rolled-back');
    expect(service.history('one').at(-1)?.event).toMatchObject({
      author: 'policy:onBreach',
      evidence: { guardrail: 'error_rate < 0.02', variant: 'b' },
    });
  });

  test('follows the report where live counts show nothing', async () => {
    await start(write('guardrails: [error_rate < 0.02], onBreach: pause'));
    summary = broken;
    await deliberate(5_000);
    expect(service.get('one').state).toBe('paused');
    expect(kinds().slice(-2)).toEqual(['verdict', 'pause']);
  });

  test('tells a breach once where it shall only tell', async () => {
    await start(write('guardrails: [error_rate < 0.02], onBreach: notify'));
    await loop.tick(clock);
    loop.observe(failing(1));
    for (let tick = 1; tick < 5; tick += 1) await loop.tick(clock + tick * 250);
    expect(kinds()).toEqual(['create', 'start', 'notice']);
    summary = broken;
    for (let round = 0; round < 3; round += 1) await deliberate(5_000);
    expect(kinds().filter((kind) => kind === 'notice').length).toBeLessThanOrEqual(2);
    expect(kinds().filter((kind) => kind === 'verdict')).toHaveLength(1);
  });

  test('begins anew after a pause: what broke the guardrail before does not break it again', async () => {
    await start(write('guardrails: [error_rate < 0.02], onBreach: pause'));
    await loop.tick(clock);
    loop.observe(failing(1));
    await loop.tick(clock + 250);
    expect(service.get('one').state).toBe('paused');
    await service.act('resume', { ...about, ...by });
    await loop.tick(clock + 500);
    // Counts of before the pause that come late.
    loop.observe(failing(1));
    await loop.tick(clock + 750);
    expect(service.get('one').state).toBe('running');
  });

  test('ramps after each hold, waits while a guardrail speaks against it, and says why', async () => {
    await start(write('guardrails: [error_rate < 0.02]', '  ramp: {coverage: [0.1, 0.5, 1], hold: 1h}\n'));
    await deliberate(5_000);
    expect(service.get('one').coverage).toBe(0.1);
    expect(loop.status(clock, 250).waiting).toMatchObject([{ experiment: 'one', next: 0.5, obstacles: [] }]);
    await deliberate(3_600_000);
    expect(service.get('one').coverage).toBe(0.5);
    summary = summaryOf({ units: 60, likes: 20 }, { units: 60, likes: 22, failed: 3 });
    await deliberate(3_700_000);
    expect(service.get('one').coverage).toBe(0.5);
    expect(loop.status(clock, 250).waiting[0]?.obstacles).toEqual([
      'the estimate of guardrail error_rate < 0.02 is on the wrong side for b',
    ]);
    summary = open;
    await deliberate(5_000);
    expect(service.get('one').coverage).toBe(1);
    expect(loop.status(clock, 250).waiting).toMatchObject([]);
  });

  test('proposes a step that takes approval, and takes it when it is approved', async () => {
    await start(write('onShip: hold', '  ramp: {coverage: [0.1, 1], hold: 1h, approval: required}\n'));
    await deliberate(3_700_000);
    expect(service.get('one')).toMatchObject({ coverage: 0.1, proposal: { step: 'ramp', coverage: 1 } });
    expect(service.history('one').at(-1)?.event.reason).toMatch(
      /^0\.1 was held for \d+ s; guardrails and checks let it go on to 1$/,
    );
    const other = approve(service, { ...about, ...by, proposal: { step: 'ramp', coverage: 0.5 } });
    await expect(other).rejects.toMatchObject({ code: 'revision-conflict' });
    await approve(service, { ...about, ...by, proposal: { coverage: 1, step: 'ramp' } });
    expect(service.get('one')).toMatchObject({ coverage: 1, proposal: null });
  });

  test('tells how late it is', async () => {
    expect(loop.status(clock, 250)).toMatchObject({ lastTickMs: null, lateMs: 0 });
    await loop.tick(5_000);
    expect(loop.status(5_200, 250)).toMatchObject({ lastTickMs: 5_000, lateMs: 0 });
    expect(loop.status(9_250, 250).lateMs).toBe(4_000);
  });

  test('looks after the other experiments when one cannot be judged', async () => {
    await start(write(''));
    const second = createDecisionLoop({
      service,
      reports: { judge: () => Promise.reject(new Error('the engine is away')) },
      onFault: (fault) => faults.push(fault),
    });
    await second.deliberate(clock);
    expect(faults).toHaveLength(1);
    expect(service.get('one').state).toBe('running');
  });
});

describe('the gate of a rollout', () => {
  test('has a word for every state and every verdict', async () => {
    const verdictOf = (kind: string) => ({
      verdict: { kind, recommendation: 'recommend', variant: 'b', pointRule: 'reject', reasons: [] } as never,
    });
    const gate = (state: string, kind: string): string =>
      rolloutGate({ state, promoted: state === 'promoted' ? 'b' : null } as never, verdictOf(kind)).gate;
    expect(
      ['ship', 'roll-back', 'invalid', 'keep-testing', 'no-difference'].map((kind) => gate('running', kind)),
    ).toEqual(['pass', 'fail', 'fail', 'wait', 'wait']);
    expect(
      ['draft', 'paused', 'promoted', 'rolled-back', 'completed'].map((state) => gate(state, 'keep-testing')),
    ).toEqual(['wait', 'wait', 'pass', 'fail', 'fail']);
    expect(rolloutGate(undefined, { verdict: undefined, reason: 'no such thing' })).toEqual({
      gate: 'wait',
      verdict: 'none',
      recommendation: 'none',
      variant: 'none',
      state: 'unknown',
      reason: 'no such thing',
    });
  });
});
