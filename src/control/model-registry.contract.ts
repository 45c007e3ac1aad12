// What must every model registry keep, wherever it lives? One suite, run by the tests of each implementation.
import { expect } from 'vitest';
import { AssayError } from '../errors.ts';
import type { ModelRegistry } from './index.ts';

/** A registry that holds a model with three versions: `champion` is 1, version 2 carries `stage: shadow`. */
export interface FilledRegistry {
  readonly registry: ModelRegistry;
  readonly model: string;
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'resolved',
    (fault: unknown) => (fault instanceof AssayError ? fault.code : String(fault)),
  );

/** Every clause of the contract, by name; each gets a fresh registry. */
export const registryClauses: Readonly<Record<string, (filled: FilledRegistry) => Promise<void>>> = {
  'finds the version an alias means': async ({ registry, model }) => {
    const found = await registry.find({ kind: 'alias', name: model, alias: 'champion' });
    expect(found).toMatchObject({ name: model, version: '1' });
  },
  'finds a version with its tags': async ({ registry, model }) => {
    const found = await registry.find({ kind: 'version', name: model, version: '2' });
    expect(found).toMatchObject({ name: model, version: '2', tags: { stage: 'shadow' } });
  },
  'refuses what is not registered, by name': async ({ registry, model }) => {
    expect(await codeOf(registry.find({ kind: 'version', name: `${model}-none`, version: '1' }))).toBe(
      'registry-refused',
    );
    expect(await codeOf(registry.find({ kind: 'version', name: model, version: '9' }))).toBe('registry-refused');
    expect(await codeOf(registry.find({ kind: 'alias', name: model, alias: 'nobody' }))).toBe('registry-refused');
    expect(await codeOf(registry.tag({ name: model, version: '9' }, { a: 'b' }))).toBe('registry-refused');
  },
  'moves an alias that stands where it is expected': async ({ registry, model }) => {
    const move = { name: model, alias: 'champion', from: '1', to: '2' };
    expect(await registry.moveAlias(move)).toEqual({ kind: 'moved' });
    expect((await registry.find({ kind: 'alias', name: model, alias: 'champion' })).version).toBe('2');
  },
  'moving an alias a second time changes nothing': async ({ registry, model }) => {
    const move = { name: model, alias: 'champion', from: '1', to: '2' };
    await registry.moveAlias(move);
    expect(await registry.moveAlias(move)).toEqual({ kind: 'moved' });
  },
  'leaves an alias that somebody else has moved': async ({ registry, model }) => {
    await registry.moveAlias({ name: model, alias: 'champion', from: '1', to: '3' });
    const move = { name: model, alias: 'champion', from: '1', to: '2' };
    expect(await registry.moveAlias(move)).toEqual({ kind: 'elsewhere', version: '3' });
    expect((await registry.find({ kind: 'alias', name: model, alias: 'champion' })).version).toBe('3');
  },
  'does not make an alias that is gone': async ({ registry, model }) => {
    const move = { name: model, alias: 'nobody', from: '1', to: '2' };
    expect(await registry.moveAlias(move)).toEqual({ kind: 'elsewhere', version: null });
  },
  'sets tags and keeps the others': async ({ registry, model }) => {
    const two = { name: model, version: '2' };
    await registry.tag(two, { 'assay.verdict': 'ship', note: 'Grüße, 100 % "gut"' });
    await registry.tag(two, { 'assay.verdict': 'roll-back' });
    expect((await registry.find({ kind: 'version', ...two })).tags).toMatchObject({
      stage: 'shadow',
      'assay.verdict': 'roll-back',
      note: 'Grüße, 100 % "gut"',
    });
  },
};
