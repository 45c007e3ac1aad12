import { describe, expect, test } from 'vitest';
import { AssayError } from '../errors.ts';
import {
  type Allocation,
  allocationFor,
  buildSnapshot,
  defaultResilience,
  type ExperimentStateName,
  parseExperimentFile,
  parseRoutingSnapshot,
  type RoutableExperiment,
} from './index.ts';

const half = 2 ** 31;
const ranges = [
  { variant: 'a', from: 0, to: half },
  { variant: 'b', from: half, to: 2 ** 32 },
];

function routable(
  name: string,
  state: ExperimentStateName,
  more: Partial<RoutableExperiment> & { route?: string } = {},
): RoutableExperiment {
  const { route = '/p', ...rest } = more;
  const experiment = parseExperimentFile(`
apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: ${name}}
spec:
  route: {path: ${route}}
  unit: {from: [{header: x-user}, {json: $.user}]}
  control: a
  variants:
    - {name: a, weight: 1, upstream: {url: "http://127.0.0.1:1", protocol: oip, model: m, version: "2"}}
    - {name: b, weight: 1, upstream: {url: "http://127.0.0.1:2"}}
  capture: {prediction: {tensor: up, threshold: 0.5}, page: {json: $.page}}
`);
  const allocation = allocationFor(state, { control: 'a', ranges, promoted: 'b' });
  return { experiment, state, revision: 1, coverage: 0.5, epoch: 1, allocation, sinceMs: 1, ...rest };
}

const namesIn = (experiments: readonly RoutableExperiment[]): readonly string[] =>
  buildSnapshot(experiments, { revision: 1 }).experiments.map((each) => each.name);

describe('allocationFor', () => {
  test.each<[ExperimentStateName, Allocation]>([
    ['draft', { kind: 'single', variant: 'a', reason: 'paused' }],
    ['running', { kind: 'fixed', ranges }],
    ['paused', { kind: 'single', variant: 'a', reason: 'paused' }],
    ['promoted', { kind: 'single', variant: 'b', reason: 'promoted' }],
    ['rolled-back', { kind: 'single', variant: 'a', reason: 'ended' }],
    ['completed', { kind: 'single', variant: 'a', reason: 'ended' }],
  ])('%s gives the allocation it calls for', (state, allocation) => {
    expect(allocationFor(state, { control: 'a', ranges, promoted: 'b' })).toEqual(allocation);
  });
});

describe('buildSnapshot', () => {
  test('carries what the data plane needs and nothing that decides', () => {
    const snapshot = buildSnapshot([routable('one', 'running')], { revision: 7 });
    expect(snapshot).toMatchObject({ format: 'assay-routing', version: 1, revision: 7 });
    expect(Object.keys(snapshot.experiments[0]!).sort()).toEqual(
      [
        'allocation',
        'capture',
        'control',
        'coverage',
        'epoch',
        'layer',
        'name',
        'namespace',
        'revision',
        'route',
        'salt',
        'unit',
        'variants',
      ].sort(),
    );
  });

  test('of one route, a live experiment goes before an ended one, that before a draft, and later before earlier', () => {
    expect(namesIn([routable('old', 'promoted'), routable('new', 'draft')])).toEqual(['old']);
    expect(namesIn([routable('old', 'promoted'), routable('new', 'paused')])).toEqual(['new']);
    expect(namesIn([routable('new', 'running'), routable('old', 'completed', { sinceMs: 9 })])).toEqual(['new']);
    expect(namesIn([routable('late', 'completed', { sinceMs: 9 }), routable('early', 'promoted')])).toEqual(['late']);
    expect(namesIn([routable('one', 'running'), routable('two', 'running', { route: '/q' })])).toEqual(['one', 'two']);
  });

  test('entries that did not change stay the same objects', () => {
    const [one, two] = [routable('one', 'running'), routable('two', 'running', { route: '/q' })];
    const before = buildSnapshot([one, two], { revision: 1 });
    const after = buildSnapshot([one, { ...two, epoch: 2, coverage: 1 }], { revision: 2, previous: before });
    expect(after.experiments[0]).toBe(before.experiments[0]);
    expect(after.experiments[1]).toMatchObject({ epoch: 2, coverage: 1 });
  });
});

describe('parseRoutingSnapshot', () => {
  const snapshot = buildSnapshot([routable('one', 'running'), routable('two', 'promoted', { route: '/q' })], {
    revision: 3,
  });
  const plain = (): object => JSON.parse(JSON.stringify(snapshot)) as object;

  test('a snapshot survives a round trip through JSON', () => {
    expect(parseRoutingSnapshot(plain())).toEqual(snapshot);
  });

  test('everything a file can say about serving reaches the snapshot and survives the round trip', () => {
    const base = routable('full', 'running');
    const [control, candidate] = base.experiment.variants;
    const more = {
      mirror: { variant: candidate!.name, share: 0.5 },
      resilience: { ...defaultResilience, ejection: null, hedgeAfterMs: 20 },
      bodyCapture: { share: 1, maxBytes: 9, redact: ['$.a'], retentionMs: 1000 },
    };
    const upstream = {
      url: 'https://b',
      protocol: 'openai',
      headersFrom: { authorization: { env: 'TOKEN', prefix: 'Bearer ' }, 'x-key': { file: '/key' } },
      tls: { caFile: 'ca.pem' },
      price: { input: 1, output: 2, per: 1000, currency: 'EUR' },
    } as const;
    const variants = [control!, { ...candidate!, upstream, set: { headers: { a: 'b' }, json: { c: 1 } } }];
    const full = buildSnapshot([{ ...base, experiment: { ...base.experiment, ...more, variants } }], { revision: 1 });
    expect(full.experiments[0]).toMatchObject(more);
    expect(parseRoutingSnapshot(JSON.parse(JSON.stringify(full)))).toEqual(full);
  });

  test('keys of a newer writer are dropped', () => {
    expect(parseRoutingSnapshot({ ...plain(), later: 1 })).toEqual(snapshot);
  });

  test.each<[string, readonly (string | number)[], unknown]>([
    ['another format', ['format'], 'x'],
    ['a newer version', ['version'], 2],
    ['a gap between ranges', ['experiments', 0, 'allocation', 'ranges', 1, 'from'], half + 1],
    ['an overlap of ranges', ['experiments', 0, 'allocation', 'ranges', 1, 'from'], half - 1],
    ['ranges that end early', ['experiments', 0, 'allocation', 'ranges', 1, 'to'], 2 ** 32 - 1],
    ['no ranges', ['experiments', 0, 'allocation', 'ranges'], []],
    ['a range of an unknown variant', ['experiments', 0, 'allocation', 'ranges', 1, 'variant'], 'c'],
    ['an unknown control', ['experiments', 0, 'control'], 'c'],
    ['an unknown promoted variant', ['experiments', 1, 'allocation', 'variant'], 'c'],
    ['an unknown allocation', ['experiments', 0, 'allocation', 'kind'], 'bandit'],
    ['coverage beyond 1', ['experiments', 0, 'coverage'], 1.5],
    ['a mirror to an unknown variant', ['experiments', 0, 'mirror'], { variant: 'c', share: 1 }],
    ['no salt', ['experiments', 0, 'salt'], undefined],
  ])('%s is refused', (_, path, value) => {
    const broken = plain();
    let node = broken as { [key: string | number]: unknown };
    for (const step of path.slice(0, -1)) node = node[step] as typeof node;
    node[path.at(-1)!] = value;
    expect(() => parseRoutingSnapshot(broken)).toThrow(AssayError);
  });

  test.each([[null], [undefined], ['text'], [[]], [{}]])('%j is refused', (value) => {
    expect(() => parseRoutingSnapshot(value)).toThrow(AssayError);
  });
});
