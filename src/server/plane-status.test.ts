import { describe, expect, it } from 'vitest';
import { addCounts, addFaults, addGateways, addLogs } from './plane-status.ts';

describe('the status of several processes', () => {
  it('adds up numbers at every depth, and entries of the same variant', () => {
    const of = (requests: number, variant: string, inFlight: number): Record<string, unknown> => ({
      requests,
      draining: false,
      mirrors: { queued: requests, inFlight: 1 },
      variants: [{ experiment: 'e', variant, state: 'in', inFlight, untilMs: null }],
    });
    expect(addGateways([of(3, 'a', 1), of(4, 'a', 2), of(5, 'b', 4)])).toEqual({
      requests: 12,
      draining: false,
      mirrors: { queued: 12, inFlight: 3 },
      variants: [
        { experiment: 'e', variant: 'a', state: 'in', inFlight: 3, untilMs: null },
        { experiment: 'e', variant: 'b', state: 'in', inFlight: 4, untilMs: null },
      ],
    });
  });

  it('is as far as the process that is behind with the routing, and drains when one does', () => {
    const all = [
      { routingRevision: 7, draining: false },
      { routingRevision: 5, draining: true },
    ];
    expect(addGateways(all)).toEqual({ routingRevision: 5, draining: true });
    expect(addGateways([])).toEqual({});
  });

  it('counts the records of all logs and shows the first fault', () => {
    const log = { writer: 'a', appended: 3, durable: 2, lost: 1, fault: null };
    expect(
      addLogs(log, [
        { ...log, writer: 'b' },
        { ...log, writer: 'c', fault: 'the disk is full' },
      ]),
    ).toEqual({
      writer: 'a',
      appended: 9,
      durable: 6,
      lost: 3,
      fault: 'the disk is full',
    });
  });

  it('takes counters of the same name and labels as one, whatever the order of the labels', () => {
    const count = (labels: Record<string, string>, value: number) => ({ name: 'fallback', labels, value });
    const all = [[count({ a: '1', b: '2' }, 3)], [count({ b: '2', a: '1' }, 4), count({ a: '1', b: '3' }, 5)]];
    expect(addCounts(all).map(({ value }) => value)).toEqual([7, 5]);
  });

  it('shows the latest message of a fault and how often it came', () => {
    const fault = (message: string, count: number, lastMs: number) => ({ code: 'internal', message, count, lastMs });
    expect(addFaults([[fault('new', 2, 20)], [fault('old', 3, 10)]])).toEqual([fault('new', 5, 20)]);
  });
});
