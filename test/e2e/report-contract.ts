// The output contract other programs depend on, checked on a whole document.
import { expect } from 'vitest';

const verdicts = ['ship', 'roll-back', 'keep-testing', 'no-difference', 'invalid'];
const recommendations = ['strong-recommend', 'recommend', 'continue-testing', 'reject'];

type Document = Record<string, unknown>;

/** Fails unless the document keeps the contract: names, kinds, shares in 0..1, no null anywhere. */
export function expectContract(document: unknown): void {
  expectNoNull(document, '$');
  const report = document as {
    experiment: string;
    control: string;
    variants: Document[];
    checks: Record<string, Document>;
    metrics: { name: string; kind: string; role: string; method: string; per?: string; variants: Document[] }[];
    series?: { metric: string; variant: string; everyMs: number; points: { at: string }[] }[];
    value: { net: Document; terms: unknown[] };
    findings: { code: string; text: string }[];
    verdict: {
      kind: string;
      recommendation: string;
      pointRule: unknown;
      reasons: { code: string; text: string }[];
      outlook?: { wouldChange: string[] };
    };
  };
  for (const text of [report.experiment, report.control]) expect(text).toEqual(expect.any(String));
  for (const variant of report.variants) {
    expect(variant).toMatchObject({
      name: expect.any(String),
      units: expect.any(Number),
      requests: expect.any(Number),
    });
    for (const share of [variant.share, variant.expectedShare]) {
      expect(share).toBeGreaterThanOrEqual(0);
      expect(share).toBeLessThanOrEqual(1);
    }
  }
  expect(report.checks.sampleRatio).toMatchObject({ ok: expect.any(Boolean) });
  expectNumberOrInsufficient(report.checks.sampleRatio?.pValue);
  for (const metric of report.metrics) {
    for (const text of [metric.name, metric.kind, metric.role, metric.method]) expect(text).toEqual(expect.any(String));
    for (const entry of metric.variants) {
      expect(entry).toMatchObject({ variant: expect.any(String), n: expect.any(Number) });
      expectNumberOrInsufficient(entry.estimate);
      const difference = entry.difference as Document | undefined;
      if (entry.variant === report.control) expect(difference).toBeUndefined();
      else if (difference?.kind !== 'insufficient') {
        expect(difference).toBeDefined();
        for (const key of ['absolute', 'relative', 'pValue']) expectNumberOrInsufficient(difference?.[key]);
        expectInterval(difference?.interval);
        for (const key of ['sequential', 'bayes']) {
          const entry = difference?.[key] as Document;
          if (entry.kind === 'insufficient') expectNumberOrInsufficient(entry);
          else {
            expect(entry.method).toEqual(expect.any(String));
            expectInterval(entry.interval);
          }
        }
      }
    }
  }
  for (const { per } of report.metrics) if (per !== undefined) expect(['unit', 'prediction']).toContain(per);
  for (const { everyMs, points, ...entry } of report.series ?? []) {
    expect(entry).toEqual({ metric: expect.any(String), variant: expect.any(String) });
    expect(everyMs).toBeGreaterThan(0);
    for (const point of points) {
      expect(point).toEqual({ at: expect.any(String), n: expect.any(Number), estimate: expect.any(Number) });
      expect(Number.isNaN(Date.parse(point.at))).toBe(false);
    }
  }
  expect(report.value.terms).toEqual(expect.any(Array));
  if (report.value.net.kind !== 'insufficient') {
    expect(report.value.net.estimate).toEqual(expect.any(Number));
    expectInterval(report.value.net.interval);
    expectNumberOrInsufficient(report.value.net.probabilityAbove);
  }
  for (const each of [...report.findings, ...report.verdict.reasons])
    expect(each).toMatchObject({ code: expect.stringMatching(/^[a-z][a-z0-9-]*$/), text: expect.stringMatching(/\S/) });
  for (const check of Object.values(report.checks))
    if (check.ok === false) expect(check.fix ?? check.text).toMatch(/\S/);
  expect(report.verdict.outlook?.wouldChange.length).toBeGreaterThan(0);
  expect(verdicts).toContain(report.verdict.kind);
  expect(recommendations).toContain(report.verdict.recommendation);
  if (typeof report.verdict.pointRule === 'string') expect(recommendations).toContain(report.verdict.pointRule);
  else expectNumberOrInsufficient(report.verdict.pointRule);
}

function expectNumberOrInsufficient(value: unknown): void {
  if (typeof value === 'number') expect(Number.isFinite(value)).toBe(true);
  else expect(value).toMatchObject({ kind: 'insufficient', reason: expect.stringMatching(/\S/) });
}

function expectInterval(value: unknown): void {
  const interval = value as Document;
  const ends: Record<string, readonly string[]> = {
    bounded: ['lower', 'upper'],
    lower: ['lower'],
    upper: ['upper'],
    unbounded: [],
  };
  if (interval.kind === 'insufficient') {
    expectNumberOrInsufficient(interval);
    return;
  }
  expect(Object.keys(ends)).toContain(interval.kind);
  for (const end of ends[String(interval.kind)] ?? []) expect(interval[end]).toEqual(expect.any(Number));
  if (interval.kind === 'bounded') expect(interval.lower).toBeLessThanOrEqual(Number(interval.upper));
}

function expectNoNull(value: unknown, place: string): void {
  expect(value, place).not.toBeNull();
  if (typeof value !== 'object' || value === null) return;
  for (const [key, child] of Object.entries(value)) expectNoNull(child, `${place}.${key}`);
}
