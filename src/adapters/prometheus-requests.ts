// What is said of requests to Prometheus: the gateway's cells, counters and log, under Assay's names and under those of the published example.
import { type EvidenceLogStatus, latencyBoundsMs } from '../evidence/index.ts';
import { experimentLabel } from '../experiment/index.ts';
import type { ObservedCount, ObservedFault } from './counting-observer.ts';
import type { MetricFamily, MetricSample } from './prometheus-exposition.ts';
import type { LatencyCells, RequestCell } from './prometheus-tally.ts';

/** What all processes of a server did since the start. */
export interface ServingFigures {
  readonly requests: readonly RequestCell[];
  readonly counters: readonly ObservedCount[];
  readonly faults: readonly ObservedFault[];
  readonly evidence: EvidenceLogStatus;
  /** Status of the gateway as `GET /api/v1/status` shows it. */
  readonly gateway: Readonly<Record<string, unknown>>;
  readonly workers: number;
}

/** The families of requests, of the gateway and of the evidence log. @param shadowed labels of the experiments with a shadow. */
export function requestFamilies(figures: ServingFigures, shadowed: readonly string[] = []): readonly MetricFamily[] {
  const { requests } = figures;
  const perCell = (read: (cell: RequestCell) => readonly [Readonly<Record<string, string>>, number][]) =>
    requests.flatMap((cell) =>
      read(cell).map(([labels, value]): MetricSample => ({ labels: { ...labelsOf(cell), ...labels }, value })),
    );
  const tried = (cell: RequestCell): number => cell.attempts.success + cell.attempts.error;
  return [
    counter(
      'assay_requests_total',
      "Requests by assigned variant and what became of that variant's own attempt, whatever the caller saw.",
      perCell(({ attempts }) => Object.entries(attempts).map(([status, value]) => [{ status }, value])),
    ),
    counter(
      'assay_assignments_total',
      'Requests by assigned variant and why they got it; only reason="split" is analysed.',
      perCell(({ reasons }) => Object.entries(reasons).map(([reason, value]) => [{ reason }, value])),
    ),
    counter(
      'assay_caller_replies_total',
      'Replies to callers by class of HTTP status; none: nobody answered, or the caller was gone.',
      perCell(({ codes }) => Object.entries(codes).map(([code, value]) => [{ code }, value])),
    ),
    counter(
      'assay_served_by_other_total',
      'Requests that another variant than the assigned one answered.',
      perCell(({ fallback }) => [[{}, fallback]]),
    ),
    histogram(
      'assay_attempt_duration_seconds',
      "Duration of the assigned variant's own attempt.",
      requests.map((cell) => [labelsOf(cell), cell.attemptMs]),
    ),
    histogram(
      'assay_caller_duration_seconds',
      'Duration from the arrival of a request to the last byte of its reply.',
      requests.map((cell) => [labelsOf(cell), cell.callerMs]),
    ),
    counter(
      'ab_test_requests_total',
      "Requests by model and whether the model's own attempt succeeded.",
      requests.flatMap((cell) =>
        (['success', 'error'] as const).map((status) => ({
          labels: { ...modelLabels(cell), status },
          value: cell.attempts[status],
        })),
      ),
    ),
    histogram(
      'ab_test_response_time_seconds',
      "Response time of the model's own attempt.",
      requests.filter((cell) => tried(cell) > 0).map((cell) => [modelLabels(cell), cell.attemptMs]),
    ),
    ...gatewayFamilies(figures),
    ...logFamilies(figures.evidence),
    ...counterFamilies(figures.counters, shadowed),
    counter(
      'assay_faults_total',
      'Faults that an operator should know, by code.',
      figures.faults.map(({ code, count }) => ({ labels: { code }, value: count })),
    ),
  ];
}

/** The four families that name the model by `model_name`. */
function modelLabels(cell: Pick<RequestCell, 'namespace' | 'experiment' | 'variant'>): Record<string, string> {
  return { model_name: cell.variant, experiment: experimentLabel(cell.namespace, cell.experiment) };
}

function labelsOf({ namespace, experiment, variant }: RequestCell): Record<string, string> {
  return { experiment: experimentLabel(namespace, experiment), variant };
}

function gatewayFamilies({ gateway, workers }: ServingFigures): readonly MetricFamily[] {
  const number = (name: string): number => (typeof gateway[name] === 'number' ? (gateway[name] as number) : 0);
  const mirrors = (gateway.mirrors ?? {}) as Readonly<Record<string, number>>;
  return [
    counter('assay_gateway_requests_total', 'Requests the gateway took, with and without an experiment.', [
      plain(number('requests')),
    ]),
    gauge('assay_gateway_in_flight_requests', 'Requests whose reply is not yet finished.', [plain(number('inFlight'))]),
    gauge('assay_gateway_held_bytes', 'Bytes of request bodies held now.', [plain(number('heldBytes'))]),
    gauge('assay_gateway_routing_revision', 'Revision of the routing in force; of the worker furthest behind.', [
      plain(number('routingRevision')),
    ]),
    gauge('assay_gateway_processes', 'Gateway processes that serve.', [plain(workers)]),
    gauge('assay_mirror_queued_copies', 'Copies for shadows that wait.', [plain(mirrors.queued ?? 0)]),
    gauge('assay_variant_ejected', '1 while a failing variant is taken out in at least one gateway process.', [
      ...ejections(gateway.variants),
    ]),
  ];
}

/** Every routed variant once, whatever the number of processes that tell of it. */
function ejections(told: unknown): readonly MetricSample[] {
  const variants = Array.isArray(told) ? (told as readonly Readonly<Record<string, unknown>>[]) : [];
  const sums = new Map<string, MetricSample>();
  for (const { namespace, experiment, variant, state } of variants) {
    const labels = {
      experiment: experimentLabel(String(namespace), String(experiment)),
      variant: String(variant),
    };
    const key = JSON.stringify(labels);
    sums.set(key, { labels, value: Math.max(sums.get(key)?.value ?? 0, state === 'in' ? 0 : 1) });
  }
  return [...sums.values()];
}

function logFamilies(evidence: EvidenceLogStatus): readonly MetricFamily[] {
  return [
    counter('assay_evidence_records_total', 'Records handed to the evidence log.', [plain(evidence.appended)]),
    counter('assay_evidence_durable_records_total', 'Records known to be on disk.', [plain(evidence.durable)]),
    counter('assay_evidence_lost_records_total', 'Records that could not be written; never acknowledged.', [
      plain(evidence.lost),
    ]),
    gauge('assay_evidence_pending_records', 'Records on their way to the disk: the lag of the log.', [
      plain(Math.max(0, evidence.appended - evidence.durable - evidence.lost)),
    ]),
    gauge('assay_evidence_writable', '1 while the evidence log can be written, else 0.', [
      plain(evidence.fault === null ? 1 : 0),
    ]),
  ];
}

const counterHelp: Readonly<Record<string, string>> = {
  fallback: 'Requests handed to the control because the assigned variant failed, by why.',
  unmatched: 'Requests that met no experiment.',
  mirror_sampled: 'Predictions drawn to be copied to a shadow.',
  mirror_sent: 'Copies sent to a shadow.',
  mirror_dropped: 'Copies that were not sent, by why.',
  mirror_ok: 'Copies a shadow answered.',
  mirror_failed: 'Copies a shadow failed.',
  capture_missing: 'Captures that found nothing in a request or reply.',
  otlp_spans_dropped: 'Spans that were not handed to the collector, by why.',
  otlp_events_dropped: 'Events of spans that were not handed to the collector, by why.',
};

/** What can become of a prediction that may be copied to a shadow, and why a copy is not sent. */
const mirrorEnds: readonly (readonly [name: string, more: Readonly<Record<string, string>>])[] = [
  ['mirror_sampled', {}],
  ['mirror_sent', {}],
  ['mirror_ok', {}],
  ['mirror_failed', {}],
  ...['queue-full', 'bytes', 'overload', 'draining'].map((reason) => ['mirror_dropped', { reason }] as const),
];

/** Zeros for every experiment with a shadow: a counter that begins at its first drop hides that drop from `rate`. */
function mirrorZeros(counters: readonly ObservedCount[], shadowed: readonly string[]): readonly ObservedCount[] {
  const keyOf = ({ name, labels }: Pick<ObservedCount, 'name' | 'labels'>): string =>
    JSON.stringify([name, labels.experiment, labels.reason]);
  const told = new Set(counters.map(keyOf));
  return shadowed
    .flatMap((experiment) => mirrorEnds.map(([name, more]) => ({ name, labels: { experiment, ...more }, value: 0 })))
    .filter((zero) => !told.has(keyOf(zero)));
}

/** Every counter of the gateway as `assay_NAME_total`; their labels are bounded names by contract. */
function counterFamilies(counters: readonly ObservedCount[], shadowed: readonly string[]): readonly MetricFamily[] {
  const byName = new Map<string, MetricSample[]>();
  for (const { name, labels, value } of [...counters, ...mirrorZeros(counters, shadowed)]) {
    const samples = byName.get(name) ?? [];
    samples.push({ labels, value });
    byName.set(name, samples);
  }
  return [...byName].map(([name, samples]) =>
    counter(`assay_${name}_total`, counterHelp[name] ?? `Counter ${name} of the gateway.`, samples),
  );
}

function histogram(
  name: string,
  help: string,
  cells: readonly (readonly [Readonly<Record<string, string>>, LatencyCells])[],
): MetricFamily {
  return { name, help, type: 'histogram', samples: cells.flatMap(([labels, cell]) => bucketsOf(name, labels, cell)) };
}

function bucketsOf(
  name: string,
  labels: Readonly<Record<string, string>>,
  { sumMs, within, exemplars }: LatencyCells,
): readonly MetricSample[] {
  let total = 0;
  const buckets = within.map((count, place): MetricSample => {
    total += count;
    const bound = latencyBoundsMs[place];
    const example = exemplars[place] ?? null;
    return {
      metricName: `${name}_bucket`,
      labels: { le: bound === undefined ? '+Inf' : String(bound / 1000), ...labels },
      value: total,
      ...(example === null
        ? {}
        : {
            exemplar: {
              labelSet: { trace_id: example.traceId },
              value: example.ms / 1000,
              timestamp: example.timeMs / 1000,
            },
          }),
    };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sumMs / 1000 },
    { metricName: `${name}_count`, labels, value: total },
  ];
}

/** A family of counters. */
function counter(name: string, help: string, samples: readonly MetricSample[]): MetricFamily {
  return { name, help, type: 'counter', samples };
}

/** A family of gauges. */
export function gauge(name: string, help: string, samples: readonly MetricSample[]): MetricFamily {
  return { name, help, type: 'gauge', samples };
}

const plain = (value: number): MetricSample => ({ labels: {}, value });
