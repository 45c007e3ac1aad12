import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { assay } from './assay-process.ts';
import { expectContract } from './report-contract.ts';

const cats = fileURLToPath(new URL('../../../shared/data/cookie_cats.csv', import.meta.url));
const published = fileURLToPath(new URL('../../examples/financial-forecast/published.json', import.meta.url));

const relative = (value: number, reference: number): number => Math.abs(value / reference - 1);

describe('assay analyze', () => {
  it('takes out what was known before and ends the tail, where it is told to', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'assay-analyze-'));
    const file = join(directory, 'revenue.csv');
    // What a user spent before says most of what it spends now; every candidate spends 2 more.
    const rows = Array.from({ length: 400 }, (_, user) => {
      const before = (user * 37) % 101;
      const noise = ((user * 53) % 17) / 4;
      return `${user},${user % 2 ? 'new' : 'old'},${before + noise + (user % 2 ? 2 : 0)},${before}`;
    });
    await writeFile(file, `user,version,spent,before\n${rows.join('\n')}\n`);
    const args = [
      'analyze',
      file,
      '--unit',
      'user',
      '--variant',
      'version',
      '--control',
      'old',
      '--metric',
      'spent:mean',
    ];
    const differenceOf = async (more: readonly string[]) => {
      const { code, stdout, stderr } = await assay([...args, '--json', ...more]);
      expect(code, stderr).toBe(0);
      const [metric] = JSON.parse(stdout).metrics;
      return {
        metric,
        difference: metric.variants.find((each: { variant: string }) => each.variant === 'new').difference,
      };
    };
    const plain = await differenceOf([]);
    const adjusted = await differenceOf(['--covariate', 'spent=before']);
    expect(plain.difference.pValue).toBeGreaterThan(0.05);
    expect(adjusted.difference.pValue).toBeLessThan(1e-6);
    expect(adjusted.difference.varianceReduction).toBeGreaterThan(0.9);
    expect(adjusted.difference.unadjusted).toBeCloseTo(plain.difference.absolute, 12);
    const ended = await differenceOf(['--winsorize', 'spent=0.05,95%']);
    expect(ended.metric.capped.lowered).toBeGreaterThan(0);
    expect(ended.metric.capped.raised).toBeGreaterThan(0);
    const wrong = await assay([...args, '--winsorize', 'spent=1.5']);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('must be a share in (0, 1)') });
    const unknown = await assay([...args, '--covariate', 'other=before']);
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('one of the metrics: spent') });
    await rm(directory, { recursive: true, force: true });
  });

  // 90,189 players of a mobile game. Reference values by R 4.2: t.test, prop.test(correct = FALSE), chisq.test.
  it.skipIf(!existsSync(cats))(`gives R's values for a real table (skipped where ${cats} is absent)`, async () => {
    const { code, stdout, stderr } = await assay([
      'analyze',
      cats,
      ...['--unit', 'userid', '--variant', 'version', '--control', 'gate_30'],
      ...[
        '--metric',
        'retention_7:proportion',
        '--metric',
        'sum_gamerounds:mean',
        '--metric',
        'retention_1:proportion',
        '--json',
      ],
    ]);
    expect(code, stderr).toBe(0);
    const report = JSON.parse(stdout);
    expectContract(report);
    const differenceOf = (name: string) =>
      report.metrics
        .find((metric: { name: string }) => metric.name === name)
        .variants.find((each: { variant: string }) => each.variant === 'gate_40');
    expect(report.variants.map((each: { name: string; units: number }) => [each.name, each.units])).toEqual([
      ['gate_30', 44_700],
      ['gate_40', 45_489],
    ]);
    expect(relative(report.checks.sampleRatio.pValue, 0.00860798781083626)).toBeLessThan(1e-9);
    expect(report.checks.sampleRatio.ok).toBe(true);
    expect(relative(differenceOf('retention_7').difference.pValue, 0.00155424997561428)).toBeLessThan(1e-9);
    expect(relative(differenceOf('retention_1').difference.pValue, 0.0744096552969201)).toBeLessThan(1e-9);
    expect(relative(differenceOf('retention_1').difference.absolute, 20_119 / 45_489 - 20_034 / 44_700)).toBeLessThan(
      1e-9,
    );
    expect(relative(differenceOf('sum_gamerounds').difference.pValue, 0.375924384093262)).toBeLessThan(1e-9);
    expect(relative(differenceOf('sum_gamerounds').estimate, 51.2987755281497)).toBeLessThan(1e-12);
    expect(report.verdict).toMatchObject({ kind: 'roll-back' });
  });

  it('reproduces the published example and says what is wrong with it', async () => {
    const { code, stdout, stderr } = await assay(['analyze', published, '--json']);
    expect(code, stderr).toBe(0);
    const report = JSON.parse(stdout);
    expectContract(report);
    expect(report).toMatchObject({
      control: 'baseline',
      unit: 'request',
      verdict: { kind: 'invalid', pointRule: 'strong-recommend' },
    });
    expect(report.checks.sampleRatio.pValue).toBeCloseTo(1.043e-5, 8);
    expect(report.value.net.estimate).toBeCloseTo(3.9, 9);
    expect(report.value.net.interval.lower).toBeCloseTo(-4.74, 2);
    expect(report.value.net.interval.upper).toBeCloseTo(12.54, 2);
    expect(report.value.net.probabilityAbove).toBeCloseTo(0.67, 2);
    const accuracy = report.metrics.find((metric: { name: string }) => metric.name === 'accuracy').variants[1]
      .difference;
    expect(accuracy.pValue).toBeCloseTo(0.0509, 4);
    expect(accuracy.interval.lower).toBeCloseTo(-0.0001, 4);
    expect(accuracy.interval.upper).toBeCloseTo(0.0698, 4);
    expect(report.findings.length).toBeGreaterThanOrEqual(15);
  });

  it('prints a report of at most 80 columns, without colour when NO_COLOR is set', async () => {
    const { stdout } = await assay(['analyze', published]);
    for (const line of stdout.split('\n')) expect([...line].length, line).toBeLessThanOrEqual(80);
    expect(stdout).not.toContain('\u001b[');
    expect(stdout).toContain('INVALID');
    expect(stdout).toContain('15 of 19 follow from the published inputs');
  });

  it('exits with the decision under --gate', async () => {
    expect((await assay(['analyze', published, '--gate'])).code).toBe(1);
  });
});
