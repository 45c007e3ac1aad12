// What does not hold in a published table? Every sentence here is computed from the inputs; none stands in the document.
import { compareProportions, fisherExact, type TestResult } from '../stats/index.ts';
import { aboutText, chanceText, durationText, intervalText, numberText, percentText } from './number-text.ts';
import type { PublishedDocument, PublishedMetric, PublishedVariant } from './published-document.ts';
import { publishedSides } from './published-summary.ts';
import type { Finding, Report } from './report.ts';
import { valueEntry } from './value.ts';

/** The published control and candidate. */
interface PublishedPair {
  readonly control: PublishedVariant;
  readonly candidate: PublishedVariant;
}

/** The two variants of a document, by role. */
function publishedPair(document: PublishedDocument): PublishedPair {
  const control = document.variants.find((variant) => variant.name === document.control);
  const candidate = document.variants.find((variant) => variant.name !== document.control);
  if (control === undefined || candidate === undefined) {
    throw new RangeError(`document.variants lacks ${document.control} or a candidate, must hold both`);
  }
  return { control, candidate };
}

/** A rate tested three ways: as published, on the nearest whole counts, and exactly. */
export interface RateTests {
  readonly metric: string;
  readonly counts: { readonly control: number; readonly candidate: number };
  readonly fromRates: TestResult;
  readonly fromCounts: TestResult;
  readonly fisherPValue: number;
}

/** Tests a published rate three ways; undefined for a metric that is no rate, or cannot be tested. */
export function testRate(document: PublishedDocument, metric: PublishedMetric, alpha: number): RateTests | undefined {
  const { control, candidate } = publishedPair(document);
  const rates = [control.rates[metric.rate ?? ''], candidate.rates[metric.rate ?? '']] as const;
  if (rates[0] === undefined || rates[1] === undefined) return undefined;
  const left = { n: control.requests, successes: control.requests * rates[0] };
  const right = { n: candidate.requests, successes: candidate.requests * rates[1] };
  const counts = { control: Math.round(left.successes), candidate: Math.round(right.successes) };
  const whole = [
    { n: left.n, successes: counts.control },
    { n: right.n, successes: counts.candidate },
  ] as const;
  const fromRates = compareProportions(left, right, { alpha });
  const fromCounts = compareProportions(whole[0], whole[1], { alpha });
  const fisher = fisherExact(whole[0], whole[1]);
  if (fromRates.kind !== 'tested' || fromCounts.kind !== 'tested' || fisher.kind !== 'tested') return undefined;
  return { metric: metric.name, counts, fromRates, fromCounts, fisherPValue: fisher.pValue };
}

/** A test on fewer events than this in a cell is made on whole counts: the rounding of the rate would decide it. */
export const fewPublishedEvents = 10;

/** Findings about rates, noise and value. */
export function statisticalFindings(document: PublishedDocument, report: Report, alpha: number): readonly Finding[] {
  const tests = document.metrics.flatMap((metric) => testRate(document, metric, alpha) ?? []);
  return [
    ...tests.flatMap((test) => roundingDecides(test, alpha)),
    ...tests.flatMap((test) => noiseDominates(test, { document, report, alpha })),
    ...complementFindings(document),
    ...netValueFindings(report, alpha),
    ...spreadFindings(document),
  ];
}

function roundingDecides(test: RateTests, alpha: number): readonly Finding[] {
  const { fromRates, fromCounts, fisherPValue } = test;
  if (fromRates.pValue < alpha === fromCounts.pValue < alpha) return [];
  return [
    {
      code: 'rounding-decides',
      text: `${test.metric}: p = ${numberText(fromRates.pValue)} from the published rates, ${numberText(fromCounts.pValue)} from the nearest whole counts ${numberText(test.counts.control)} and ${numberText(test.counts.candidate)}, ${numberText(fisherPValue, 2)} by Fisher's exact test: the rounding alone decides on which side of ${alpha} it falls. The ${percentText(1 - alpha, 0)} score interval is ${intervalText(fromRates.interval)}.`,
      numbers: {
        pValue: fromRates.pValue,
        pValueFromCounts: fromCounts.pValue,
        fisherPValue,
        controlCount: test.counts.control,
        candidateCount: test.counts.candidate,
        ...(fromRates.interval.kind === 'bounded'
          ? { lower: fromRates.interval.lower, upper: fromRates.interval.upper }
          : {}),
      },
    },
  ];
}

interface Context {
  readonly document: PublishedDocument;
  readonly report: Report;
  readonly alpha: number;
}

function noiseDominates(test: RateTests, { document, report, alpha }: Context): readonly Finding[] {
  if (test.fromCounts.pValue < alpha) return [];
  const terms = report.value.terms.filter((term) => term.metric === test.metric);
  return terms.flatMap((term): readonly Finding[] => {
    if (typeof term.varianceShare !== 'number' || term.varianceShare <= 0.5) return [];
    const events = document.failure?.rate === rateOf(document, test.metric) ? 'failures' : 'successes';
    return [
      {
        code: 'noise-dominates-value',
        text: `${test.metric}: ${test.counts.control} against ${test.counts.candidate} ${events}, p = ${numberText(test.fromCounts.pValue)} (Fisher ${numberText(test.fisherPValue, 2)}), is noise, yet through ${term.name} it is ${percentText(term.varianceShare, 0)} of the variance of the net value.`,
        numbers: {
          control: test.counts.control,
          candidate: test.counts.candidate,
          pValue: test.fromCounts.pValue,
          fisherPValue: test.fisherPValue,
          varianceShare: term.varianceShare,
        },
      },
    ];
  });
}

function rateOf(document: PublishedDocument, metric: string): string | undefined {
  return document.metrics.find(({ name }) => name === metric)?.rate;
}

/** Two rates that should sum to 1 and do not: what the value would be by the other one. */
function complementFindings(document: PublishedDocument): readonly Finding[] {
  const { rate, complement } = document.failure ?? {};
  if (rate === undefined || complement === undefined) return [];
  return document.variants.flatMap((variant): readonly Finding[] => {
    const failed = variant.rates[rate] ?? 0;
    const succeeded = variant.rates[complement] ?? 0;
    if (Math.abs(failed + succeeded - 1) < 1e-9) return [];
    const implied = 1 - succeeded;
    const count = Math.round(variant.requests * implied);
    const said = `${variant.name}: ${complement} ${percentText(succeeded)} and ${rate} ${percentText(failed)} do not add up`;
    return [
      {
        code: 'rates-do-not-add-up',
        text: `${said}; by the ${complement} rate there were ${count} failures${valueInstead(document, variant, implied)}.`,
        numbers: {
          rate: failed,
          complement: succeeded,
          failures: count,
          ...numbersInstead(document, variant, implied),
        },
      },
    ];
  });
}

function valueInstead(document: PublishedDocument, variant: PublishedVariant, implied: number): string {
  const numbers = numbersInstead(document, variant, implied);
  const parts = Object.entries(numbers)
    .filter(([name]) => name !== 'net')
    .map(([name, value]) => `${name} is ${value.toFixed(1)}`);
  return numbers.net === undefined
    ? ''
    : `, with which ${parts.join(', ')} and the net value is ${numbers.net.toFixed(1)}`;
}

/** The terms that rest on the failure rate, and the net value, with the implied rate in place of the published one. */
function numbersInstead(
  document: PublishedDocument,
  variant: PublishedVariant,
  implied: number,
): { readonly [name: string]: number } {
  const rate = document.failure?.rate ?? '';
  const metrics = document.metrics.filter((metric) => metric.rate === rate).map((metric) => metric.name);
  const terms = document.value?.terms.filter((term) => metrics.includes(term.metric)) ?? [];
  if (terms.length === 0 || document.value === undefined) return {};
  const variants = document.variants.map((other) =>
    other === variant ? { ...other, rates: { ...other.rates, [rate]: implied } } : other,
  );
  const entry = valueEntry(publishedSides({ ...document, variants }), {
    model: document.value,
    alpha: 0.05,
    threshold: 0,
  });
  if (!('estimate' in entry.net)) return {};
  const changed = entry.terms.flatMap((term): readonly (readonly [string, number])[] =>
    metrics.includes(term.metric) && typeof term.estimate === 'number' ? [[term.name, term.estimate]] : [],
  );
  return { ...Object.fromEntries(changed), net: entry.net.estimate };
}

function netValueFindings(report: Report, alpha: number): readonly Finding[] {
  const net = report.value.net;
  if (!('estimate' in net) || net.interval.kind !== 'bounded' || typeof net.probabilityAbove !== 'number') return [];
  const { lower, upper } = net.interval;
  if (lower > net.threshold || upper < net.threshold) return [];
  const needed = report.verdict.reasons.find((reason) => reason.code === 'units-needed')?.numbers;
  const sizes =
    typeof needed?.units === 'number' && typeof needed.unitsWithPower80 === 'number'
      ? { units: needed.units, unitsWithPower80: needed.unitsWithPower80 }
      : undefined;
  const missing =
    sizes === undefined
      ? ''
      : ` The same effects would be decided at about ${aboutText(sizes.units)} requests, with 80 % power at about ${aboutText(sizes.unitsWithPower80)}.`;
  return [
    {
      code: 'net-value-undecided',
      text: `The net value ${numberText(net.estimate)} has a ${percentText(1 - alpha, 0)} interval of ${lower.toFixed(2)} to ${upper.toFixed(2)}; P(net > ${net.threshold}) is ${chanceText(net.probabilityAbove)}.${missing}`,
      numbers: {
        net: net.estimate,
        lower,
        upper,
        threshold: net.threshold,
        probabilityAbove: net.probabilityAbove,
        ...(sizes ?? {}),
      },
    },
  ];
}

function spreadFindings(document: PublishedDocument): readonly Finding[] {
  const points = document.metrics.filter((metric) => metric.latency !== undefined).map((metric) => metric.name);
  if (points.length === 0) return [];
  return [
    {
      code: 'spread-unpublished',
      text: `${points.join(' and ')} ${points.length === 1 ? 'was' : 'were'} published without a spread, so ${points.length === 1 ? 'it' : 'they'} can be shown, not tested.`,
    },
  ];
}

/** Findings about the run itself: its length, its counts, its histogram. */
export function runFindings(document: PublishedDocument): readonly Finding[] {
  return [
    ...durationFindings(document),
    ...countFindings(document),
    ...document.variants.flatMap((variant) => histogramFindings(variant)),
  ];
}

function durationFindings({ run }: PublishedDocument): readonly Finding[] {
  if (run === undefined || run.minutes >= run.plannedMinutes) return [];
  return [
    {
      code: 'min-duration',
      text: `The run lasted ${durationText(run.minutes * 60_000)} under its own plan of at least ${durationText(run.plannedMinutes * 60_000)}.`,
      numbers: { minutes: run.minutes, plannedMinutes: run.plannedMinutes },
    },
  ];
}

function countFindings(document: PublishedDocument): readonly Finding[] {
  const complement = document.failure?.complement ?? '';
  const full = document.variants.filter(
    (variant) => variant.successes === variant.requests && (variant.rates[complement] ?? 1) < 1,
  );
  if (full.length === 0) return [];
  const said = full.map(
    (variant) =>
      `${variant.name} ${numberText(variant.requests)} of ${numberText(variant.requests)} beside a rate of ${percentText(variant.rates[complement] ?? 1)}`,
  );
  return [
    {
      code: 'success-count-equals-total',
      text: `The counts of successes equal the totals of requests (${said.join(', ')}): requests were counted, not successes.`,
      numbers: Object.fromEntries(full.map((variant) => [variant.name, variant.requests])),
    },
  ];
}

/** A tail this many times its own p95 is hard to square with the rest of the table. */
const strangeTail = 2;

function histogramFindings(variant: PublishedVariant): readonly Finding[] {
  const { mean, p95 } = variant.latencyMs ?? {};
  if (mean === undefined || p95 === undefined || variant.histogram === undefined) return [];
  // Every request below p95 as slow as its bin allows: what the slowest 5 % must then average at the least.
  const bins = [...variant.histogram.filter((bin) => bin.withinMs < p95 && bin.share < 0.95)].sort(
    (left, right) => left.withinMs - right.withinMs,
  );
  let below = 0;
  let sum = 0;
  for (const bin of [...bins, { withinMs: p95, share: 0.95 }]) {
    sum += Math.max(0, bin.share - below) * bin.withinMs;
    below = Math.max(below, bin.share);
  }
  const tail = (mean - sum) / 0.05;
  if (tail <= strangeTail * p95) return [];
  const shares = bins.map((bin) => `${percentText(bin.share)} within ${numberText(bin.withinMs)} ms`).join(', ');
  return [
    {
      code: 'histogram-contradiction',
      text: `${variant.name}: ${shares} is hard to square with a mean of ${numberText(mean)} ms and a p95 of ${numberText(p95)} ms; its slowest 5 % would have to average ${numberText(Math.round(tail))} ms.`,
      numbers: { mean, p95, slowestAverage: tail, shares: bins.map((bin) => bin.share) },
    },
  ];
}
