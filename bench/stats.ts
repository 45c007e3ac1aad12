// How long do the statistics take? A full report from summaries, and each distribution's tail beside two other libraries:
// `npm run bench:stats [-- --json] [-- --quick] [-- --write]`. Wall and CPU time, medians of interleaved rounds;
// `--write` puts the ratios, which travel better than times, into docs/performance.md.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import type { Report } from '../src/decision/index.ts';
import type { ExperimentSummary, MetricSummary, VariantSummary } from '../src/evidence/index.ts';
import {
  beta,
  binomial,
  chiSquared,
  createRandom,
  fisherF,
  gamma,
  jointMomentsOf,
  normal,
  poisson,
  quantileSampleOf,
  type Random,
  studentT,
} from '../src/stats/index.ts';
import { markdownTable } from '../test/docs/markdown-table.ts';

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});
const rounds = flags.quick ? 5 : 15;
/** Milliseconds one measurement lasts; 33 subjects x rounds x this, and as much to warm up, bound the run. */
const sliceMs = flags.quick ? 20 : 60;

/** Something to time; `run` does its work `times` times and returns a number so that nothing is optimised away. */
interface Subject {
  readonly name: string;
  readonly library: string;
  run(times: number): number;
}

interface Timing {
  readonly name: string;
  readonly library: string;
  /** Medians over rounds, nanoseconds per operation. */
  readonly wallNs: number;
  readonly cpuNs: number;
  /** Fastest round. */
  readonly bestNs: number;
}

const sink = { value: 0 };

/** Times every subject once per round, one after the other, so that a slow spell of the machine hits all alike. */
function time(subjects: readonly Subject[]): readonly Timing[] {
  const sizes = subjects.map(calibrate);
  const samples = subjects.map((): { wall: number; cpu: number }[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [i, subject] of subjects.entries()) {
      const cpu = process.cpuUsage();
      const start = process.hrtime.bigint();
      sink.value += subject.run(sizes[i]!);
      const wall = Number(process.hrtime.bigint() - start);
      const { user, system } = process.cpuUsage(cpu);
      samples[i]!.push({ wall: wall / sizes[i]!, cpu: (1000 * (user + system)) / sizes[i]! });
    }
  }
  return subjects.map(({ name, library }, i) => ({
    name,
    library,
    wallNs: median(samples[i]!.map(({ wall }) => wall)),
    cpuNs: median(samples[i]!.map(({ cpu }) => cpu)),
    bestNs: Math.min(...samples[i]!.map(({ wall }) => wall)),
  }));
}

/** How many operations fill one slice, after warming up for as long. */
function calibrate(subject: Subject): number {
  let times = 1;
  for (;;) {
    const start = process.hrtime.bigint();
    sink.value += subject.run(times);
    const ms = Number(process.hrtime.bigint() - start) / 1e6;
    if (ms >= sliceMs / 2) return Math.max(1, Math.round((times * sliceMs) / ms));
    times *= 2;
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

/** The report as it is shipped: run from source, every function made on the way would have its name set again. */
const built = new URL('../dist/decision/index.js', import.meta.url);
if (!existsSync(built)) throw new Error('dist/decision/index.js is missing, must be there: npm run build');
const { makeReport } = (await import(built.href)) as typeof import('../src/decision/index.ts');

// --- A full report -------------------------------------------------------------------------------------------------

const metricCount = 20;
const variantNames = ['current', 'distilled', 'larger'];
const segmentCount = 10;

/** One metric of one variant; kinds take turns: five of each in twenty. */
function drawMetric(random: Random, index: number, units: number): MetricSummary {
  const lift = 1 + 0.02 * random.normal();
  switch (index % 4) {
    case 0:
      return { kind: 'mean', n: units, mean: 10 * lift, m2: (units - 1) * 25 };
    case 1:
      return { kind: 'proportion', n: units, successes: Math.round(units * 0.1 * lift) };
    case 2: {
      const rows = Array.from({ length: 50 }, () => {
        const count = 1 + random.integer(20);
        return [count * lift * (1 + 0.2 * random.normal()), count];
      });
      const sample = jointMomentsOf(rows);
      const grow = units / sample.n;
      const moments = { ...sample, n: units, m2: sample.m2.map((row) => row.map((sum) => sum * grow)) };
      return { kind: 'ratio', n: units, rows: Math.round(units * moments.mean[1]!), moments };
    }
    default: {
      const rows = Array.from({ length: 200 }, () =>
        Array.from({ length: 1 + random.integer(10) }, () => Math.exp(5 + lift * random.normal())),
      );
      const { q, rows: count, estimate, lower, upper, indicator } = quantileSampleOf(rows, 0.95);
      return { kind: 'quantile', n: indicator.n, rows: count, q, estimate, lower, upper, indicator };
    }
  }
}

function drawVariants(random: Random, units: number): readonly VariantSummary[] {
  return variantNames.map((variant) => ({
    variant,
    units,
    requests: 5 * units,
    failed: Math.round(units / 100),
    callerFailed: Math.round(units / 200),
    fallback: Math.round(units / 300),
    attemptMs: { n: 5 * units, mean: 120, p50: 100, p95: 300, p99: 500 },
    callerMs: { n: 5 * units, mean: 130, p50: 110, p95: 310, p99: 520 },
    metrics: Object.fromEntries(
      Array.from({ length: metricCount }, (_, i) => [`metric_${i + 1}`, drawMetric(random, i, units)]),
    ),
    waiting: {},
    joint: null,
  }));
}

function drawSummary(): ExperimentSummary {
  const random = createRandom('bench');
  const units = 100_000;
  return {
    format: 'assay-summary',
    version: 1,
    namespace: 'default',
    experiment: 'bench',
    control: variantNames[0]!,
    unit: 'unit',
    fromMs: 0,
    toMs: 14 * 86_400_000,
    variants: drawVariants(random, units),
    segments: Array.from({ length: segmentCount }, (_, i) => ({
      segment: 'region',
      value: `r${i + 1}`,
      variants: drawVariants(random, units / segmentCount),
    })),
    epochs: [
      {
        epoch: 0,
        shares: Object.fromEntries(variantNames.map((name) => [name, 1 / 3])),
        units: Object.fromEntries(variantNames.map((name) => [name, units])),
      },
    ],
    health: null,
  };
}

/** Comparisons with a p-value or a reason: proof that the report timed is a whole one. */
function countComparisons(report: Report): number {
  const entries = [report.metrics, ...report.segments.map(({ metrics }) => metrics)].flat();
  const isCompared = (variant: Report['metrics'][number]['variants'][number]): boolean =>
    variant.difference !== undefined && 'pValue' in variant.difference && typeof variant.difference.pValue === 'number';
  return entries.reduce((sum, entry) => sum + entry.variants.filter(isCompared).length, 0);
}

// --- Distribution tails --------------------------------------------------------------------------------------------

/** Arguments take turns, so that no result can be kept from the last call. */
const turns = 64;
const spread = (from: number, to: number): readonly number[] =>
  Array.from({ length: turns }, (_, i) => from + ((to - from) * ((i * 29) % turns)) / turns);

function each(name: string, library: string, points: readonly number[], f: (x: number) => number): Subject {
  return {
    name,
    library,
    run: (times) => {
      let sum = 0;
      for (let i = 0; i < times; i += 1) sum += f(points[i % turns]!);
      return sum;
    },
  };
}

/** A library that is a development dependency; undefined where it is not installed. */
function load(name: 'jstat' | 'simple-statistics'): Record<string, never> | undefined {
  const require = createRequire(import.meta.url);
  try {
    return name === 'jstat' ? require('jstat') : require('simple-statistics');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    console.error(`skipped: ${name} is not installed`);
    return undefined;
  }
}

/** What the other libraries offer, as far as it is the same function; their upper tails are 1 - cdf. */
interface OtherLibraries {
  readonly jstat: Record<string, Record<string, (...args: number[]) => number>> | undefined;
  readonly simple: Record<string, (...args: number[]) => number> | undefined;
}

function tailSubjects({ jstat, simple }: OtherLibraries): readonly Subject[] {
  const j = (distribution: string, fn: string): ((...args: number[]) => number) | undefined =>
    jstat?.[distribution]?.[fn]?.bind(jstat[distribution]);
  const rows: readonly {
    readonly name: string;
    readonly points: readonly number[];
    ours(x: number): number;
    readonly jstat?: ((x: number) => number) | undefined;
    readonly simple?: ((x: number) => number) | undefined;
  }[] = [
    {
      name: 'normal sf',
      points: spread(0.1, 4),
      ours: normal.sf,
      jstat: using(j('normal', 'cdf'), (cdf) => (x: number) => 1 - cdf(x, 0, 1)),
      simple: using(simple?.cumulativeStdNormalProbability, (cdf) => (x: number) => 1 - cdf(x)),
    },
    {
      name: 'normal isf',
      points: spread(0.001, 0.4),
      ours: normal.isf,
      jstat: using(j('normal', 'inv'), (inverse) => (q: number) => inverse(1 - q, 0, 1)),
      simple: using(simple?.probit, (probit) => (q) => -probit(q)),
    },
    { name: 'normal sf, z 10 to 37', points: spread(10, 37), ours: normal.sf },
    ...[9.5, 200, 58_595.5].map((df) => ({
      name: `studentT(${df}) sf`,
      points: spread(0.1, 4),
      ours: studentT(df).sf,
      jstat: using(j('studentt', 'cdf'), (cdf) => (x: number) => 1 - cdf(x, df)),
    })),
    {
      name: 'studentT(200) isf',
      points: spread(0.001, 0.4),
      ours: studentT(200).isf,
      jstat: using(j('studentt', 'inv'), (inverse) => (q: number) => inverse(1 - q, 200)),
    },
    ...[3, 500].map((df) => ({
      name: `chiSquared(${df}) sf`,
      points: spread(0.5 * df, 1.5 * df),
      ours: chiSquared(df).sf,
      jstat: using(j('chisquare', 'cdf'), (cdf) => (x: number) => 1 - cdf(x, df)),
    })),
    {
      name: 'gamma(20) sf',
      points: spread(10, 30),
      ours: gamma(20).sf,
      jstat: using(j('gamma', 'cdf'), (cdf) => (x: number) => 1 - cdf(x, 20, 1)),
    },
    {
      name: 'beta(12, 90) sf',
      points: spread(0.05, 0.2),
      ours: beta(12, 90).sf,
      jstat: using(j('beta', 'cdf'), (cdf) => (x: number) => 1 - cdf(x, 12, 90)),
    },
    {
      name: 'beta(500000, 500000) sf',
      points: spread(0.498, 0.502),
      ours: beta(500_000, 500_000).sf,
      jstat: using(j('beta', 'cdf'), (cdf) => (x: number) => 1 - cdf(x, 500_000, 500_000)),
    },
    {
      name: 'beta(12, 90) isf',
      points: spread(0.001, 0.4),
      ours: beta(12, 90).isf,
      jstat: using(j('beta', 'inv'), (inverse) => (q: number) => inverse(1 - q, 12, 90)),
    },
    {
      name: 'fisherF(5, 40) sf',
      points: spread(0.5, 4),
      ours: fisherF(5, 40).sf,
      jstat: using(j('centralF', 'cdf'), (cdf) => (x: number) => 1 - cdf(x, 5, 40)),
    },
    {
      name: 'binomial(1000, 0.1) sf',
      points: spread(80, 120).map(Math.floor),
      ours: binomial(1000, 0.1).sf,
      jstat: using(j('binomial', 'cdf'), (cdf) => (k: number) => 1 - cdf(k, 1000, 0.1)),
    },
    {
      name: 'poisson(30) sf',
      points: spread(20, 45).map(Math.floor),
      ours: poisson(30).sf,
      jstat: using(j('poisson', 'cdf'), (cdf) => (k: number) => 1 - cdf(k, 30)),
    },
  ];
  return rows.flatMap(({ name, points, ours, jstat: theirs, simple: simpler }) => [
    each(name, 'assay', points, ours),
    ...(theirs === undefined ? [] : [each(name, 'jstat', points, theirs)]),
    ...(simpler === undefined ? [] : [each(name, 'simple-statistics', points, simpler)]),
  ]);
}

function using<F, G>(f: F | undefined, make: (f: F) => G): G | undefined {
  return f === undefined ? undefined : make(f);
}

// --- The run -------------------------------------------------------------------------------------------------------

const summary = drawSummary();
const comparisons = countComparisons(makeReport(summary));
const reportSubject: Subject = {
  name: `report of ${metricCount} metrics x ${variantNames.length} variants x ${segmentCount} segments`,
  library: 'assay',
  run: (times) => {
    let sum = 0;
    for (let i = 0; i < times; i += 1) sum += makeReport(summary).metrics.length;
    return sum;
  },
};
const others = { jstat: load('jstat'), simple: load('simple-statistics') } as OtherLibraries;
const timings = time([reportSubject, ...tailSubjects(others)]);
const [report, ...tails] = timings;
const machine = `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.version}, ${process.arch}`;

if (flags.json) {
  console.log(
    JSON.stringify(
      {
        machine,
        rounds,
        sliceMs,
        report: { comparisons, wallMs: report!.wallNs / 1e6, cpuMs: report!.cpuNs / 1e6, bestMs: report!.bestNs / 1e6 },
        tails,
      },
      null,
      2,
    ),
  );
} else {
  console.log(machine);
  console.log(
    `${report!.name}: ${(report!.wallNs / 1e6).toFixed(1)} ms (CPU ${(report!.cpuNs / 1e6).toFixed(1)}, ` +
      `best ${(report!.bestNs / 1e6).toFixed(1)}), ${comparisons} comparisons`,
  );
  for (const name of new Set(tails.map((tail) => tail.name))) {
    const cells = tails
      .filter((tail) => tail.name === name)
      .map(({ library, wallNs, cpuNs }) => `${library} ${wallNs.toFixed(0).padStart(6)} ns (CPU ${cpuNs.toFixed(0)})`);
    console.log(`${name.padEnd(26)} ${cells.join('   ')}`);
  }
}
if (flags.write) {
  const page = new URL('../docs/performance.md', import.meta.url);
  const [start, end] = ['<!-- bench:stats -->', '<!-- /bench:stats -->'];
  const text = readFileSync(page, 'utf8');
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from === -1 || to === -1) throw new Error(`docs/performance.md has no ${start} ... ${end}`);
  writeFileSync(page, `${text.slice(0, from)}${start}\n\n${ratioTable()}\n\n${text.slice(to)}`);
}

/** Each library's CPU time as a multiple of ours, and ours as a multiple of the normal tail. */
function ratioTable(): string {
  const ofSubject = (name: string, library: string): Timing | undefined =>
    tails.find((tail) => tail.name === name && tail.library === library);
  const unit = ofSubject('normal sf', 'assay')!.cpuNs;
  const cell = (value: number | undefined): string => (value === undefined ? '' : value.toPrecision(2));
  const lines = [...new Set(tails.map(({ name }) => name))].map((name) => {
    const ours = ofSubject(name, 'assay')!.cpuNs;
    const times = (library: string): number | undefined => {
      const theirs = ofSubject(name, library);
      return theirs === undefined ? undefined : theirs.cpuNs / ours;
    };
    return [name, cell(ours / unit), cell(times('jstat')), cell(times('simple-statistics'))];
  });
  const header = ['tail', 'assay, in normal tails', 'jstat / assay', 'simple-statistics / assay'];
  return `${machine}; medians of ${rounds} interleaved rounds of ${sliceMs} ms, CPU time.\n\n${markdownTable(header, lines)}`;
}
if (!Number.isFinite(sink.value)) throw new Error('a tail was not a finite number');
