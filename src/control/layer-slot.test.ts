import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { createMemoryControlLog } from '../adapters/memory-control-log.ts';
import { decide, prepareAssignment } from '../assignment/index.ts';
import { type Experiment, parseExperimentFile, parseRoutingSnapshot } from '../experiment/index.ts';
import { type ControlLog, createExperimentService, type ExperimentService } from './index.ts';

const by = { author: 'ann', reason: 'weekly review' };

const write = (name: string, more: string): Experiment =>
  parseExperimentFile(`apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: ${name}}
spec:
  route: {path: /${name}}
  unit: {header: x-user-id}
  control: a
  variants:
    - {name: a, weight: 1, upstream: {url: "http://127.0.0.1:1"}}
    - {name: b, weight: 1, upstream: {url: "http://127.0.0.1:2"}}
  metrics: {err: {mean: failed}}
${more}`);

describe('experiments of one layer', () => {
  let log: ControlLog;
  let service: ExperimentService;
  beforeEach(async () => {
    log = createMemoryControlLog({ now: () => 1 });
    service = await createExperimentService({ log });
  });
  const start = async (name: string, more: string): Promise<void> => {
    await service.apply(write(name, more), by);
    await service.act('start', { name, ...by });
  };
  /** Reasons by experiment, as gateway and SDK would find them in the snapshot that travels. */
  const reasonsOf = (unit: string): Readonly<Record<string, string>> => {
    const snapshot = parseRoutingSnapshot(JSON.parse(JSON.stringify(service.snapshot())));
    return Object.fromEntries(
      snapshot.experiments.map((each) => [
        each.name,
        decide(prepareAssignment(each), { unit, forced: null, random: () => 0 }).reason,
      ]),
    );
  };

  test('never share a unit, and each gets its share', async () => {
    await start('one', '  layer: ranking\n  layerShare: 0.5\n');
    await start('two', '  layer: ranking\n  layerShare: 0.3\n');
    let ones = 0;
    let twos = 0;
    fc.assert(
      fc.property(fc.uuid(), (unit) => {
        const { one, two } = reasonsOf(unit);
        expect([one, two].filter((reason) => reason === 'split').length).toBeLessThanOrEqual(1);
        if (one === 'split') ones += 1;
        if (two === 'split') twos += 1;
        for (const reason of [one, two]) expect(['split', 'other-experiment']).toContain(reason);
      }),
      { numRuns: 1_500, seed: 7 },
    );
    // Five standard deviations of a binomial.
    expect(Math.abs(ones / 1_500 - 0.5)).toBeLessThan(0.065);
    expect(Math.abs(twos / 1_500 - 0.3)).toBeLessThan(0.06);
  });

  test('are refused when too little is left, and find what an ended one has given back', async () => {
    await start('one', '  layer: ranking\n  layerShare: 0.8\n');
    await service.apply(write('two', '  layer: ranking\n  layerShare: 0.5\n'), by);
    await expect(service.act('start', { name: 'two', ...by })).rejects.toMatchObject({
      code: 'transition-refused',
      message: expect.stringContaining('layer "ranking" has a share of 0.2 free, must have 0.5 for "two"'),
    });
    await start('elsewhere', '  layer: colours\n');
    await service.act('stop', { name: 'one', ...by });
    expect((await service.act('start', { name: 'two', ...by })).slot).toEqual([{ from: 0, to: 2 ** 31 }]);
  });

  test('keep their slot through a pause and a restart of the server', async () => {
    await start('one', '  layer: ranking\n  layerShare: 0.25\n');
    await start('two', '  layer: ranking\n  layerShare: 0.25\n');
    await service.act('pause', { name: 'one', ...by });
    await service.act('resume', { name: 'one', ...by });
    const again = await createExperimentService({ log });
    expect(again.list().map(({ slot }) => slot)).toEqual([
      [{ from: 0, to: 2 ** 30 }],
      [{ from: 2 ** 30, to: 2 ** 31 }],
    ]);
    expect(again.snapshot().experiments.map(({ gates }) => gates?.[0]?.salt)).toEqual([
      'default/ranking',
      'default/ranking',
    ]);
  });

  test('cannot change their layer once units have variants', async () => {
    await start('one', '  layer: ranking\n');
    await expect(service.apply(write('one', '  layer: colours\n'), by)).rejects.toMatchObject({
      code: 'transition-refused',
    });
  });

  test('are told of routes that take the same requests', async () => {
    await start('outer', '');
    await service.apply({ ...write('inner', ''), route: { kind: 'path', path: '/outer/inner' } }, by);
    await service.apply({ ...write('elsewhere', ''), route: { kind: 'path', path: '/outermost' } }, by);
    expect(service.overlaps('inner')).toEqual([
      'its route lies within that of "outer", which gets only the other requests',
    ]);
    // A draft takes nothing away yet.
    expect(service.overlaps('outer')).toEqual([]);
    expect(service.overlaps('elsewhere')).toEqual([]);
    await service.act('start', { name: 'inner', ...by });
    expect(service.overlaps('outer')).toEqual([
      'its route holds that of "inner", which takes those requests away from it',
    ]);
  });

  test('that name one holdout keep the same units out', async () => {
    const holdout = '  holdout: {name: untouched, share: 0.1}\n';
    await start('one', holdout);
    await start('two', holdout);
    const units = Array.from({ length: 3_000 }, (_, index) => `user-${index}`);
    const out = units.filter((unit) => reasonsOf(unit).one === 'held-out');
    for (const unit of out.slice(0, 50)) expect(reasonsOf(unit)).toEqual({ one: 'held-out', two: 'held-out' });
    expect(Math.abs(out.length / 3_000 - 0.1)).toBeLessThan(0.028);
    // Who is not kept out is split as if there were no holdout.
    const inside = units.filter((unit) => reasonsOf(unit).one === 'split');
    expect(out.length + inside.length).toBe(3_000);
  });
});
