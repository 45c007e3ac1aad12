import { describe, expect, it } from 'vitest';
import { allocate } from '../assignment/index.ts';
import { createAssigner } from './assigner.ts';

const upstream = (port: number) => ({ url: `http://127.0.0.1:${port}`, protocol: 'json' as const });
const snapshot = {
  format: 'assay-routing',
  version: 1,
  revision: 3,
  experiments: [
    {
      namespace: 'default',
      name: 'scores',
      revision: 1,
      salt: 'default/scores',
      layer: null,
      route: { kind: 'path', path: '/score' },
      unit: { sources: [{ kind: 'header', name: 'x-user-id' }], orElse: 'control' },
      coverage: 1,
      epoch: 1,
      control: 'a',
      allocation: {
        kind: 'fixed',
        ranges: allocate([
          { variant: 'a', weight: 70 },
          { variant: 'b', weight: 30 },
        ]),
      },
      variants: [
        { name: 'a', weight: 70, upstream: upstream(1), timeoutMs: 1000 },
        { name: 'b', weight: 30, upstream: upstream(2), timeoutMs: 1000 },
      ],
      capture: [],
    },
  ],
};

describe('an assigner', () => {
  it('splits by the planned shares, the same way each time', () => {
    const assigner = createAssigner({ snapshot });
    const answers = Array.from({ length: 20_000 }, (_, index) => assigner.assign('scores', `user-${index}`, 'a'));
    const share = answers.filter(({ variant }) => variant === 'b').length / answers.length;
    // Four standard errors of a share of .3 in 20,000.
    expect(Math.abs(share - 0.3)).toBeLessThan(4 * Math.sqrt((0.3 * 0.7) / 20_000));
    expect(answers.find(({ variant }) => variant === 'b')).toMatchObject({ reason: 'split' });
    const again = createAssigner({ snapshot });
    expect(
      answers.every(({ variant }, index) => again.assign('scores', `user-${index}`, 'a').variant === variant),
    ).toBe(true);
  });

  it("answers with the caller's default and a code when it cannot decide, and never throws", () => {
    expect(createAssigner().assign('scores', 'u', 'a')).toEqual({
      variant: 'a',
      reason: 'default',
      propensity: 1,
      errorCode: 'no-snapshot',
    });
    const assigner = createAssigner({ snapshot });
    expect(assigner.assign('nothing', 'u', 'x')).toMatchObject({ variant: 'x', errorCode: 'unknown-experiment' });
    expect(assigner.assign('scores', null, 'b')).toMatchObject({ variant: 'a', reason: 'no-unit' });
  });

  it('keeps the last good snapshot when the next one is broken', () => {
    const assigner = createAssigner({ snapshot });
    const before = assigner.assign('scores', 'user-1', 'a');
    for (const broken of [
      null,
      'x',
      {},
      { ...snapshot, version: 2 },
      { ...snapshot, experiments: [{ name: 'scores' }] },
    ]) {
      expect(assigner.update(broken)).toBe(false);
      expect(assigner.assign('scores', 'user-1', 'a')).toEqual(before);
    }
    expect(assigner.update({ ...snapshot, revision: 4, experiments: [] })).toBe(true);
    expect(assigner.assign('scores', 'user-1', 'a')).toMatchObject({ errorCode: 'unknown-experiment' });
  });
});
