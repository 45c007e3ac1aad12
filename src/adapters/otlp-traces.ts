// Which traces do predictions belong to? Reads the caller's trace context for exemplars, and makes spans where a collector is named.
import type { Observer } from '../evidence/index.ts';
import type { PredictionTrace, PredictionTracer } from '../gateway/index.ts';
import type { StartedSpan, TraceContext } from './otlp-spans.ts';
import type { TracedRequest } from './prometheus-tally.ts';

/** A tracer that can be closed. */
export interface OpenTracer extends PredictionTracer {
  close(): Promise<void>;
}

/**
 * The tracer of a gateway process. Spans are made where the environment names a collector, as OpenTelemetry prescribes:
 * OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, unless OTEL_SDK_DISABLED is true or OTEL_TRACES_EXPORTER
 * none. Without it nothing of OpenTelemetry is loaded, and a request costs one look for its `traceparent`.
 *
 * @param options.onTraced told of every prediction that belongs to a trace, when it has ended.
 */
export async function openPredictionTracer(options: {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly observer: Observer;
  readonly onTraced: (request: TracedRequest) => void;
}): Promise<OpenTracer> {
  const { environment, observer, onTraced } = options;
  const endpoint = environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || environment.OTEL_EXPORTER_OTLP_ENDPOINT;
  const isOn =
    !!endpoint &&
    environment.OTEL_SDK_DISABLED?.toLowerCase() !== 'true' &&
    environment.OTEL_TRACES_EXPORTER?.toLowerCase() !== 'none';
  const spans = isOn ? (await import('./otlp-spans.ts')).createSpanMaker({ environment, observer }) : null;
  return {
    begin(headers, arrivedMs) {
      try {
        const caller = traceContextOf(headers);
        if (spans === null && caller === null) return null;
        const span = spans?.begin(caller, arrivedMs) ?? null;
        const context = span ?? caller;
        if (context === null) return null;
        const traceparent = span === null ? null : `00-${span.traceId}-${span.spanId}-01`;
        return traceOf({ context, span, traceparent, onTraced, observer });
      } catch (cause) {
        observer.fault('internal', 'a prediction could not be traced', cause);
        return null;
      }
    },
    close: async () => spans?.close(),
  };
}

function traceOf(options: {
  readonly context: TraceContext;
  readonly span: StartedSpan | null;
  readonly traceparent: string | null;
  readonly onTraced: (request: TracedRequest) => void;
  readonly observer: Observer;
}): PredictionTrace {
  const { context, span, traceparent, onTraced, observer } = options;
  return {
    traceparent,
    end(prediction) {
      try {
        const { namespace, experiment, assigned, arrivedMs, callerMs, attempts } = prediction;
        span?.end(prediction);
        // An example that cannot be looked up would lead nowhere.
        if (!context.isSampled) return;
        const own = attempts[0]?.variant === assigned ? attempts[0] : undefined;
        const wasAsked = own !== undefined && own.error !== 'ejected' && own.error !== 'overloaded';
        onTraced({
          namespace,
          experiment,
          variant: assigned,
          traceId: context.traceId,
          timeMs: arrivedMs + callerMs,
          attemptMs: wasAsked ? own.latencyMs : null,
          callerMs,
        });
      } catch (cause) {
        observer.fault('internal', 'the trace of a prediction could not be ended', cause);
      }
    },
  };
}

const header = 'traceparent';
const form = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** The caller's context; null where there is none or it breaks the rules. @see W3C Trace Context 3.2 */
export function traceContextOf(headers: readonly string[]): TraceContext | null {
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!;
    if (name.length !== header.length || name.toLowerCase() !== header) continue;
    const value = headers[at + 1]!.trim();
    const [, traceId, spanId, flags, more] = form.exec(value) ?? [];
    if (traceId === undefined || spanId === undefined || flags === undefined) return null;
    // Version 00 ends here, ff is forbidden, and all zeros mean nothing.
    const isVersionSound = value.startsWith('00') ? more === undefined : !value.startsWith('ff');
    if (!isVersionSound || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
    return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
  }
  return null;
}
