// What every engine of analytics must give: on random logs, the same numbers as a naive recomputation from the same records.
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import type { Analytics, ExperimentSummary, LogRecord, NewRecord, VariantSummary } from '../evidence/index.ts';
import { mergeJointMoments } from '../stats/index.ts';
import { metric, outcome, plan, prediction, t0, write } from './analytics-records.fixture.ts';
import { openDuckdbAnalytics } from './duckdb-analytics.ts';
import { expectClose } from './expect-close.fixture.ts';
import { type NaiveVariant, summariseKinds } from './naive-kinds.fixture.ts';
import { summariseNaively } from './naive-summary.fixture.ts';
import { randomKinds, randomKindsPlan } from './random-kinds.fixture.ts';
import { randomLog, randomLogPlan } from './random-log.fixture.ts';
import { readLog } from './read-evidence-log.ts';

const reduced = (variants: readonly VariantSummary[]): readonly NaiveVariant[] =>
  variants.map(({ variant, units, metrics, waiting }) => ({ variant, units, metrics, waiting }));
const bySegment = (a: { segment: string; value: string }, b: { segment: string; value: string }): number =>
  a.segment + a.value < b.segment + b.value ? -1 : 1;

/**
 * The tests of one engine. @param open the engine over a data directory, empty at the start. @param options.runs random logs
 * of each form; the kinds get half as many.
 */
export function analyticsContract(
  open: (directory: string) => Promise<Analytics>,
  { runs }: { readonly runs: number },
): void {
  const directories: string[] = [];
  const newDirectory = (): string => {
    const directory = mkdtempSync(join(tmpdir(), 'assay-contract-'));
    directories.push(directory);
    return directory;
  };
  afterAll(async () => {
    for (const directory of directories) await rm(directory, { recursive: true, force: true });
  });
  let round = 0;
  const nextNamespace = (): string => {
    round += 1;
    return `run-${round}`;
  };

  it('agrees with a naive recomputation on random small logs', async () => {
    const directory = newDirectory();
    const analytics = await open(directory);
    await fc.assert(
      fc.asyncProperty(randomLog(), async (log) => {
        const namespace = nextNamespace();
        await write(directory, inNamespace(log.lists, namespace), 7);
        const asked = randomLogPlan(namespace, log);
        // Series and strata are held to another recomputation, with the kinds.
        const { series: _, ...found } = await analytics.summarise(asked);
        const expected = summariseNaively(asked, await recordsOf(directory, namespace));
        expectClose(found, { ...expected, health: { ...expected.health, uncleanShutdowns: 0 } });
      }),
      { numRuns: runs, interruptAfterTimeLimit: 60_000 },
    );
    await analytics.close();
  }, 120_000);

  it('agrees with a naive recomputation for every metric kind: the whole, each allocation, each segment', async () => {
    const directory = newDirectory();
    const analytics = await open(directory);
    await fc.assert(
      fc.asyncProperty(randomKinds(), async (log) => {
        const namespace = nextNamespace();
        await write(directory, inNamespace(log.lists, namespace), 7);
        const asked = randomKindsPlan(namespace, log);
        const found = await analytics.summarise(asked);
        const expected = summariseKinds(asked, await recordsOf(directory, namespace));
        expectClose(reduced(found.variants), expected.variants, 'whole');
        expectClose(reduced(found.unmixed?.variants ?? []), expected.unmixed, 'unmixed');
        expect(found.strata?.map(({ epochs }) => epochs)).toEqual([[1, 3], [2]]);
        for (const [index, stratum] of (found.strata ?? []).entries())
          expectClose(reduced(stratum.variants), expected.strata[index], `stratum ${index}`);
        const segments = found.segments.map(({ segment, value, variants }) => ({
          segment,
          value,
          variants: reduced(variants),
        }));
        expectClose(segments.toSorted(bySegment), expected.segments.toSorted(bySegment), 'segments');
        expectSeries(found);
      }),
      { numRuns: Math.ceil((runs * 3) / 5), interruptAfterTimeLimit: 60_000 },
    );
    await analytics.close();
  }, 180_000);

  it('computes what has no value, text in any alphabet and numbers at the edge as DuckDB does', async () => {
    const directory = newDirectory();
    await write(directory, [awkwardRecords]);
    const reference = await openDuckdbAnalytics({ directory });
    const analytics = await open(directory);
    const asked = plan(
      awkwardExpressions.map((expression, place) => metric(`m${place}`, expression)),
      { namespace: 'awkward', segments: ["it's", 'back\\slash', 'a/b~c'] },
    );
    expectClose(await analytics.summarise(asked), await reference.summarise(asked));
    await analytics.close();
    await reference.close();
  }, 180_000);
}

function inNamespace(lists: readonly (readonly NewRecord[])[], namespace: string): readonly (readonly NewRecord[])[] {
  return lists.map((records) => records.map((record) => ({ ...record, namespace }) as NewRecord));
}

async function recordsOf(directory: string, namespace: string): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const piece of readLog(directory)) {
    if (piece.kind !== 'frame') continue;
    const lines = piece.payload.toString('utf8').trimEnd().split('\n');
    records.push(
      ...lines
        .map((line) => JSON.parse(line) as LogRecord)
        .filter((r) => 'namespace' in r && r.namespace === namespace),
    );
  }
  return records;
}

const awkwardExpressions: readonly string[] = [
  'attempt_ms / (attempt_ms - 3)',
  'attempt_ms / 0',
  '(attempt_ms * 1e200) * 1e200',
  '(attempt_ms * 1e-200) * 1e-200',
  '(attempt_ms / 1e200) / 1e200',
  '1e308 + 1e308 * attempt_ms',
  '0 - 1e308 - 1e308 * attempt_ms',
  '5e-324 + 1e308 - 1e308 + attempt_ms',
  'log(attempt_ms - 3)',
  'log(x)',
  'round(attempt_ms / 2)',
  'round(0 - attempt_ms / 2)',
  'round(0.49999999999999994 + attempt_ms - attempt_ms)',
  'max(x, attempt_ms, 2)',
  'min(x, attempt_ms, 2)',
  'max(text, 1)',
  'text == "häß\\\\lich"',
  'text != "it\'s"',
  'x == text',
  'x == "1"',
  'flag',
  'flag == 1 and not (attempt_ms > 3)',
  'missing > 1 or attempt_ms > 2',
  'default(missing, x) + 1',
  'exists(text) + exists(x)',
  'abs(x - 2.5)',
  'outcome.label == text',
  'default(outcome.label, "x") == "x"',
];

/** Values of every type under every name. */
const awkwardRecords: readonly NewRecord[] = [
  ...[
    { x: 1, text: 'häß\\lich', flag: true },
    { x: 2.5, text: "it's", flag: false },
    { x: 'x', text: '日本 \u{1F600}', flag: 1 },
    { x: true, text: 'null', flag: 'true' },
    { x: -0.5, text: '', flag: null },
    { x: 1e21, text: '{"a":1}' },
    { x: [1], text: { a: 1 } },
    { x: null, text: null },
    {},
  ].map((captured, place) =>
    prediction(`p${place}`, {
      namespace: 'awkward',
      assigned: place % 2 === 0 ? 'a' : 'b',
      attempts: [{ variant: place % 2 === 0 ? 'a' : 'b', status: 200, latencyMs: place, error: null }],
      context: { "it's": String(captured.text ?? 'none'), 'back\\slash': place % 2 === 0, 'a/b~c': place },
      captured,
    }),
  ),
  ...['häß\\lich', "it's", 'x', 1, true].map((value, place) =>
    outcome(`o${place}`, {
      namespace: 'awkward',
      value,
      subject: { kind: 'prediction', predictionId: `p${place}` },
      receivedMs: t0 + 10,
    }),
  ),
];

/** The points of a series add up to the whole, and each stands where its units came in. */
function expectSeries({ series, variants, fromMs, toMs }: ExperimentSummary): void {
  for (const { variant, metrics } of variants) {
    for (const [name, summary] of Object.entries(metrics)) {
      const points = (series?.points ?? []).filter((point) => point.metric === name && point.variant === variant);
      for (const { atMs } of points) {
        expect(atMs % (series?.widthMs ?? 1)).toBe(0);
        expect(atMs + (series?.widthMs ?? 0)).toBeGreaterThan(fromMs ?? 0);
        expect(atMs).toBeLessThanOrEqual(toMs ?? 0);
      }
      if (summary.kind !== 'ratio' && summary.kind !== 'mean') continue;
      const merged = points.map(({ moments }) => moments).reduce(mergeJointMoments);
      const whole = summary.kind === 'ratio' ? summary.moments.mean : [summary.mean, 1];
      expectClose(merged.mean, whole, `series of ${name}`);
    }
  }
}
