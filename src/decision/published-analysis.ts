// What should a published results table have said? The ordinary report on its numbers, and everything that does not hold.
import type { ReportedExperiment } from './judgement.ts';
import { makeReport } from './make-report.ts';
import { numberText } from './number-text.ts';
import type { PublishedDocument } from './published-document.ts';
import { comparePublished, recomputeFigures } from './published-figures.ts';
import { fewPublishedEvents, runFindings, statisticalFindings, testRate } from './published-findings.ts';
import { moneyFindings } from './published-money.ts';
import { summarisePublished } from './published-summary.ts';
import type { Finding, MetricEntry, Report, VariantEntry } from './report.ts';

/** The report of a published table: recomputed figures in `published`, everything that does not hold in `findings`. */
export function analyzePublished(document: PublishedDocument): Report {
  const alpha = document.decision?.alpha ?? 0.05;
  const run = document.run;
  const report = makeReport(summarisePublished(document), {
    experiment: reportedExperiment(document, alpha),
    ...(run === undefined ? {} : { startedAtMs: 0, nowMs: run.minutes * 60_000 }),
  });
  const figures = recomputeFigures(document);
  // What the tailored checks say better is not said twice.
  const special = [
    ...statisticalFindings(document, report, alpha),
    ...moneyFindings(document, figures),
    ...runFindings(document),
  ];
  const codes = new Set(special.map((finding) => finding.code));
  const general = report.findings.filter((finding) => !codes.has(finding.code));
  return {
    ...report,
    variants: report.variants.map((variant) => withFailures(variant, document)),
    metrics: report.metrics.map((metric) => testedOnCounts(metric, document, alpha)),
    findings: [...general.filter(isAboutSplit), ...special, ...general.filter((finding) => !isAboutSplit(finding))],
    published: comparePublished(document, figures),
  };
}

const isAboutSplit = (finding: Finding): boolean => finding.code === 'sample-ratio-mismatch';

function reportedExperiment(document: PublishedDocument, alpha: number): ReportedExperiment {
  return {
    decision: {
      primary: document.decision?.primary ?? [],
      secondary: document.decision?.secondary ?? [],
      guardrails: document.decision?.guardrails ?? [],
      levels: document.decision?.levels ?? { strong: 0, recommend: 0 },
      minDurationMs: (document.run?.plannedMinutes ?? 0) * 60_000,
      maxDurationMs: Number.MAX_SAFE_INTEGER,
      onBreach: 'notify',
      onShip: 'notify',
      alpha,
      // A published table is one look, at the end.
      method: 'fixed',
    },
    ...(document.value === undefined ? {} : { value: document.value }),
    plan: {},
  };
}

/** The report knows no failures where no log is behind the numbers; a published failure rate is one all the same. */
function withFailures(variant: VariantEntry, document: PublishedDocument): VariantEntry {
  const published = document.variants.find(({ name }) => name === variant.name);
  const rate = published?.rates[document.failure?.rate ?? ''];
  return rate === undefined ? variant : { ...variant, failureRate: rate };
}

/** Of a handful of events the rounding of the rate is a good part: the estimate stays as published, the test takes whole counts. */
function testedOnCounts(entry: MetricEntry, document: PublishedDocument, alpha: number): MetricEntry {
  const metric = document.metrics.find(({ name }) => name === entry.name);
  const test = metric === undefined ? undefined : testRate(document, metric, alpha);
  if (test === undefined || Math.min(test.counts.control, test.counts.candidate) >= fewPublishedEvents) return entry;
  const counts = `${numberText(test.counts.control)} and ${numberText(test.counts.candidate)}`;
  return {
    ...entry,
    method: `${test.fromCounts.method}, on the nearest whole counts ${counts}`,
    variants: entry.variants.map((variant) =>
      variant.difference === undefined || !('absolute' in variant.difference)
        ? variant
        : {
            ...variant,
            difference: {
              ...variant.difference,
              interval: test.fromCounts.interval,
              pValue: test.fromCounts.pValue,
              method: test.fromCounts.method,
              ...(test.fromCounts.because === undefined ? {} : { because: test.fromCounts.because }),
            },
          },
    ),
  };
}
