// How do numbers become what Prometheus scrapes? Families of samples, written by prom-client in the text or the OpenMetrics form.
import { type OpenMetricsContentType, type PrometheusContentType, Registry } from 'prom-client';

/** One number with its labels. */
export interface MetricSample {
  readonly labels: { readonly [label: string]: string };
  readonly value: number;
  /** For buckets, sums and counts of a histogram, whose name differs from the family's. */
  readonly metricName?: string;
  readonly exemplar?: {
    readonly labelSet: { readonly [label: string]: string };
    readonly value: number;
    /** Epoch seconds. */
    readonly timestamp: number;
  };
}

/** Everything under one metric name. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: readonly MetricSample[];
}

/** What a scraper gets. */
export interface Exposition {
  readonly contentType: string;
  readonly text: string;
}

/**
 * The families in the form the scraper asked for: OpenMetrics with exemplars where its Accept header names it, else the text
 * format. prom-client's own cluster aggregation is not used, because it drops exemplars: families arrive already added up.
 *
 * @param extra further registries, such as that of the process itself.
 */
export async function exposeMetrics(
  families: readonly MetricFamily[],
  options: { readonly accept: string; readonly extra?: readonly Registry[] },
): Promise<Exposition> {
  const isOpenMetrics = options.accept.includes('application/openmetrics-text');
  const registry = new Registry<PrometheusContentType | OpenMetricsContentType>();
  if (isOpenMetrics) registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  for (const family of families) {
    if (family.samples.length === 0) continue;
    const { name, help, type, samples: values } = family;
    registry.registerMetric(source({ name, help, type, values }));
  }
  for (const one of options.extra ?? []) {
    for (const metric of one.getMetricsAsArray()) {
      // Not the metric itself: writing the OpenMetrics form renames counters, and that would stick.
      registry.registerMetric(source(await (metric as unknown as { get(): Promise<Collected> }).get()));
    }
  }
  return { contentType: registry.contentType, text: await registry.metrics() };
}

/** A metric as prom-client collects it. */
interface Collected {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly unknown[];
}

/** What a registry needs of a metric: its name and a way to collect it. */
function source(collected: Collected): Parameters<Registry['registerMetric']>[0] {
  const metric = {
    name: collected.name,
    type: collected.type,
    // The registry renames a counter it writes as OpenMetrics, so the name is read when it is asked.
    get: async () => ({ ...collected, name: metric.name }),
  };
  return metric as unknown as Parameters<Registry['registerMetric']>[0];
}
