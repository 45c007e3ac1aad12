// What must every system that splits traffic itself keep, wherever it lives? One suite, run by the tests of each implementation.
import { expect } from 'vitest';
import { AssayError } from '../errors.ts';
import type { TrafficRouter, TrafficShares } from './index.ts';

/** A system that splits half and half between two models, and hands to change it past the router. */
export interface FilledRouter {
  readonly router: TrafficRouter;
  /** A router of the same kind to a system that nobody answers for. */
  readonly away: TrafficRouter;
  readonly namespace: string;
  readonly experiment: string;
  readonly models: readonly [string, string];
  /** Weight by model, as they stand there. */
  split(): Promise<Readonly<Record<string, number>>>;
  /** Something that is another each time the experiment was written there. */
  version(): Promise<string>;
  /** The system begins, or ceases, to say that it serves what it was told. */
  report(isReady: boolean): Promise<void>;
  /** Somebody else changes the experiment just before each of the next writes. */
  interrupt(writes: number): void;
}

const wish = ({ namespace, experiment, models }: FilledRouter, share: number): TrafficShares => ({
  namespace,
  experiment,
  shares: [
    { variant: 'control', model: models[0], share: 1 - share },
    { variant: 'candidate', model: models[1], share },
  ],
});
const shareThere = async ({ split, models }: FilledRouter): Promise<number> => {
  const weights = await split();
  expect(Object.keys(weights).sort()).toEqual([...models].sort());
  return weights[models[1]]! / (weights[models[0]]! + weights[models[1]]!);
};

/** Every clause of the contract, by name; each gets a fresh system. */
export const routerClauses: Readonly<Record<string, (filled: FilledRouter) => Promise<void>>> = {
  'makes the shares hold there': async (filled) => {
    for (const share of [0.1, 2 / 3, 0, 0.005, 1, 0.5]) {
      expect(await filled.router.route(wish(filled, share))).toMatchObject({ kind: 'set' });
      expect(await shareThere(filled)).toBeCloseTo(share, 3);
    }
  },
  'keeps a share above 0 above 0': async (filled) => {
    await filled.router.route(wish(filled, 1e-7));
    expect(await shareThere(filled)).toBeGreaterThan(0);
    expect(await shareThere(filled)).toBeLessThan(0.001);
  },
  'changes nothing a second time': async (filled) => {
    await filled.router.route(wish(filled, 0.2));
    const before = await filled.version();
    expect(await filled.router.route(wish(filled, 0.2))).toMatchObject({ kind: 'unchanged' });
    expect(await filled.version()).toBe(before);
  },
  'says whether the system serves it': async (filled) => {
    expect(await filled.router.route(wish(filled, 0.5))).toEqual({ kind: 'unchanged', isReady: false });
    await filled.report(true);
    expect(await filled.router.route(wish(filled, 0.5))).toEqual({ kind: 'unchanged', isReady: true });
    await filled.report(false);
    expect(await filled.router.route(wish(filled, 0.5))).toEqual({ kind: 'unchanged', isReady: false });
  },
  'sets the shares on what others changed in between': async (filled) => {
    filled.interrupt(3);
    expect(await filled.router.route(wish(filled, 0.25))).toMatchObject({ kind: 'set' });
    expect(await shareThere(filled)).toBeCloseTo(0.25, 3);
  },
  'leaves others alone: an experiment that is not there is elsewhere': async (filled) => {
    const before = await filled.version();
    const missing = { ...wish(filled, 0.2), experiment: `${filled.experiment}-none` };
    expect(await filled.router.route(missing)).toMatchObject({ kind: 'elsewhere', reason: expect.any(String) });
    expect(await filled.version()).toBe(before);
  },
  'leaves others alone: an experiment of other models is elsewhere': async (filled) => {
    const before = await filled.version();
    const { shares, ...rest } = wish(filled, 0.2);
    const others = { ...rest, shares: shares.map((each) => ({ ...each, model: `${each.model}-other` })) };
    const routed = await filled.router.route(others);
    expect(routed.kind).toBe('elsewhere');
    expect('reason' in routed && routed.reason).toContain(`${filled.models[0]}-other`);
    expect(await filled.version()).toBe(before);
  },
  'says that a system which is away may be asked again': async (filled) => {
    const fault = await filled.away.route(wish(filled, 0.2)).then(
      () => null,
      (why: unknown) => why,
    );
    expect(fault).toBeInstanceOf(AssayError);
    expect((fault as AssayError).retryable).toBe(true);
  },
};
