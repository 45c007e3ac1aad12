import { describe, test } from 'vitest';
import { registryClauses } from '../control/model-registry.contract.ts';
import { createMemoryRegistry } from './memory-registry.ts';

describe('the registry in memory', () => {
  test.each(Object.entries(registryClauses))('%s', async (_, holds) => {
    const registry = createMemoryRegistry();
    registry.register('wine');
    registry.register('wine', { stage: 'shadow' });
    registry.register('wine');
    registry.setAlias('wine', { alias: 'champion', version: '1' });
    await holds({ registry, model: 'wine' });
  });
});
