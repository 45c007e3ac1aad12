import { expect, it } from 'vitest';
import type { RoutedExperiment, RoutingSnapshot } from '../experiment/index.ts';
import { createSnapshotHolder } from './snapshot-holder.ts';

const experiment = (name: string, epoch: number): RoutedExperiment => ({
  namespace: 'default',
  name,
  revision: 1,
  salt: name,
  layer: null,
  route: { kind: 'path', path: `/${name}` },
  unit: { sources: [{ kind: 'request' }], orElse: 'request' },
  coverage: 1,
  epoch,
  control: 'a',
  allocation: { kind: 'fixed', ranges: [{ variant: 'a', from: 0, to: 2 ** 32 }] },
  variants: [],
  capture: [],
});
const snapshot = (revision: number, experiments: readonly RoutedExperiment[]): RoutingSnapshot => ({
  format: 'assay-routing',
  version: 1,
  revision,
  experiments,
});
/** As it comes from another process. */
const sent = (value: RoutingSnapshot): RoutingSnapshot => JSON.parse(JSON.stringify(value));

it('keeps the objects of experiments that did not change, in the order of the new snapshot', () => {
  const holder = createSnapshotHolder(snapshot(1, [experiment('x', 1), experiment('y', 1)]));
  const [x, y] = holder.current().experiments;
  const seen: number[] = [];
  const stop = holder.subscribe(({ revision }) => seen.push(revision));
  holder.set(sent(snapshot(2, [experiment('y', 1), experiment('x', 2)])));
  const { revision, experiments } = holder.current();
  expect(revision).toBe(2);
  expect(experiments.map(({ name, epoch }) => `${name}${epoch}`)).toEqual(['y1', 'x2']);
  expect(experiments[0]).toBe(y);
  expect(experiments[1]).not.toBe(x);
  stop();
  holder.set(sent(snapshot(3, [])));
  expect(seen).toEqual([2]);
  expect(holder.current().experiments).toEqual([]);
});
