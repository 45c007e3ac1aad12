// Where do the events of a prediction go? They are log records with the ids of their span, sent by OTLP over HTTP with JSON.
import { ROOT_CONTEXT, type Span, trace } from '@opentelemetry/api';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import type { Resource } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordProcessor } from '@opentelemetry/sdk-logs';
import type { Observer } from '../evidence/index.ts';
import { countDrops } from './otlp-queue.ts';

/** One thing that happened within a span. */
export interface SpanEvent {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number>>;
  /** Epoch milliseconds. */
  readonly timeMs: number;
}

/** Takes events. */
export interface SpanEventLog {
  emit(span: Span, event: SpanEvent): void;
  /** Hands over what waits. */
  close(): Promise<void>;
}

/** Whether the environment wants events as log records: the collector's one address is enough, `OTEL_LOGS_EXPORTER=none` is a no. */
export function wantsEventLog(environment: Readonly<Record<string, string | undefined>>): boolean {
  const endpoint = environment.OTEL_EXPORTER_OTLP_LOGS_ENDPOINT || environment.OTEL_EXPORTER_OTLP_ENDPOINT;
  return !!endpoint && environment.OTEL_LOGS_EXPORTER?.toLowerCase() !== 'none';
}

/** Events as log records. Endpoint, headers, size and pace of the queue are read from the environment, as OpenTelemetry prescribes. */
export function createEventLog(options: {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly observer: Observer;
  readonly resource: Resource;
}): SpanEventLog {
  const { environment, observer, resource } = options;
  const provider = new LoggerProvider({ resource, processors: [countedBatches(environment, observer)] });
  const logger = provider.getLogger('assay');
  return {
    emit(span, { name, attributes, timeMs }) {
      logger.emit({ eventName: name, timestamp: timeMs, attributes, context: trace.setSpan(ROOT_CONTEXT, span) });
    },
    close: () => provider.shutdown(),
  };
}

function countedBatches(
  environment: Readonly<Record<string, string | undefined>>,
  observer: Observer,
): LogRecordProcessor {
  const maxQueueSize = Number(environment.OTEL_BLRP_MAX_QUEUE_SIZE) || 2048;
  const queue = countDrops(new OTLPLogExporter(), { observer, counter: 'otlp_events_dropped', maxQueueSize });
  const batches = new BatchLogRecordProcessor({
    exporter: queue.exporter,
    maxQueueSize,
    scheduledDelayMillis: Number(environment.OTEL_BLRP_SCHEDULE_DELAY) || 1000,
  });
  return {
    onEmit(record) {
      if (queue.takes()) batches.onEmit(record);
    },
    forceFlush: () => batches.forceFlush(),
    shutdown: () => batches.shutdown(),
  };
}
