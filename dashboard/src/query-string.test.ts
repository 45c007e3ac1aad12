import { describe, expect, it } from 'vitest';
import { readView, writeView } from './query-string.ts';

const shape = { view: ['absolute', 'relative'], metric: 'text' } as const;

describe('the view in the address', () => {
  it('has defaults, and tells of values it does not know', () => {
    expect(readView('', shape)).toEqual({ view: { view: 'absolute', metric: undefined }, strange: [] });
    expect(readView('view=sideways&metric=accuracy', shape)).toEqual({
      view: { view: 'absolute', metric: 'accuracy' },
      strange: ['view=sideways'],
    });
  });

  it('keeps parameters of others and leaves defaults out', () => {
    expect(writeView('other=1&view=relative', { shape, change: { view: 'absolute', metric: 'a b' } })).toBe(
      'other=1&metric=a+b',
    );
    expect(writeView('metric=x', { shape, change: { metric: undefined } })).toBe('');
  });
});
