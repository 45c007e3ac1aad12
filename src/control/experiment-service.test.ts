import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { createMemoryControlLog } from '../adapters/memory-control-log.ts';
import { allocate } from '../assignment/index.ts';
import { type Experiment, parseExperimentFile, type TransitionName, transitions } from '../experiment/index.ts';
import { type ControlLog, createExperimentService, createRoutingSource, type ExperimentService } from './index.ts';

const by = { author: 'ann', reason: 'weekly review' };

/** 75/25 after 50/50: `b` keeps the first half of what it had, `a` gets the rest. A fresh split would move twice as many. */
const grown = {
  kind: 'fixed',
  ranges: [
    { variant: 'a', from: 0, to: 2 ** 31 },
    { variant: 'b', from: 2 ** 31, to: 3 * 2 ** 30 },
    { variant: 'a', from: 3 * 2 ** 30, to: 2 ** 32 },
  ],
};

interface Written {
  readonly name?: string;
  readonly route?: string;
  readonly weights?: Readonly<Record<string, number>>;
  readonly extra?: string;
}

function write({ name = 'one', route = `/${name}`, weights = { a: 70, b: 30 }, extra = '' }: Written = {}): Experiment {
  const variants = Object.entries(weights).map(
    ([variant, weight]) => `    - {name: ${variant}, weight: ${weight}, upstream: {url: "http://127.0.0.1:1"}}`,
  );
  return parseExperimentFile(`apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: ${name}}
spec:
  route: {path: ${route}}
  unit: {header: x-user-id}
  control: a
  variants:
${variants.join('\n')}
  metrics: {err: {mean: failed}}
${extra}`);
}

describe('the experiment service', () => {
  let log: ControlLog;
  let service: ExperimentService;
  let clock: number;
  beforeEach(async () => {
    clock = 0;
    log = createMemoryControlLog({ now: () => (clock += 1000) });
    service = await createExperimentService({ log });
  });
  const act = (step: TransitionName, more: object = {}) => service.act(step, { name: 'one', ...by, ...more });

  test('a file that was made from an older revision is refused, and one sent twice is not', async () => {
    await service.apply(write(), { ...by, expectedFile: 0 });
    const mine = write({ weights: { a: 60, b: 40 } });
    await service.apply(mine, { ...by, expectedFile: 1 });
    await expect(service.apply(mine, { ...by, expectedFile: 1 })).resolves.toMatchObject({ revision: 2 });
    const late = service.apply(write({ weights: { a: 50, b: 50 } }), { ...by, expectedFile: 1 });
    await expect(late).rejects.toMatchObject({ code: 'revision-conflict' });
    const another = service.apply(write({ weights: { a: 50, b: 50 } }), { ...by, expectedFile: 0 });
    await expect(another).rejects.toMatchObject({ code: 'experiment-exists' });
    await act('start');
    // Steps change the experiment, never its file.
    await expect(
      service.apply(write({ weights: { a: 50, b: 50 } }), { ...by, expectedFile: 2 }),
    ).resolves.toMatchObject({ revision: 3 });
  });

  test('an applied file is a draft: the control answers everybody and nothing is split', async () => {
    const state = await service.apply(write(), by);
    expect(state).toMatchObject({
      state: 'draft',
      revision: 1,
      epoch: 0,
      coverage: 1,
      createdAtMs: 1000,
      startedAtMs: null,
      endedAtMs: null,
      logRevision: 1,
      allocation: { kind: 'single', variant: 'a', reason: 'paused' },
      epochs: [{ epoch: 0, shares: {}, coverage: 1, sinceMs: 1000 }],
    });
    expect(service.get('one')).toBe(state);
    expect(service.list()).toEqual([state]);
  });

  test('an unchanged file writes nothing', async () => {
    const first = await service.apply(write(), by);
    expect(await service.apply(write(), by)).toBe(first);
    expect((await log.read()).length).toBe(1);
  });

  test('start splits by weight and opens epoch 1', async () => {
    await service.apply(write(), by);
    const state = await act('start');
    expect(state).toMatchObject({ state: 'running', epoch: 1, startedAtMs: 2000, endedAtMs: null });
    expect(state.allocation).toEqual({
      kind: 'fixed',
      ranges: allocate([
        { variant: 'a', weight: 70 },
        { variant: 'b', weight: 30 },
      ]),
    });
    expect(state.epochs.at(-1)?.shares.b).toBeCloseTo(0.3, 9);
  });

  test('start takes the ramp from its first step, and a ramp without coverage takes the next', async () => {
    await service.apply(write({ extra: '  ramp: {coverage: [0.1, 0.5, 1]}\n' }), by);
    expect((await act('start')).coverage).toBe(0.1);
    expect((await act('ramp')).coverage).toBe(0.5);
    expect((await act('ramp')).coverage).toBe(1);
    await expect(act('ramp')).rejects.toMatchObject({ code: 'transition-refused' });
    expect((await act('ramp', { coverage: 0.2 })).coverage).toBe(0.2);
    const state = service.get('one');
    expect(state.epochs.map(({ coverage }) => coverage)).toEqual([0.1, 0.1, 0.5, 1, 0.2]);
    expect(await act('ramp', { coverage: 0.2 })).toBe(state);
  });

  test('a pause lets the control answer, and resume gives every unit its variant again', async () => {
    await service.apply(write(), by);
    const running = await act('start', { coverage: 0.4 });
    const paused = await act('pause');
    expect(paused).toMatchObject({
      state: 'paused',
      epoch: 2,
      allocation: { kind: 'single', variant: 'a', reason: 'paused' },
    });
    const resumed = await act('resume');
    expect(resumed).toMatchObject({ state: 'running', epoch: 3, coverage: 0.4, allocation: running.allocation });
    expect((await act('pause')).coverage).toBe(0.4);
    expect((await act('resume', { coverage: 0.9 })).coverage).toBe(0.9);
  });

  test('weights changed while paused move the fewest units at resume', async () => {
    await service.apply(write({ weights: { a: 50, b: 50 } }), by);
    await act('start');
    await act('pause');
    const revised = await service.apply(write({ weights: { a: 75, b: 25 } }), by);
    expect(revised.epoch).toBe(2);
    expect((await act('resume')).allocation).toEqual(grown);
  });

  test('weights changed while running move the fewest units at once', async () => {
    await service.apply(write({ weights: { a: 50, b: 50 } }), by);
    await act('start');
    expect((await service.apply(write({ weights: { a: 75, b: 25 } }), by)).allocation).toEqual(grown);
  });

  test('a changed weight of a running experiment opens an epoch and keeps coverage and state', async () => {
    await service.apply(write(), by);
    await act('start', { coverage: 0.3 });
    const state = await service.apply(write({ weights: { a: 70, b: 0 } }), by);
    expect(state).toMatchObject({ state: 'running', epoch: 2, revision: 2, coverage: 0.3 });
    expect(state.allocation).toEqual({ kind: 'fixed', ranges: [{ variant: 'a', from: 0, to: 2 ** 32 }] });
    expect(state.epochs.map(({ shares }) => shares)).toEqual([
      {},
      { a: expect.closeTo(0.7, 9), b: expect.closeTo(0.3, 9) },
      { a: 1 },
    ]);
    expect(state.planChanges).toEqual([]);
  });

  test('a new and a removed variant are taken in while running', async () => {
    await service.apply(write({ weights: { a: 1, b: 1 } }), by);
    await act('start');
    const { allocation } = await service.apply(write({ weights: { a: 1, c: 1 } }), by);
    expect(allocation).toEqual({
      kind: 'fixed',
      ranges: [
        { variant: 'a', from: 0, to: 2 ** 31 },
        { variant: 'c', from: 2 ** 31, to: 2 ** 32 },
      ],
    });
  });

  test('a reload of the file never reverts a ramp, a pause or a promotion', async () => {
    const file = write({ extra: '  ramp: {coverage: [0.1, 1]}\n' });
    await service.apply(file, by);
    await act('start');
    await act('ramp');
    expect((await service.apply({ ...file, hypothesis: 'x' }, by)).coverage).toBe(1);
    await act('pause');
    expect((await service.apply(file, by)).state).toBe('paused');
    await act('promote');
    const state = await service.apply({ ...file, hypothesis: 'y' }, by);
    expect(state).toMatchObject({
      state: 'promoted',
      allocation: { kind: 'single', variant: 'b', reason: 'promoted' },
    });
  });

  test('promote takes the only candidate, else it must be named and be one', async () => {
    await service.apply(write({ weights: { a: 1, b: 1, c: 1 } }), by);
    await act('start');
    await expect(act('promote')).rejects.toThrow('variant is missing, must be a candidate: b, c');
    await expect(act('promote', { variant: 'a' })).rejects.toThrow('variant is "a", must be a candidate: b, c');
    const state = await act('promote', { variant: 'c' });
    expect(state).toMatchObject({ state: 'promoted', promoted: 'c', endedAtMs: 3000 });
    await expect(service.apply(write({ weights: { a: 1, b: 1 } }), by)).rejects.toMatchObject({
      code: 'transition-refused',
    });
    const back = await act('roll-back');
    expect(back).toMatchObject({
      state: 'rolled-back',
      promoted: null,
      endedAtMs: 3000,
      allocation: { variant: 'a', reason: 'ended' },
    });
    expect((await service.apply(write({ weights: { a: 1, b: 1 } }), by)).revision).toBe(2);
  });

  test('what the file says of the plan after the start is a change the report can tell', async () => {
    await service.apply(write(), by);
    await service.apply(write({ extra: '  hypothesis: before the start\n' }), by);
    await act('start');
    const decision = '  decision: {guardrails: [err < 0.1]}\n';
    const state = await service.apply(
      write({ extra: `  hypothesis: before the start\n${decision}  segments: []\n` }),
      by,
    );
    expect(state.planChanges).toEqual([{ part: 'decision', revision: 3, timeMs: 4000 }]);
    const back = await service.apply(write({ extra: '  hypothesis: another\n' }), by);
    expect(back.planChanges.map(({ part, revision }) => [part, revision])).toEqual([
      ['decision', 3],
      ['hypothesis', 4],
      ['decision', 4],
    ]);
  });

  test('a salt that changes after the start is refused, before it is taken', async () => {
    await service.apply(write(), by);
    await service.apply(write({ extra: '  salt: x\n' }), by);
    await act('start');
    await expect(service.apply(write({ extra: '  salt: y\n' }), by)).rejects.toMatchObject({
      code: 'transition-refused',
    });
    expect(service.get('one').experiment.salt).toBe('x');
  });

  test('two live experiments cannot have one route; an ended one gives it free', async () => {
    await service.apply(write({ route: '/p' }), by);
    const other = write({ name: 'two', route: '/p' });
    await expect(service.apply(other, by)).rejects.toMatchObject({
      code: 'experiment-exists',
      message: 'route "path /p" belongs to experiment "one" (draft), must be free',
    });
    await act('start');
    await expect(service.apply(other, by)).rejects.toMatchObject({ code: 'experiment-exists' });
    await act('promote');
    await service.apply(other, by);
    expect(service.snapshot().experiments.map(({ name }) => name)).toEqual(['one']);
    await service.act('start', { name: 'two', ...by });
    expect(service.snapshot().experiments.map(({ name }) => name)).toEqual(['two']);
    await expect(service.apply(write({ name: 'three', route: '/p' }), by)).rejects.toThrow(
      'belongs to experiment "two" (running)',
    );
  });

  test('nobody changes anything without saying who and why', async () => {
    for (const nobody of [
      { author: '', reason: 'x' },
      { author: 'ann', reason: '  ' },
      { author: 'ann' } as typeof by,
    ]) {
      await expect(service.apply(write(), nobody)).rejects.toMatchObject({ code: 'request-invalid' });
    }
    await service.apply(write(), by);
    await expect(service.act('start', { name: 'one', author: 'ann', reason: '' })).rejects.toThrow(
      'reason is "", must be a text of 1 to 2000 characters',
    );
    expect((await log.read()).length).toBe(1);
  });

  test.each<[TransitionName, object, string]>([
    ['start', { coverage: 0 }, 'coverage is 0, must be in (0, 1]'],
    ['start', { coverage: 1.5 }, 'coverage is 1.5, must be in (0, 1]'],
    ['start', { coverage: Number.NaN }, 'coverage is NaN, must be in (0, 1]'],
    ['start', { variant: 'b' }, 'variant is "b", must be absent from start'],
    ['stop', { coverage: 1 }, 'coverage is 1, must be absent from stop'],
  ])('%s with %j is refused', async (step, more, message) => {
    await service.apply(write(), by);
    await expect(act(step, more)).rejects.toMatchObject({ code: 'request-invalid', message });
  });

  test('a step that the state does not allow is refused and leaves no trace', async () => {
    await service.apply(write(), by);
    await expect(act('resume')).rejects.toThrow('"resume" is not allowed from draft, must be one of: start, stop');
    expect((await log.read()).length).toBe(1);
  });

  test('an unknown experiment is refused with the names there are', async () => {
    await expect(act('start')).rejects.toThrow('experiment "one" is unknown in namespace "default", there is none yet');
    await service.apply(write({ name: 'two' }), by);
    expect(() => service.get('one')).toThrow('must be one of: two');
    expect(() => service.get('two', 'elsewhere')).toThrow('there is none yet');
  });

  test('of two people who saw the same state, the second is refused', async () => {
    await service.apply(write(), by);
    const results = await Promise.allSettled([
      act('start', { expectedRevision: 1 }),
      act('stop', { expectedRevision: 1 }),
      service.apply(write({ weights: { a: 1, b: 9 } }), { ...by, expectedRevision: 1 }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(results[1]).toMatchObject({ reason: { code: 'revision-conflict' } });
    await expect(service.apply(write({ name: 'new' }), { ...by, expectedRevision: 3 })).rejects.toMatchObject({
      code: 'revision-conflict',
    });
  });

  test('calls at once are taken in their order', async () => {
    await service.apply(write({ extra: '  ramp: {coverage: [0.1, 0.2, 0.3, 1]}\n' }), by);
    await Promise.all([act('start'), act('ramp'), act('ramp'), act('pause'), act('resume')]);
    expect(service.get('one')).toMatchObject({ state: 'running', epoch: 5, coverage: 0.3 });
    expect(service.history('one').map(({ event }) => event.kind)).toEqual([
      'create',
      'start',
      'ramp',
      'ramp',
      'pause',
      'resume',
    ]);
  });

  test('two services on one log see a conflict and go on from the truth', async () => {
    await service.apply(write(), by);
    const rival = await createExperimentService({ log });
    await rival.act('start', { name: 'one', ...by });
    await expect(act('stop')).rejects.toMatchObject({ code: 'revision-conflict' });
    expect(service.get('one').state).toBe('running');
    expect((await act('stop')).state).toBe('completed');
  });

  test('a verdict is kept with what it rests on and changes nothing else', async () => {
    await service.apply(write(), by);
    await act('start');
    const before = service.snapshot();
    const state = await service.recordVerdict({
      name: 'one',
      ...by,
      verdict: { kind: 'ship' },
      summary: { b: 1, a: [2] },
    });
    expect(state).toMatchObject({ state: 'running', epoch: 1, logRevision: 3 });
    expect(service.snapshot()).toBe(before);
    expect(service.history('one').at(-1)?.event).toMatchObject({
      kind: 'verdict',
      verdict: { kind: 'ship' },
      summary: { a: [2], b: 1 },
      // printf '{"a":[2],"b":1}' | sha256sum
      evidenceDigest: '63c9663de90ee828bbda6cd9acf02d0c653986c1ec25aa239920641edc9a1de5',
    });
  });

  test('drift is told in sentences', async () => {
    const ramp = '  ramp: {coverage: [0.1, 0.5]}\n';
    await service.apply(write({ extra: ramp }), by);
    expect(service.drift('one')).toEqual([]);
    await act('start');
    await act('ramp');
    expect(service.drift('one')).toEqual([]);
    await act('ramp', { coverage: 0.7 });
    expect(service.drift('one')).toEqual(['coverage is 0.7; the file says one of 0.1, 0.5']);
    await act('pause');
    expect(service.drift('one')).toEqual([
      'a answers everybody because the experiment is paused; the file splits a 0.7, b 0.3',
    ]);
    await act('promote');
    expect(service.drift('one')).toEqual([
      'b answers everybody because the experiment is promoted; the file splits a 0.7, b 0.3',
    ]);
  });

  test('listeners hear every change, one that throws disturbs nobody and is reported', async () => {
    const faults: string[] = [];
    const heard: string[] = [];
    service = await createExperimentService({ log, observer: { fault: (code) => faults.push(code) } });
    service.subscribe(() => {
      throw new Error('broken listener');
    });
    const stop = service.subscribe(({ entry, state }) => heard.push(`${entry.event.kind} ${state.state}`));
    await service.apply(write(), by);
    await act('start');
    stop();
    await act('stop');
    expect(heard).toEqual(['create draft', 'start running']);
    expect(faults).toEqual(['listener-failed', 'listener-failed', 'listener-failed']);
  });

  test('the routing source calls back when routing changes, and only then', async () => {
    const source = createRoutingSource(service);
    const revisions: number[] = [];
    source.subscribe((snapshot) => revisions.push(snapshot.revision));
    await service.apply(write(), by);
    await act('start');
    await service.recordVerdict({ name: 'one', ...by, verdict: 1, summary: 1 });
    await service.apply(write({ weights: { a: 1, b: 1 } }), by);
    expect(revisions).toEqual([1, 2, 4]);
    expect(source.current()).toBe(service.snapshot());
    expect(source.current().experiments[0]).toMatchObject({ revision: 2, epoch: 2 });
  });

  test('whatever is done, a service that reads the log afterwards finds the same state, split and snapshot', async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('act' as const),
        step: fc.constantFrom(...transitions.map(({ name }) => name)),
        coverage: fc.constantFrom(undefined, 0.2, 1),
      }),
      fc.record({
        kind: fc.constant('apply' as const),
        a: fc.integer({ min: 1, max: 5 }),
        b: fc.integer({ min: 0, max: 5 }),
        c: fc.integer({ min: 0, max: 2 }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
        let time = 0;
        const store = createMemoryControlLog({ now: () => ++time });
        const first = await createExperimentService({ log: store });
        await first.apply(write(), by);
        for (const each of steps) {
          const before = first.get('one');
          try {
            if (each.kind === 'apply') await first.apply(write({ weights: { a: each.a, b: each.b, c: each.c } }), by);
            else
              await first.act(each.step, {
                name: 'one',
                ...by,
                ...(each.coverage === undefined ? {} : { coverage: each.coverage }),
              });
          } catch {
            expect(first.get('one')).toBe(before);
          }
        }
        const state = first.get('one');
        expect(state.epochs.map(({ epoch }) => epoch)).toEqual([...state.epochs.keys()]);
        expect(state.epochs.at(-1)).toMatchObject({ epoch: state.epoch, coverage: state.coverage });
        const second = await createExperimentService({ log: store });
        expect(second.get('one')).toEqual(state);
        expect(second.snapshot().experiments).toEqual(first.snapshot().experiments);
      }),
      { numRuns: 150, seed: 5 },
    );
  });
});
