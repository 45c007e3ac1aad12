// How much did a collector not get? OpenTelemetry's batches drop what does not fit, and say nothing of what could not be sent.
import type { Observer } from '../evidence/index.ts';

/** What a batch hands its spans or records to. */
interface BatchExporter<Item> {
  export(items: Item[], done: (result: { code: number; error?: Error }) => void): void;
  shutdown(): Promise<void>;
  forceFlush?(): Promise<void>;
}

/** An exporter behind a gate that knows how many items wait. */
interface CountedQueue<Item> {
  /** Whether there is room for one more, which then must be handed to the batches; what has none is counted. */
  takes(): boolean;
  readonly exporter: Required<BatchExporter<Item>>;
}

/**
 * Counts what does not fit as `reason="queue-full"` and what the collector does not take as `reason="export-failed"`.
 *
 * @param options.counter name of the observer's counter.
 */
export function countDrops<Item>(
  exporter: BatchExporter<Item>,
  options: { readonly observer: Observer; readonly counter: string; readonly maxQueueSize: number },
): CountedQueue<Item> {
  const { observer, counter, maxQueueSize } = options;
  let waiting = 0;
  return {
    takes() {
      if (waiting >= maxQueueSize) {
        observer.count(counter, { reason: 'queue-full' });
        return false;
      }
      waiting += 1;
      return true;
    },
    exporter: {
      export(items, done) {
        waiting -= items.length;
        exporter.export(items, (result) => {
          // 0 is success.
          if (result.code !== 0) observer.count(counter, { reason: 'export-failed' }, items.length);
          // The batches would print a failure to the console; it is counted, which is where an operator looks.
          done({ code: 0 });
        });
      },
      shutdown: () => exporter.shutdown(),
      forceFlush: async () => exporter.forceFlush?.(),
    },
  };
}
