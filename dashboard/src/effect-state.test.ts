import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundsText } from '../../src/decision/index.ts';
import { effectState } from './effect-state.ts';

describe('the state of an effect', () => {
  it('is better or worse only where the printed interval leaves 0 out', () => {
    const end = fc.double({ min: -1e5, max: 1e5, noNaN: true });
    fc.assert(
      fc.property(end, end, fc.constantFrom('higher' as const, 'lower' as const), (a, b, better) => {
        const interval = { kind: 'bounded', lower: Math.min(a, b), upper: Math.max(a, b) } as const;
        const state = effectState({ interval, criteria: [], better });
        const covers = interval.lower <= 0 && interval.upper >= 0;
        expect(state === 'undecided').toBe(covers);
        if (covers) return;
        const signs = boundsText(interval, { unit: 'number' })
          .split(' … ')
          .map((text) => (/^[+>]/.test(text) ? 1 : /^[−<]/.test(text) ? -1 : 0));
        expect(new Set(signs).size).toBe(1);
        expect(signs[0]).not.toBe(0);
        expect(state).toBe((signs[0] === 1) === (better === 'higher') ? 'better' : 'worse');
      }),
    );
  });

  it('follows the criteria of the metric where it has some', () => {
    const interval = { kind: 'bounded', lower: 1, upper: 2 } as const;
    const by = (...outcomes: readonly ('met' | 'not-met' | 'undecided')[]) =>
      effectState({ interval, criteria: outcomes.map((outcome) => ({ outcome })), better: 'higher' });
    expect(by('met', 'met')).toBe('better');
    expect(by('met', 'undecided')).toBe('undecided');
    expect(by('met', 'not-met')).toBe('worse');
  });

  it('says nothing where the experiment does not say what is better', () => {
    const interval = { kind: 'bounded', lower: 1, upper: 2 } as const;
    expect(effectState({ interval, criteria: [], better: 'unknown' })).toBe('undecided');
  });
});
