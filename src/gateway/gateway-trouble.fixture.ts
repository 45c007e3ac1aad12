// What the tests of trouble share: one user, a sound control, a candidate that behaves as a test says.
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultResilience, type Resilience } from '../experiment/index.ts';
import {
  type Answer,
  call,
  experiment,
  json,
  type ModelServer,
  openRig,
  type Reply,
  type Rig,
  startModel,
  variant,
} from './gateway-rig.fixture.ts';

export const user = { 'x-user-id': 'u' };

/** A model server that always answers well. */
export const control = (): Promise<ModelServer> => startModel((_asked, res) => json(res, { from: 'control' }));

/** The default resilience but for what is given. */
export const resilient = (more: Partial<Resilience>): { readonly resilience: Resilience } => ({
  resilience: { ...defaultResilience, ...more },
});

/** Everybody gets the control, as in a paused experiment. */
export const controlOnly = { allocation: { kind: 'single', variant: 'control', reason: 'paused' } } as const;

export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(2);
}

/** One prediction for the user. */
export const ask = (rig: Rig, headers: Record<string, string> = {}): Promise<Reply> =>
  call(`${rig.url}/predict`, { body: { x: 1 }, headers: { ...user, ...headers } });

/** A candidate that answers as `answer` says beside a sound control; every unit is assigned to the candidate. */
export async function beside(
  answer: Answer,
  more: Partial<Resilience>,
  timeoutMs = 5000,
): Promise<{ readonly sound: ModelServer; readonly model: ModelServer; readonly rig: Rig }> {
  const sound = await control();
  const model = await startModel(answer);
  const rig = await openRig([
    experiment([variant('control', sound.url), variant('candidate', model.url, { timeoutMs })], resilient(more)),
  ]);
  return { sound, model, rig };
}

/** A model whose answers wait until they are let go. */
export async function held(): Promise<{
  readonly model: ModelServer;
  readonly waiting: readonly ServerResponse[];
  release(): void;
}> {
  const waiting: ServerResponse[] = [];
  const model = await startModel((_asked, res) => void waiting.push(res));
  const release = (): void => {
    for (const res of waiting.splice(0)) json(res, { from: 'held' });
  };
  return { model, waiting, release };
}
