import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AssayError } from '../errors.ts';
import { analyzePublished, type Finding, parsePublished, type Report } from './index.ts';

const text = readFileSync(new URL('../../examples/financial-forecast/published.json', import.meta.url), 'utf8');
const report: Report = analyzePublished(parsePublished(JSON.parse(text)));

/** The example with other values at these places; undefined takes a field away. */
function changed(edits: { readonly [place: string]: unknown }): unknown {
  const document = JSON.parse(text);
  for (const [place, value] of Object.entries(edits)) {
    const path = place.split('.');
    const last = path.pop() ?? '';
    const parent = path.reduce((node, part) => node[part], document);
    if (value === undefined) delete parent[last];
    else parent[last] = value;
  }
  return document;
}

function finding(code: string, within: Report = report): Finding {
  const found = within.findings.find((candidate) => candidate.code === code);
  if (found === undefined) throw new Error(`no finding ${code} among ${within.findings.map((f) => f.code).join(', ')}`);
  return found;
}

function metric(name: string) {
  const entry = report.metrics.find((candidate) => candidate.name === name);
  const [control, candidate] = entry?.variants ?? [];
  const difference = candidate?.difference;
  if (entry === undefined || difference === undefined || !('absolute' in difference)) throw new Error(`no ${name}`);
  return { entry, control, candidate, difference };
}

describe('the published financial forecast', () => {
  it('has a broken split: chi-squared 19.43, p = 1.043e-5', () => {
    expect(report.variants.map(({ share }) => share)).toEqual([0.7404, 0.2596]);
    expect(report.variants.map(({ expectedShare }) => expectedShare)).toEqual([0.7, 0.3]);
    expect(report.checks.sampleRatio.ok).toBe(false);
    // scipy.stats.chisquare([1851, 649], [1750, 750]): 19.43047619047619, 1.0432887937158e-05
    expect(report.checks.sampleRatio.numbers?.statistic).toBeCloseTo(19.43047619047619, 10);
    expect(report.checks.sampleRatio.pValue).toBeCloseTo(1.0432887937158e-5, 15);
    expect(finding('sample-ratio-mismatch').text).toContain('chi-squared 19.43, p = 1.043e-5');
  });

  it('shows that rounding alone decides whether the accuracies differ', () => {
    const { entry, control, candidate, difference } = metric('accuracy');
    expect([control?.estimate, candidate?.estimate]).toEqual([0.785, 0.821]);
    expect(difference.pValue).toBeCloseTo(0.0509, 4);
    expect(entry.method).toContain('pooled z');
    if (!('lower' in difference.interval) || !('upper' in difference.interval)) throw new Error('no interval');
    expect(difference.interval.lower).toBeCloseTo(-0.0001, 4);
    expect(difference.interval.upper).toBeCloseTo(0.0698, 4);
    const { numbers } = finding('rounding-decides');
    expect(numbers?.pValueFromCounts).toBeCloseTo(0.0491, 4);
    expect(numbers?.fisherPValue).toBeCloseTo(0.055, 3);
    expect([numbers?.controlCount, numbers?.candidateCount]).toEqual([1453, 533]);
  });

  it('calls the error rates noise that nevertheless is 96 % of the variance of the net value', () => {
    const { difference } = metric('error_rate');
    expect(difference.absolute).toBeCloseTo(-0.004, 12);
    expect(difference.pValue).toBeCloseTo(0.375, 3);
    const { numbers, text: sentence } = finding('noise-dominates-value');
    expect([numbers?.control, numbers?.candidate]).toEqual([22, 5]);
    expect(numbers?.fisherPValue).toBeCloseTo(0.51, 2);
    expect(numbers?.varianceShare).toBeCloseTo(0.96, 2);
    expect(sentence).toContain('22 against 5 failures');
  });

  it('sees that 99.1 % success and 0.8 % error do not add up, and what 6 failures would mean', () => {
    const { numbers, text: sentence } = finding('rates-do-not-add-up');
    expect(sentence).toContain('success 99.1 % and error 0.8 %');
    expect(numbers?.failures).toBe(6);
    expect(numbers?.risk_reduction).toBeCloseTo(3.0, 10);
    expect(numbers?.net).toBeCloseTo(2.9, 10);
    expect(report.findings.filter(({ code }) => code === 'rates-do-not-add-up')).toHaveLength(1);
  });

  it('gives the net value 3.9 an interval of -4.74 to 12.54 and a probability of 0.67 to exceed 2', () => {
    const { net } = report.value;
    if (!('estimate' in net) || net.interval.kind !== 'bounded') throw new Error('no net value');
    expect(net.estimate).toBeCloseTo(3.9, 10);
    expect(net.interval.lower).toBeCloseTo(-4.74, 2);
    expect(net.interval.upper).toBeCloseTo(12.54, 2);
    expect(net.probabilityAbove).toBeCloseTo(0.67, 2);
    expect(net.threshold).toBe(2);
    expect(net.omits).toEqual(['cost_impact']);
    expect(report.value.terms.map(({ estimate }) => Number(Number(estimate).toFixed(9)))).toEqual([1.8, -1.9, 4]);
    const { numbers, text: sentence } = finding('net-value-undecided');
    expect(sentence).toContain('-4.74 to 12.54');
    expect(sentence).toContain('about 52,000 requests');
    expect(sentence).toContain('about 106,000');
    expect(Math.round(Number(numbers?.units) / 1000)).toBe(52);
    expect(Math.round(Number(numbers?.unitsWithPower80) / 1000)).toBe(106);
  });

  it('shows latency as points and tests nothing that was published without a spread', () => {
    for (const name of ['latency', 'latency_p95']) {
      const { entry, difference } = metric(name);
      expect(entry.kind).toBe('point');
      expect(difference.interval).toMatchObject({ kind: 'insufficient' });
      expect(difference.pValue).toMatchObject({ kind: 'insufficient' });
    }
    expect(metric('latency').difference.absolute).toBe(19);
    expect(finding('spread-unpublished').text).toContain('latency and latency_p95');
    expect(finding('noise-unknown').text).toContain('cost_impact');
  });

  it('reproduces every published figure from its inputs, and says which it cannot', () => {
    const figures = report.published ?? [];
    const reproduced = figures.filter((figure) => figure.reproduced).map(({ name, published }) => [name, published]);
    expect(reproduced).toEqual([
      ['share.baseline', 0.74],
      ['share.enhanced', 0.26],
      ['difference.accuracy', 0.036],
      ['difference.latency', 19],
      ['term.revenue_lift', 1.8],
      ['term.cost_impact', -1.9],
      ['term.risk_reduction', 4],
      ['net_value', 3.9],
      ['daily_revenue_impact', 1800],
      ['annual_revenue_impact', 657_000],
      ['daily_latency_cost', 95],
      ['annual_latency_cost', 34_675],
      ['net_annual_value', 658_825],
      ['infrastructure_cost', 53_000],
      ['net_roi', 11.43],
    ]);
    const others = figures.filter((figure) => !figure.reproduced).map(({ name, published }) => [name, published]);
    expect(others).toEqual([
      ['net_value', 3.3],
      ['net_annual_value', 622_325],
      ['infrastructure_cost', 34_675],
      ['annual_risk_reduction', 36_500],
    ]);
    const exact = Object.fromEntries(figures.map(({ name, recomputed }) => [name, recomputed]));
    expect(exact).toMatchObject({
      daily_revenue_impact: 1800,
      annual_revenue_impact: 657_000,
      daily_latency_cost: 95,
      annual_latency_cost: 34_675,
      net_annual_value: 658_825,
    });
    expect(Math.round(Number(exact.net_roi) * 100)).toBe(1143);
  });

  it('finds the factor 100 in the revenue, and the wrong base it is applied to', () => {
    const slip = finding('unit-slip');
    expect(slip.numbers?.factor).toBeCloseTo(100, 9);
    expect(slip.numbers?.corrected).toBeCloseTo(180_000, 5);
    expect(slip.text).toContain('180,000 $');
    expect(report.findings.filter(({ code }) => code === 'unit-slip')).toHaveLength(1);
    expect(finding('base-mismatch').numbers).toMatchObject({ shareOf: 'revenue', base: 'trading volume' });
    expect(finding('mixed-bases').numbers?.bases).toBe(3);
  });

  it('finds what was quoted twice with different values, and where the other value comes from', () => {
    const quoted = report.findings.filter(({ code }) => code === 'quoted-twice');
    expect(quoted.map(({ numbers }) => [numbers?.figure, numbers?.values])).toEqual([
      ['net_value', [3.9, 3.3]],
      ['net_annual_value', [658_825, 622_325]],
      ['infrastructure_cost', [53_000, 34_675]],
    ]);
    expect(quoted[0]?.text).toContain('nothing in the document gives');
    expect(quoted[1]?.text).toContain('the sum without annual_risk_reduction');
    expect(quoted[2]?.text).toContain('it is annual_latency_cost');
    expect(finding('no-formula').numbers?.value).toBe(36_500);
  });

  it('finds the short run, the impossible histogram and the counts that are totals', () => {
    expect(finding('min-duration').text).toContain('2 h 15 min');
    expect(finding('min-duration').text).toContain('48 h');
    expect(report.findings.filter(({ code }) => code === 'histogram-contradiction')).toHaveLength(1);
    const histogram = finding('histogram-contradiction');
    expect(histogram.text).toMatch(/^enhanced: 80\.6 % within 50 ms/);
    // (70 - 0.806 x 50 - 0.144 x 109) / 0.05
    expect(histogram.numbers?.slowestAverage).toBeCloseTo(280.08, 8);
    expect(finding('success-count-equals-total').numbers).toEqual({ baseline: 1851, enhanced: 649 });
  });

  it('holds the expected loss of 72,500 a year against the return: 1,006 % instead of 1,143 %', () => {
    const loss = finding('expected-loss-ignored');
    expect(loss.numbers?.expectedLoss).toBeCloseTo(72_500, 9);
    expect(Math.round(Number(loss.numbers?.adjusted) * 100)).toBe(1006);
    expect(loss.text).toContain('1,006 %, not 1,143 %');
  });

  it('is invalid where the customary rule says strong-recommend', () => {
    expect(report.verdict.kind).toBe('invalid');
    expect(report.verdict.pointRule).toBe('strong-recommend');
    expect(report.verdict.recommendation).toBe('continue-testing');
    expect(report.verdict.reasons[0]?.code).toBe('sample-ratio-mismatch');
    expect(finding('point-rule-differs').text).toContain('67 %');
  });

  it('checks only what a table can show', () => {
    expect(Object.keys(report.checks)).toEqual(['sampleRatio', 'minDuration']);
    expect(report.variants[0]?.callerFailureRate).toMatchObject({ kind: 'insufficient' });
    expect(report.variants[0]?.failureRate).toBeCloseTo(0.012, 12);
  });

  it('keeps every finding out of the document', () => {
    for (const word of ['19.43', '0.0509', '12.54', '72500', '1006', '280', '180000', '52000']) {
      expect(text).not.toContain(word);
    }
  });
});

describe('an analysis of a published table', () => {
  it('has no finding about a table without faults', () => {
    const clean = analyzePublished(
      parsePublished({
        format: 'assay-published',
        version: 1,
        experiment: 'clean',
        unit: 'unit',
        control: 'old',
        variants: [
          { name: 'old', weight: 50, requests: 5000, rates: { click: 0.2, error: 0.01, success: 0.99 } },
          { name: 'new', weight: 50, requests: 5000, rates: { click: 0.25, error: 0.01, success: 0.99 } },
        ],
        metrics: [{ name: 'clicks', rate: 'click' }],
        failure: { rate: 'error', complement: 'success' },
        quoted: [{ figure: 'difference.clicks', value: 0.05, where: 'slide 3' }],
      }),
    );
    expect(clean.findings).toEqual([]);
    expect(clean.verdict.kind).toBe('ship');
    expect(clean.published?.[0]?.reproduced).toBe(true);
  });

  it('no longer finds what was mended in the document', () => {
    const mended = analyzePublished(
      parsePublished(
        changed({
          'variants.0.requests': 1750,
          'variants.1.requests': 750,
          'variants.1.rates.error': 0.009,
          'variants.0.successes': 1729,
          'variants.1.successes': 743,
          'run.minutes': 2880,
          'money.steps.0.product.2.value': 3.6,
          'money.steps.0.product.0.base': 'revenue',
        }),
      ),
    );
    const codes = mended.findings.map(({ code }) => code);
    for (const code of [
      'sample-ratio-mismatch',
      'rates-do-not-add-up',
      'success-count-equals-total',
      'min-duration',
      'unit-slip',
      'base-mismatch',
    ]) {
      expect(codes).not.toContain(code);
    }
    expect(codes).toContain('not-reproduced');
    expect(mended.verdict.kind).toBe('keep-testing');
  });
});

describe('the parser of published tables', () => {
  const refusal = (input: unknown): AssayError => {
    try {
      parsePublished(input);
    } catch (error) {
      if (error instanceof AssayError) return error;
      throw error;
    }
    throw new Error('the document was accepted');
  };

  it.each<[string, { readonly [place: string]: unknown }, string]>([
    ['a negative count', { 'variants.1.requests': -3 }, 'variants[1].requests is -3, must be >= 1'],
    ['a rate in percent', { 'variants.0.rates.accuracy': 78.5 }, 'variants[0].rates.accuracy is 78.5, must be <= 1'],
    ['text for a number', { 'risks.0.loss': 'much' }, 'risks[0].loss is "much", must be of type number'],
    ['a missing field', { unit: undefined }, 'unit is missing, must be one of unit, request'],
    ['an unknown key', { variant: 1 }, 'the document has the unknown key variant'],
    ['an unknown control', { control: 'old' }, 'control is "old", must be one of baseline, enhanced'],
    ['a missing variant', { variants: [] }, 'variants is [], must be a list of at least 2'],
    ['an unknown rate', { 'metrics.0.rate': 'hits' }, 'metrics[0].rate is "hits", must be one of accuracy'],
    ['an unknown metric in a term', { 'value.terms.0.metric': 'x' }, 'value.terms[0].metric is "x"'],
    [
      'a step used before it is made',
      { 'money.steps.0': { name: 'net', sum: [{ step: 'net_roi' }] } },
      'money.steps[0].sum[0].step is "net_roi"',
    ],
    ['a step without anything', { 'money.steps.4': { name: 'free' } }, 'money.steps[4] has 0 formulas'],
    [
      'a factor of no form',
      { 'money.steps.0.product.0': 3 },
      'money.steps[0].product[0] is 3, must be either {step} or',
    ],
    ['successes above requests', { 'variants.0.successes': 1852 }, 'variants[0].successes is 1852, must be <='],
  ])('refuses %s and names the place and the rule', (_, edits, message) => {
    const error = refusal(changed(edits));
    expect(error.code).toBe('input-invalid');
    expect(error.message).toContain(message);
  });

  it.each([[null], [[]], ['text'], [{}], [42]])('refuses %j with one sentence', (input) => {
    expect(refusal(input).message).toMatch(/ is .*, must be /);
  });

  it('collects every fault', () => {
    const error = refusal(changed({ unit: 'user', control: 7 }));
    expect(error.issues.map(({ place }) => place)).toEqual(['unit', 'control']);
    expect(error.message).toContain('(and 1 more)');
  });
});
