import { describe, expect, it } from 'vitest';
import { createCountingObserver } from './counting-observer.ts';

describe('the counting observer', () => {
  it('adds up by name and labels, whatever their order', () => {
    const observer = createCountingObserver({ now: () => 0 });
    observer.count('requests', { a: '1', b: '2' });
    observer.count('requests', { b: '2', a: '1' }, 4);
    observer.count('requests');
    expect(observer.counts()).toEqual([
      { name: 'requests', labels: { a: '1', b: '2' }, value: 5 },
      { name: 'requests', labels: {}, value: 1 },
    ]);
  });

  it('stays bounded when labels are not', () => {
    const observer = createCountingObserver({ now: () => 0 });
    for (let id = 0; id < 5_000; id += 1) observer.count('requests', { id: String(id) });
    const counts = observer.counts();
    expect(counts).toHaveLength(2_001);
    expect(counts.at(-1)).toEqual({ name: 'overflow', labels: {}, value: 3_000 });
  });

  it('tells of a fault at once and of its repetition only after a quiet time', () => {
    let timeMs = 0;
    const told: string[] = [];
    const observer = createCountingObserver({
      now: () => timeMs,
      quietMs: 100,
      onFault: ({ code, message, count }) => told.push(`${code} ${message} ${count}`),
    });
    observer.fault('disk', 'full');
    observer.fault('disk', 'full');
    observer.fault('net', 'down');
    timeMs = 100;
    observer.fault('disk', 'still full');
    expect(told).toEqual(['disk full 1', 'net down 1', 'disk still full 3']);
    expect(observer.faults()).toContainEqual({ code: 'disk', message: 'still full', count: 3, lastMs: 100 });
  });

  it('survives a listener that throws', () => {
    const observer = createCountingObserver({
      now: () => 0,
      onFault: () => {
        throw new Error('broken listener');
      },
    });
    observer.fault('disk', 'full');
    expect(observer.faults()).toHaveLength(1);
  });
});
