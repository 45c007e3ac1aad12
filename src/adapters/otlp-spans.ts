// How does a prediction look in a trace? One server span with its assignment, its attempts and, for language models, what they used.
import { ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import type { Observer } from '../evidence/index.ts';
import { experimentLabel } from '../experiment/index.ts';
import type { EndedPrediction } from '../gateway/index.ts';
import { createEventLog, type SpanEvent, wantsEventLog } from './otlp-events.ts';
import { countDrops } from './otlp-queue.ts';

/** What a caller says of the trace a request belongs to. */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** Makes spans of predictions and hands them to a collector. */
interface SpanMaker {
  /** Begins a span below the caller's, or a trace of its own; null when the sampler does not want it. */
  begin(caller: TraceContext | null, arrivedMs: number): StartedSpan | null;
  /** Hands over what waits, for a few seconds at most. */
  close(): Promise<void>;
}

/** A span that has begun. */
export interface StartedSpan extends TraceContext {
  end(prediction: EndedPrediction): void;
}

/** What the last spans of a process may take, milliseconds. */
const closeMs = 3_000;

/**
 * Spans by OTLP over HTTP with JSON. Endpoint, headers, sampler, name of the service and size of the queue are read from the
 * environment as OpenTelemetry prescribes. What does not fit into the queue, or cannot be sent, is dropped and counted.
 */
export function createSpanMaker(options: {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly observer: Observer;
}): SpanMaker {
  const { environment, observer } = options;
  const processor = countedBatches(new OTLPTraceExporter(), {
    observer,
    maxQueueSize: Number(environment.OTEL_BSP_MAX_QUEUE_SIZE) || 2048,
  });
  const resource = resourceFromAttributes({
    ...attributesOf(environment.OTEL_RESOURCE_ATTRIBUTES ?? ''),
    'service.name': environment.OTEL_SERVICE_NAME || 'assay',
  });
  const provider = new BasicTracerProvider({ resource, spanProcessors: [processor] });
  const tracer = provider.getTracer('assay');
  const events = wantsEventLog(environment) ? createEventLog({ environment, observer, resource }) : null;
  const tell: TellEvent =
    events === null
      ? (span, { name, attributes, timeMs }) => void span.addEvent(name, attributes, timeMs)
      : events.emit;
  return {
    begin(caller, arrivedMs) {
      const parent =
        caller === null
          ? ROOT_CONTEXT
          : trace.setSpanContext(ROOT_CONTEXT, {
              traceId: caller.traceId,
              spanId: caller.spanId,
              traceFlags: caller.isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
              isRemote: true,
            });
      const span = tracer.startSpan('predict', { kind: SpanKind.SERVER, startTime: arrivedMs }, parent);
      if (!span.isRecording()) return null;
      const { traceId, spanId } = span.spanContext();
      return { traceId, spanId, isSampled: true, end: (prediction) => endSpan(span, { prediction, tell }) };
    },
    async close() {
      let timer: NodeJS.Timeout | undefined;
      const limit = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, closeMs);
      });
      const handedOver = Promise.all([provider.shutdown().catch(() => {}), events?.close().catch(() => {})]);
      await Promise.race([handedOver, limit]);
      clearTimeout(timer);
    },
  };
}

/** Tells an event: as a log record with the span's ids, or on the span where no log records are wanted. */
type TellEvent = (span: Span, event: SpanEvent) => void;

function endSpan(
  span: Span,
  { prediction, tell }: { readonly prediction: EndedPrediction; readonly tell: TellEvent },
): void {
  const { experiment, namespace, assigned, served, attempts, status, arrivedMs, callerMs } = prediction;
  const label = experimentLabel(namespace, experiment);
  span.updateName(`predict ${label}`);
  span.setAttributes({
    'http.request.method': prediction.method,
    'url.path': prediction.path,
    'assay.experiment': label,
    'assay.variant': assigned,
    'assay.prediction_id': prediction.predictionId,
    ...(served === null ? {} : { 'assay.served': served }),
    ...(status === null ? {} : { 'http.response.status_code': status }),
  });
  const flag = flagAttributes(prediction, label);
  tell(span, { name: 'feature_flag.evaluation', attributes: flag, timeMs: arrivedMs });
  for (const { variant, status: code, latencyMs, error } of attempts) {
    tell(span, {
      name: 'assay.attempt',
      attributes: {
        'assay.variant': variant,
        'assay.latency_ms': latencyMs,
        ...(code === null ? {} : { 'http.response.status_code': code }),
        ...(error === null ? {} : { 'error.type': error }),
      },
      timeMs: arrivedMs + callerMs,
    });
  }
  if (prediction.protocol === 'openai') span.setAttributes(modelAttributes(prediction));
  const isFailed = status === null ? served === null : status >= 500;
  if (isFailed) {
    const error = attempts.at(-1)?.error ?? String(status);
    span.setAttribute('error.type', error);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end(arrivedMs + callerMs);
}

/** Our reasons in the words of the feature flag conventions. */
const flagReasons: Readonly<Record<EndedPrediction['reason'], string>> = {
  split: 'split',
  forced: 'targeting_match',
  'not-covered': 'default',
  'held-out': 'default',
  'other-experiment': 'default',
  'no-unit': 'default',
  'not-editable': 'default',
  paused: 'disabled',
  ended: 'disabled',
  promoted: 'static',
  sticky: 'cached',
};

/** @see OpenTelemetry semantic conventions 1.44, event `feature_flag.evaluation` (release candidate). The unit's id stays here. */
function flagAttributes(prediction: EndedPrediction, label: string): Readonly<Record<string, string>> {
  return {
    'feature_flag.key': label,
    'feature_flag.provider.name': 'assay',
    'feature_flag.result.variant': prediction.assigned,
    'feature_flag.result.reason': flagReasons[prediction.reason] ?? 'unknown',
    'feature_flag.set.id': prediction.namespace,
    'feature_flag.version': String(prediction.revision),
  };
}

/**
 * @see OpenTelemetry semantic conventions for generative AI (open-telemetry/semantic-conventions-genai, all in development):
 *   client inference and embeddings, without prompts, replies and settings of the request.
 */
function modelAttributes(prediction: EndedPrediction): Readonly<Record<string, string | number | boolean | string[]>> {
  const { path, model, figures } = prediction;
  const used = figures?.() ?? {};
  const attributes: Record<string, string | number | boolean | string[]> = {
    'gen_ai.operation.name': operationOf(path),
    // By the interface it speaks; who made the model is not known here.
    'gen_ai.provider.name': 'openai',
  };
  if (model !== undefined) attributes['gen_ai.request.model'] = model;
  if (typeof used.model === 'string') attributes['gen_ai.response.model'] = used.model;
  if (typeof used.prompt_tokens === 'number') attributes['gen_ai.usage.input_tokens'] = used.prompt_tokens;
  if (typeof used.completion_tokens === 'number') attributes['gen_ai.usage.output_tokens'] = used.completion_tokens;
  if (typeof used.finish_reason === 'string') attributes['gen_ai.response.finish_reasons'] = [used.finish_reason];
  if (typeof used.ttft_ms === 'number') {
    // Only a stream has a first chunk.
    attributes['gen_ai.request.stream'] = true;
    attributes['gen_ai.response.time_to_first_chunk'] = used.ttft_ms / 1000;
  }
  return attributes;
}

function operationOf(path: string): string {
  if (path.endsWith('/chat/completions')) return 'chat';
  return path.endsWith('/embeddings') ? 'embeddings' : 'text_completion';
}

/** OTEL_RESOURCE_ATTRIBUTES: `key=value` pairs parted by commas, values percent-encoded; what cannot be read is left out. */
function attributesOf(written: string): Readonly<Record<string, string>> {
  const pairs = written.split(',').flatMap((pair): [string, string][] => {
    const [key = '', value] = pair.split('=', 2);
    if (key.trim() === '' || value === undefined) return [];
    try {
      return [[key.trim(), decodeURIComponent(value.trim())]];
    } catch {
      return [];
    }
  });
  return Object.fromEntries(pairs);
}

/** OpenTelemetry's batches, with what they cannot hand over counted. */
function countedBatches(
  exporter: SpanExporter,
  { observer, maxQueueSize }: { readonly observer: Observer; readonly maxQueueSize: number },
): SpanProcessor {
  const queue = countDrops(exporter, { observer, counter: 'otlp_spans_dropped', maxQueueSize });
  const batches = new BatchSpanProcessor(queue.exporter, { maxQueueSize });
  return {
    onStart: (span, context) => batches.onStart(span, context),
    onEnd(span) {
      if (queue.takes()) batches.onEnd(span);
    },
    forceFlush: () => batches.forceFlush(),
    shutdown: () => batches.shutdown(),
  };
}
