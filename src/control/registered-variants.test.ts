import { beforeEach, describe, expect, test } from 'vitest';
import { createMemoryControlLog } from '../adapters/memory-control-log.ts';
import { createMemoryRegistry, type MemoryRegistry } from '../adapters/memory-registry.ts';
import { AssayError } from '../errors.ts';
import { parseExperimentFile } from '../experiment/index.ts';
import { createExperimentService, type ModelRegistry, type RegistryService, withModelRegistry } from './index.ts';

const file = (keys = '', alias = 'champion'): string => `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: wine}
spec:
  route: {path: /invocations}
  unit: {header: x-user-id, orElse: control}
  control: old
  variants:
    - {name: old, weight: 1, upstream: {url: "models:/wine@${alias}"${keys}}}
    - {name: new, weight: 1, upstream: {url: "models:/wine@challenger"${keys}}}
`;
const served = ', servedAt: "http://models/{name}-{version}/"';
const who = { author: 'ann', reason: 'test' };
const about = { name: 'wine', ...who };

let models: MemoryRegistry;
let isAway: boolean;
let told: string[];
let log: ReturnType<typeof createMemoryControlLog>;
beforeEach(() => {
  models = createMemoryRegistry();
  for (const port of [1, 2, 3]) models.register('wine', { 'assay.url': `http://127.0.0.1:${port}` });
  models.setAlias('wine', { alias: 'champion', version: '1' });
  models.setAlias('wine', { alias: 'challenger', version: '2' });
  isAway = false;
  told = [];
  log = createMemoryControlLog({ now: () => 1_000 });
});

/** The registry over a line that can be cut. */
const reachable = (): ModelRegistry => {
  const reached = async <T>(ask: () => Promise<T>): Promise<T> => {
    if (isAway) throw new AssayError('registry-unreachable', 'nobody answers');
    return ask();
  };
  return {
    place: models.place,
    find: (reference) => reached(() => models.find(reference)),
    moveAlias: (move) => reached(() => models.moveAlias(move)),
    tag: (model, tags) => reached(() => models.tag(model, tags)),
  };
};
const open = async (registry: ModelRegistry | null = reachable()): Promise<RegistryService> =>
  withModelRegistry(await createExperimentService({ log }), {
    registry,
    reportUrl: (name) => `http://assay/${name}`,
    tell: (sentence) => void told.push(sentence),
    random: () => 0.5,
    firstPauseMs: 5,
    longestPauseMs: 20,
  });
const versionOf = async (alias: string): Promise<string> =>
  (await models.find({ kind: 'alias', name: 'wine', alias })).version;
const tagsOf = async (version: string) => (await models.find({ kind: 'version', name: 'wine', version })).tags;
const upstreams = (service: RegistryService): readonly string[] =>
  service.get('wine').experiment.variants.map(({ upstream }) => `${upstream.registered?.version} ${upstream.url}`);

describe('a variant that names a registered model', () => {
  test('gets the address of its version from a tag of that version', async () => {
    const service = await open();
    await service.apply(parseExperimentFile(file()), who);
    expect(upstreams(service)).toEqual(['1 http://127.0.0.1:1', '2 http://127.0.0.1:2']);
    expect(service.get('wine').experiment.variants[0]?.upstream.protocol).toBe('mlflow');
  });

  test('gets it from servedAt where the file has one, model and version too', async () => {
    const service = await open();
    const keys = `${served}, protocol: oip, model: "{name}", version: "{version}"`;
    await service.apply(parseExperimentFile(file(keys)), who);
    expect(service.get('wine').experiment.variants[1]?.upstream).toMatchObject({
      url: 'http://models/wine-2',
      model: 'wine',
      version: '2',
      registered: { name: 'wine', version: '2', alias: 'challenger' },
    });
  });

  test('that does not say where it is served is refused with the two ways to say it', async () => {
    models.register('wine');
    models.setAlias('wine', { alias: 'challenger', version: '4' });
    const service = await open();
    await expect(service.apply(parseExperimentFile(file()), who)).rejects.toThrow(
      'variant new is models:/wine@challenger, version 4, which does not say where it is served',
    );
  });

  test('without a registry is refused', async () => {
    const service = await open(null);
    await expect(service.apply(parseExperimentFile(file()), who)).rejects.toMatchObject({ code: 'registry-missing' });
  });

  test('follows its alias until the start, and never after', async () => {
    const service = await open();
    await service.apply(parseExperimentFile(file()), who);
    models.setAlias('wine', { alias: 'challenger', version: '3' });
    await service.act('start', about);
    expect(upstreams(service)).toEqual(['1 http://127.0.0.1:1', '3 http://127.0.0.1:3']);
    expect(service.history('wine').at(-2)?.event.reason).toContain('new is wine version 3');
    models.setAlias('wine', { alias: 'challenger', version: '2' });
    await service.apply(parseExperimentFile(file()), who);
    expect(upstreams(service)).toEqual(['1 http://127.0.0.1:1', '3 http://127.0.0.1:3']);
  });

  test('keeps its version through a restart while the registry is away', async () => {
    const first = await open();
    await first.apply(parseExperimentFile(file()), who);
    await first.close();
    isAway = true;
    const service = await open();
    await service.apply(parseExperimentFile(file()), who);
    await service.act('start', about);
    expect(upstreams(service)).toEqual(['1 http://127.0.0.1:1', '2 http://127.0.0.1:2']);
    expect(told[0]).toBe('variant old stays version 1: nobody answers');
  });

  test('that is new is refused while the registry is away', async () => {
    isAway = true;
    const service = await open();
    await expect(service.apply(parseExperimentFile(file()), who)).rejects.toMatchObject({
      code: 'registry-unreachable',
    });
  });
});

describe('the registry hears', () => {
  const running = async (text = file()): Promise<RegistryService> => {
    const service = await open();
    await service.apply(parseExperimentFile(text), who);
    await service.act('start', about);
    return service;
  };

  test("of a promotion: the control's alias is the winner, whose tags say why", async () => {
    const service = await running();
    await service.recordVerdict({ ...about, verdict: { kind: 'ship' }, summary: { n: 1 } });
    await service.act('promote', about);
    await service.settled();
    expect(await versionOf('champion')).toBe('2');
    const verdict = service.history('wine').find(({ event }) => event.kind === 'verdict')!.event;
    expect(await tagsOf('2')).toMatchObject({
      'assay.experiment': 'default/wine',
      'assay.state': 'promoted',
      'assay.verdict': 'ship',
      'assay.evidence': verdict.kind === 'verdict' ? verdict.evidenceDigest : '',
      'assay.report': 'http://assay/wine',
      'assay.by': 'ann',
      'assay.entry': service.history('wine').at(-1)!.hash,
    });
    expect(told).toEqual(['the registry in memory: wine@champion is version 2; version 2 of wine is tagged']);
  });

  test('of a promotion without a verdict, that there was none', async () => {
    const service = await running();
    await service.act('promote', about);
    await service.settled();
    expect((await tagsOf('2'))['assay.verdict']).toBe('none');
  });

  test('of a promotion that is taken back: the alias is where it was', async () => {
    const service = await running();
    await service.act('promote', about);
    await service.act('roll-back', about);
    await service.settled();
    expect(await versionOf('champion')).toBe('1');
    expect((await tagsOf('2'))['assay.state']).toBe('rolled-back');
  });

  test('of a roll-back without promotion: the candidate is tagged, no alias moves', async () => {
    const service = await running();
    await service.act('roll-back', about);
    await service.settled();
    expect(await versionOf('champion')).toBe('1');
    expect((await tagsOf('2'))['assay.state']).toBe('rolled-back');
  });

  test('when it is back, what happened while it was away', async () => {
    const service = await running();
    isAway = true;
    await service.act('promote', about);
    await expect.poll(() => told).toHaveLength(1);
    expect(told[0]).toBe('the registry will be told of the promote of wine when it is back: nobody answers');
    expect(service.snapshot().experiments[0]?.allocation).toMatchObject({ kind: 'single', variant: 'new' });
    isAway = false;
    await service.settled();
    expect(await versionOf('champion')).toBe('2');
  });

  test('after a restart, what it had not heard before', async () => {
    const first = await running();
    isAway = true;
    await first.act('promote', about);
    await first.close();
    isAway = false;
    const service = await open();
    await service.settled();
    expect(await versionOf('champion')).toBe('2');
    expect((await tagsOf('2'))['assay.state']).toBe('promoted');
  });

  test('nothing twice: an alias moved back by hand stays where it is after a restart', async () => {
    const first = await running();
    await first.act('promote', about);
    await first.settled();
    await first.close();
    models.setAlias('wine', { alias: 'champion', version: '1' });
    const service = await open();
    await service.settled();
    expect(await versionOf('champion')).toBe('1');
  });

  test('of a promotion after somebody moved the alias: it is left, and that is said', async () => {
    const service = await running();
    models.setAlias('wine', { alias: 'champion', version: '3' });
    await service.act('promote', about);
    await service.settled();
    expect(await versionOf('champion')).toBe('3');
    expect(told.at(-1)).toContain('wine@champion is version 3, which is neither 1 nor 2: left as it is');
  });
});
