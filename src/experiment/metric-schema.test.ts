import { describe, expect, it } from 'vitest';
import type { AssayError } from '../errors.ts';
import type { Experiment } from './experiment.ts';
import type { Metric } from './metric.ts';
import { parseExperimentFile } from './parse-experiment.ts';

const head = `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: kinds}
spec:
  route: {path: /x}
  unit: {header: x-user-id}
  control: a
  variants:
    - {name: a, weight: 1, upstream: {url: "http://127.0.0.1:1"}}
    - {name: b, weight: 1, upstream: {url: "http://127.0.0.1:2"}}
  capture:
    prediction: {json: $.p}
    confidence: {json: $.c}
    spent: {header: x-spent}
`;
const withItems = `${head}    items: {json: $.items, from: reply}\n`;
const read = (text: string): Experiment => parseExperimentFile(text);
const metricOf = (written: string, before = withItems): Metric | undefined =>
  read(`${before}  metrics: {m: ${written}}\n`).metrics[0];
const faultOf = (text: string): string => {
  try {
    read(text);
  } catch (fault) {
    return (fault as AssayError & { issues: { text: string }[] }).issues.map((issue) => issue.text).join('\n');
  }
  return 'no fault';
};

const dayMs = 86_400_000;

describe('a metric of the file', () => {
  it.each<[string, Partial<Metric>]>([
    ['{rmse: prediction - outcome.y}', { definition: { kind: 'rmse', expression: 'prediction - outcome.y' } }],
    [
      '{pinball: prediction - outcome.y, q: 0.9}',
      { definition: { kind: 'pinball', expression: 'prediction - outcome.y', q: 0.9 } },
    ],
    [
      '{calibration: confidence, label: prediction == outcome.y}',
      { definition: { kind: 'calibration', expression: 'confidence', label: 'prediction == outcome.y', bins: 10 } },
    ],
    ['{ndcg: click, k: 5}', { definition: { kind: 'ndcg', outcome: 'click', k: 5 } }],
    ['{hit_rate: click}', { definition: { kind: 'hit_rate', outcome: 'click', k: 10 } }],
    [
      '{proportion: exists(outcome.buy)}',
      { definition: { kind: 'proportion', expression: 'exists(outcome.buy)' }, windowMs: dayMs },
    ],
    [
      '{sum: outcome.revenue, window: 7d, winsorize: {upper: 0.999}, cuped: true}',
      {
        definition: { kind: 'sum', expression: 'outcome.revenue' },
        windowMs: 7 * dayMs,
        cap: { kind: 'quantile', upper: 0.999 },
        covariate: { expression: null, beforeMs: 7 * dayMs },
      },
    ],
    [
      '{count: click, cap: 50, covariate: spent, before: 14d, filter: attribute.paid == 1}',
      {
        definition: { kind: 'count', of: 'click' },
        cap: { kind: 'value', upper: 50 },
        covariate: { expression: 'spent', beforeMs: 14 * dayMs },
        filter: 'attribute.paid == 1',
      },
    ],
    [
      '{ratio: {numerator: {count: click}, denominator: {count: item}}, filter: item.is_new}',
      {
        definition: {
          kind: 'ratio',
          numerator: { kind: 'count', of: 'click' },
          denominator: { kind: 'count', of: 'item' },
        },
        filter: 'item.is_new',
      },
    ],
    [
      '{retention: prediction, from: 1d, to: 2d}',
      { definition: { kind: 'retention', of: 'prediction', fromMs: dayMs, toMs: 2 * dayMs }, windowMs: 2 * dayMs },
    ],
  ])('%s is what it says', (written, expected) => {
    expect(metricOf(written)).toMatchObject(expected);
  });

  it.each([
    [
      '{ratio: {numerator: {count: click}}}',
      'spec.metrics.m.ratio.denominator is missing, must be a mapping with exactly one of: sum, count',
    ],
    [
      '{ratio: {numerator: {count: click, sum: "1"}, denominator: {count: item}}}',
      'must be a mapping with exactly one of: sum, count',
    ],
    ['{retention: visit, from: 2d, to: 1d}', 'spec.metrics.m.to is "1d", must be later than from'],
    [
      '{retention: visit, from: 1d, to: 2d, window: 1d}',
      'spec.metrics.m.window is "1d", must be absent: a retention has from and to',
    ],
    ['{retention: visit, from: 1d}', 'spec.metrics.m.to is missing, must be a duration'],
    ['{mean: confidence, k: 5}', 'spec.metrics.m.k is 5, must be absent unless the metric is a ndcg, hit_rate'],
    ['{calibration: confidence}', 'spec.metrics.m.label is missing, must be an expression'],
    ['{sum: outcome.x, cap: 5, winsorize: {upper: 0.9}}', 'spec.metrics.m.cap is 5, must be absent beside winsorize'],
    ['{sum: outcome.x, winsorize: {lower: 0.9, upper: 0.1}}', 'quantiles with lower < upper'],
    ['{quantile: confidence, q: 0.5, cap: 5}', 'spec.metrics.m.cap is 5, must be absent unless'],
    ['{mean: confidence, cuped: true}', 'spec.metrics.m.cuped is true, must be absent unless'],
    ['{sum: confidence, cuped: true}', 'absent unless the metric adds up outcomes'],
    ['{sum: outcome.x, before: 1d}', 'spec.metrics.m.before is "1d", must be absent without covariate or cuped'],
    ['{sum: outcome.x - confidence}', 'it reads outcome.x and confidence, must read outcomes or predictions, not both'],
    ['{sum: outcome.x + outcome.y}', 'it reads outcomes of x and of y, must read one type'],
    ['{sum: attribute.x}', 'the expression must also name outcome.TYPE'],
    ['{sum: item.price * confidence}', 'it reads item members and confidence'],
    ['{sum: outcome.x, filter: outcome.y > 1}', "name 'outcome.y' is not known"],
    ['{count: prediction, filter: attribute.x}', "name 'attribute.x' is not known"],
    ['{mean: attribute.x}', "name 'attribute.x' is not known"],
    ['{sum: outcome.x, covariate: confidence}', "name 'confidence' is not known"],
    ['{sum: outcome.x, covariate: attempt_ms}', 'must be known before'],
    ['{ndcg: 7}', 'an outcome type'],
  ])('%s is refused', (written, message) => {
    expect(faultOf(`${withItems}  metrics: {m: ${written}}\n`)).toContain(message);
  });

  it.each(['{ndcg: click}', '{count: item}', '{count: click, filter: item.is_new}', '{sum: item.price}'])(
    '%s needs the items to be captured',
    (written) => {
      expect(faultOf(`${head}  metrics: {m: ${written}}\n`)).toContain('spec.capture must have items');
    },
  );
});

describe('mappings, segments and sensitivity of the file', () => {
  it('keep what is declared', () => {
    const experiment = read(
      `${head}  outcomes: {c: {when: "kind == 'click'", type: click, unit: $.user.id, item: $.item, attributes: {page: $.page}}}
  segments: [new_unit, days_since_exposure, first_seen, spent]
  sensitivity: [exclude-mixed]\n`,
    );
    expect(experiment.outcomes).toEqual([
      {
        name: 'c',
        when: "kind == 'click'",
        type: 'click',
        subject: { kind: 'unit', path: '$.user.id' },
        item: '$.item',
        attributes: { page: '$.page' },
      },
    ]);
    expect(experiment.segments).toEqual(['new_unit', 'days_since_exposure', 'first_seen', 'spent']);
    expect(experiment.sensitivity).toEqual(['exclude-mixed']);
    expect(read(head)).not.toHaveProperty('outcomes');
  });

  it.each([
    [
      '  outcomes: {c: {type: click}}',
      'spec.outcomes.c is {type}, must be a mapping with exactly one of: unit, predictionId, requestId',
    ],
    ['  outcomes: {c: {type: click, unit: user}}', 'spec.outcomes.c.unit is "user", must be a JSON path'],
    [
      '  outcomes: {c: {type: click, unit: $.u, when: "kind =="}}',
      'spec.outcomes.c.when is "kind ==": expected a value',
    ],
    ['  segments: [newunit]', 'which is not captured from the request, did you mean "new_unit"?'],
    ['  sensitivity: [all]', 'must be one of: exclude-mixed'],
    ['    items: {json: $.items}', 'spec.capture.items.from is "request", must be reply'],
    ['    new_unit: {json: $.x}', 'spec.capture.new_unit is a reserved word'],
  ])('%s is refused', (line, message) => {
    expect(faultOf(`${head}${line}\n`)).toContain(message);
  });
});
