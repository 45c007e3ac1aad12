import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { MetricEntry, Report } from '../../decision/index.ts';
import { terminalStyle } from './format.ts';
import { renderReport } from './report.ts';
import type { MetricUnits } from './tables.ts';

const plain = { width: 80, colour: false, unicode: true } as const;
const units: MetricUnits = { accuracy: 'share', latency: 'ms', latency_p95: 'ms', error_rate: 'share' };

/** Numbers are invented; their shape is that of the financial-forecast example. */
function handMade(): Report {
  const metrics: readonly MetricEntry[] = [
    {
      name: 'accuracy',
      kind: 'ratio',
      role: 'secondary',
      method: 'ratio, delta method by unit',
      variants: [
        { variant: 'baseline', n: 880, rows: 1740, estimate: 0.6523, waiting: 4 },
        {
          variant: 'enhanced',
          n: 370,
          rows: 750,
          estimate: 0.7012,
          difference: {
            absolute: 0.0489,
            relative: 0.075,
            interval: { kind: 'bounded', lower: 0.0091, upper: 0.0887 },
            pValue: 0.016,
          },
        },
      ],
    },
    {
      name: 'latency',
      kind: 'ratio',
      role: 'informational',
      method: 'ratio, delta method by unit',
      variants: [
        { variant: 'baseline', n: 880, estimate: 51.2 },
        {
          variant: 'enhanced',
          n: 370,
          estimate: 70.4,
          difference: { absolute: 19.2, relative: 0.375, interval: { kind: 'lower', lower: 17.1 }, pValue: 1.2e-40 },
        },
      ],
    },
    {
      name: 'latency_p95',
      kind: 'quantile',
      role: 'secondary',
      method: 'cluster-robust quantile',
      variants: [
        { variant: 'baseline', n: 880, estimate: 79 },
        {
          variant: 'enhanced',
          n: 370,
          estimate: 109,
          difference: { kind: 'insufficient', reason: 'fewer than 20 requests lie beyond the quantile' },
        },
      ],
    },
    {
      name: 'error_rate',
      kind: 'ratio',
      role: 'guardrail',
      method: 'ratio, delta method by unit',
      variants: [
        { variant: 'baseline', n: 880, estimate: 0 },
        {
          variant: 'enhanced',
          n: 370,
          estimate: 0.0013,
          difference: {
            absolute: 0.0013,
            relative: { kind: 'insufficient', reason: 'the control is 0' },
            interval: { kind: 'bounded', lower: -0.0013, upper: 0.0039 },
            pValue: 0.32,
          },
        },
      ],
    },
  ];
  const value: Report['value'] = {
    variant: 'enhanced',
    unit: 'points',
    net: {
      estimate: 0.52,
      interval: { kind: 'bounded', lower: -4.74, upper: 12.54 },
      probabilityAbove: 0.23,
      threshold: 2,
      omits: ['cost_impact'],
    },
    terms: [
      { name: 'revenue_lift', metric: 'accuracy', estimate: 2.445, varianceShare: 0.99 },
      {
        name: 'cost_impact',
        metric: 'latency',
        estimate: -1.92,
        varianceShare: { kind: 'insufficient', reason: 'no spread' },
      },
    ],
  };
  const sampleRatio: Report['checks']['sampleRatio'] = {
    pValue: 0.78,
    ok: true,
    text: 'the split is as declared: 880 and 370 units against 70/30, p = 0.78',
  };
  return {
    experiment: 'financial-forecast',
    namespace: 'default',
    control: 'baseline',
    unit: 'unit',
    variants: [
      {
        name: 'baseline',
        units: 880,
        requests: 1745,
        share: 0.704,
        expectedShare: 0.7,
        failureRate: 0,
        callerFailureRate: 0,
        fallbackRate: 0,
        attemptMs: { mean: 51.2, p50: 48.1, p95: 79, p99: 91.8 },
        callerMs: { mean: 53.2, p50: 50.1, p95: 81, p99: 1093.8 },
      },
      {
        name: 'enhanced',
        units: 370,
        requests: 755,
        share: 0.296,
        expectedShare: 0.3,
        failureRate: 0.0013,
        callerFailureRate: 0,
        fallbackRate: 0.0013,
        attemptMs: { kind: 'insufficient', reason: 'no attempt' },
        callerMs: { mean: 72.2, p50: 70.1, p95: 111, p99: 123.8 },
      },
    ],
    checks: {
      sampleRatio,
      minDuration: {
        ok: false,
        text: 'ran for 2 h 15 min, planned are at least 48 h, so that daily patterns are not seen',
      },
    },
    metrics,
    criteria: [
      {
        text: 'net_value > 2',
        role: 'primary',
        variant: 'enhanced',
        outcome: 'undecided',
        estimate: 0.52,
        limit: 2,
        interval: { kind: 'bounded', lower: -4.74, upper: 12.54 },
        probability: 0.23,
      },
    ],
    value,
    values: [value],
    segments: [
      { segment: 'isNew', value: 'true', metrics: [metrics[0]!] },
      { segment: 'isNew', value: 'false', metrics: [metrics[0]!] },
    ],
    findings: [{ code: 'rare-events', text: 'Only 1 failure was seen: the normal approximation is thin here.' }],
    verdict: {
      kind: 'keep-testing',
      variant: 'enhanced',
      recommendation: 'continue-testing',
      headline: 'enhanced is not yet shown to meet net_value > 2.',
      because: [],
      next: 'Let it run; more units will help.',
      pointRule: 'recommend',
      reasons: [
        { code: 'primary-undecided', text: 'net_value > 2 is undecided: 0.52 with an interval of -4.74 to 12.54.' },
        { code: 'needed', text: 'About 6,100 units would decide it at this variance.' },
      ],
    },
  };
}

describe('renderReport', () => {
  it('says the verdict, its reasons and what the customary rule would have said', () => {
    const text = renderReport(handMade(), { ...plain, units });
    expect(text).toContain('KEEP-TESTING');
    expect(text).toContain('recommendation: continue-testing');
    expect(text).toContain('1. net_value > 2 is undecided');
    expect(text).toContain('would have said: recommend');
  });

  it('prints shares as percent, differences of shares in points and times in milliseconds', () => {
    const text = renderReport(handMade(), { ...plain, units });
    expect(text).toMatch(/accuracy +│ +65\.2 % │ +70\.1 %/);
    expect(text).toContain('+4.9 pts [+0.9, +8.9]  p = 0.016');
    expect(text).toContain('+19.2 ms [+17.1, ..]  p = 1.2e-40');
  });

  it('takes proportions for shares when nothing is said about units', () => {
    const report = handMade();
    const metrics = report.metrics.map((metric) => ({
      ...metric,
      kind: metric.name === 'accuracy' ? 'proportion' : 'mean',
    }));
    const text = renderReport({ ...report, metrics });
    expect(text).toMatch(/accuracy +│ +65\.2 % │ +70\.1 %/);
    expect(text).toMatch(/error_rate +│ +0 │ +0\.00130/);
  });

  it('tells where values were ended, what a covariate took out, and the differences under another rule', () => {
    const base = handMade();
    const [accuracy, ...others] = base.metrics;
    if (accuracy === undefined) throw new Error('no metric');
    const variants = accuracy.variants.map((entry) =>
      entry.difference === undefined
        ? entry
        : { ...entry, difference: { ...entry.difference, unadjusted: 0.06, varianceReduction: 0.4 } },
    );
    const capped = { upper: 1074, raised: 0, lowered: 90, n: 90_189 };
    const text = renderReport(
      {
        ...base,
        metrics: [{ ...accuracy, capped, variants }, ...others] as Report['metrics'],
        sensitivity: [{ name: 'exclude-mixed', text: 'Without the 3 units seen in several.', metrics: base.metrics }],
      },
      { ...plain, units },
    ).replace(/\s+/g, ' ');
    expect(text).toContain('accuracy: values above 1,074 count as that (90 of 90189)');
    expect(text).toContain('a covariate takes 40.0 % of the noise out of the difference of enhanced');
    expect(text).toMatch(/Under another rule - Without the 3 units seen in several\. accuracy, enhanced: \+4\.9 pts/);
    expect(renderReport(base, { ...plain, units })).not.toContain('Under another rule');
  });

  it('tells why a metric has no test instead of drawing one', () => {
    const text = renderReport(handMade(), { ...plain, units });
    expect(text).toContain('no test for latency_p95: fewer than 20 requests lie beyond the quantile');
  });

  it('marks checks with a word, not with colour alone', () => {
    const text = renderReport(handMade(), { ...plain, units });
    expect(text).toMatch(/✓ ok +the split is as declared/);
    expect(text).toMatch(/✗ FAILED +ran for 2 h 15 min/);
  });

  it.each([60, 80, 100, 120])('has no line longer than %i columns, and no NaN', (width) => {
    const report = handMade();
    const long = 'a-variant-name-that-nobody-would-type-but-somebody-will-generate';
    const third = { ...report.variants[1]!, name: long };
    const many: Report = {
      ...report,
      variants: [...report.variants, third, { ...third, name: 'fourth' }, { ...third, name: 'fifth' }],
      metrics: report.metrics.map((metric) => ({
        ...metric,
        variants: [...metric.variants, { ...metric.variants[1]!, variant: long }],
      })),
      findings: [{ code: 'x', text: `${'nobreak'.repeat(30)} and more` }],
    };
    for (const unicode of [true, false]) {
      for (const each of [report, many]) {
        const text = renderReport(each, { width, unicode, units });
        for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(width);
        expect(text).not.toMatch(/NaN|undefined|null|Infinity|\[object/);
        for (const { name } of each.variants) expect(text).toContain(name.slice(0, 15));
      }
    }
  });

  it('is pure ASCII where the terminal takes no Unicode', () => {
    const text = renderReport(handMade(), { unicode: false, units });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII starts with them
    expect(text).toMatch(/^[\x00-\x7f]*$/);
    expect(text).toMatch(/\|-+o-+\|/);
  });

  it('has the same text with and without colour', () => {
    const coloured = renderReport(handMade(), { ...plain, colour: true, units });
    const bare = renderReport(handMade(), { ...plain, units });
    expect(coloured).not.toBe(bare);
    expect(stripVTControlCharacters(coloured)).toBe(bare);
  });
});

describe('terminalStyle', () => {
  const terminal = { isTTY: true, columns: 100 };

  it('takes the width and colour of a terminal, and 80 plain columns for a pipe', () => {
    expect(terminalStyle(terminal, {})).toEqual({ width: 100, colour: true, unicode: true });
    expect(terminalStyle({}, {})).toEqual({ width: 80, colour: false, unicode: true });
  });

  it('respects NO_COLOR, even against FORCE_COLOR, and a dumb terminal', () => {
    expect(terminalStyle(terminal, { NO_COLOR: '1', FORCE_COLOR: '1' }).colour).toBe(false);
    expect(terminalStyle({}, { FORCE_COLOR: '1' }).colour).toBe(true);
    expect(terminalStyle(terminal, { TERM: 'dumb' })).toMatchObject({ colour: false, unicode: false });
  });

  it('falls back to ASCII only for a locale that names another charset', () => {
    expect(terminalStyle(terminal, { LANG: 'de_DE.UTF-8' }).unicode).toBe(true);
    expect(terminalStyle(terminal, { LANG: 'de_DE.ISO-8859-1' }).unicode).toBe(false);
    expect(terminalStyle(terminal, { LC_ALL: 'C' }).unicode).toBe(false);
  });
});
