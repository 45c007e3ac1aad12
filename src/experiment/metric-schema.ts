// How does the experiment file say what is measured? One kind per metric, and what each kind may carry beside it.
import { z } from 'zod';
import type { CapRule, CovariateRule, Metric, MetricDefinition, UnitTotal } from './metric.ts';
import { closed, duration, exactlyOneOf, integer, onlyKey, patterned, text, wordName } from './schema-parts.ts';

const dayMs = 86_400_000;

/** An expression of src/expression, not yet parsed. */
export const expressionText: z.ZodString = text(1000, 'an expression');
/** Type of an outcome, as the API takes it. */
export const outcomeType: z.ZodString = patterned(
  /^[A-Za-z][\w.:-]{0,99}$/,
  'an outcome type of at most 100 letters, digits, "_", ".", ":" or "-"',
);

const kinds = [
  'mean',
  'quantile',
  'rmse',
  'mae',
  'pinball',
  'calibration',
  'ndcg',
  'hit_rate',
  'proportion',
  'sum',
  'count',
  'ratio',
  'retention',
] as const;
type Kind = (typeof kinds)[number];

const totalKeys = ['sum', 'count'] as const;
const totalRule = 'a mapping with exactly one of: sum, count';
const unitTotal: z.ZodType<UnitTotal> = closed(
  { sum: expressionText.optional(), count: outcomeType.optional() },
  totalRule,
)
  .meta({ ...exactlyOneOf(totalKeys) })
  .transform((value, context): UnitTotal => {
    const kind = onlyKey(value, { keys: totalKeys, context });
    if (kind === undefined) return z.NEVER;
    return kind === 'sum' ? { kind, expression: value.sum! } : { kind, of: value.count! };
  });

const share = (describe: string): z.ZodOptional<z.ZodNumber> =>
  z
    .number({ error: 'a number in (0, 1)' })
    .gt(0, { error: 'a number in (0, 1)' })
    .lt(1, { error: 'a number in (0, 1)' })
    .optional()
    .describe(describe);

const shape = {
  mean: expressionText.optional().describe('Mean of this expression over predictions'),
  quantile: expressionText.optional().describe('Quantile q of this expression over predictions'),
  rmse: expressionText.optional().describe('Root mean square of this error, prediction - truth'),
  mae: expressionText.optional().describe('Mean absolute value of this error, prediction - truth'),
  pinball: expressionText.optional().describe('Pinball loss of a predicted quantile q; the error, prediction - truth'),
  calibration: expressionText.optional().describe('Expected calibration error of this probability'),
  ndcg: outcomeType
    .optional()
    .describe('Order of the captured items, outcomes of this type telling which were relevant'),
  hit_rate: outcomeType
    .optional()
    .describe('Share of replies with an outcome of this type for one of the first k items'),
  proportion: expressionText.optional().describe('Share of units for which this was true at least once'),
  sum: expressionText.optional().describe('Sum of this expression per unit'),
  count: outcomeType.optional().describe('Outcomes of this type per unit; also: prediction, item'),
  ratio: closed({ numerator: unitTotal, denominator: unitTotal }, 'a mapping with numerator, denominator')
    .optional()
    .describe('One total per unit over another, such as clicks over predictions'),
  retention: outcomeType
    .optional()
    .describe('Share of units with an outcome of this type (or a prediction) in [from, to)'),
  q: share('Which quantile'),
  k: integer(1, 1000).optional().describe('Places that count'),
  label: expressionText.optional().describe('What came true, 0 or 1'),
  bins: integer(2, 100).optional().describe('Bins of equal width'),
  from: duration(0).optional().describe('Since the first exposure'),
  to: duration(1).optional().describe('Since the first exposure'),
  window: duration(1)
    .optional()
    .describe('How long after the prediction (per unit: the first exposure) an outcome still counts; default 24h'),
  filter: expressionText.optional().describe('Only rows for which this is true'),
  winsorize: closed(
    { lower: share('Values below this quantile become it'), upper: share('Values above this quantile become it') },
    'a mapping with lower, upper',
  )
    .refine((value) => value.lower !== undefined || value.upper !== undefined, { error: 'a mapping with lower, upper' })
    .refine((value) => (value.lower ?? 0) < (value.upper ?? 1), { error: 'quantiles with lower < upper' })
    .optional()
    .describe('Values end at quantiles of all variants together'),
  cap: z.number({ error: 'a number' }).optional().describe('Values above this become it'),
  covariate: expressionText.optional().describe('What was known of the unit before its first exposure'),
  cuped: z
    .literal(true, { error: 'true, or absent' })
    .optional()
    .describe('The same metric before the first exposure as covariate'),
  before: duration(1).optional().describe('How far a covariate looks back; default the window'),
};
type Written = { readonly [key in keyof typeof shape]?: unknown } & {
  readonly q?: number | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
};

/** Which kinds a companion key belongs to. */
const companions: { readonly [key: string]: readonly Kind[] } = {
  q: ['quantile', 'pinball'],
  k: ['ndcg', 'hit_rate'],
  label: ['calibration'],
  bins: ['calibration'],
  from: ['retention'],
  to: ['retention'],
  winsorize: ['mean', 'sum', 'count'],
  cap: ['mean', 'sum', 'count'],
  covariate: ['mean', 'mae', 'proportion', 'sum', 'count', 'ratio', 'retention'],
  cuped: ['proportion', 'sum', 'count', 'ratio'],
};
const needed: { readonly [kind in Kind]?: readonly (keyof typeof shape)[] } = {
  quantile: ['q'],
  pinball: ['q'],
  calibration: ['label'],
  retention: ['from', 'to'],
};
const rules: { readonly [key: string]: string } = {
  q: 'a number in (0, 1)',
  label: 'an expression of 1 to 1000 characters',
  from: 'a duration such as 500ms, 30m, 24h or 7d',
  to: 'a duration such as 500ms, 30m, 24h or 7d',
};

/** `spec.metrics`: numbers made from evidence, by name. */
export const metricsSchema: z.ZodType<readonly Metric[]> = z
  .record(
    wordName,
    closed(shape, `a mapping with exactly one of: ${kinds.join(', ')}`)
      .meta({ ...exactlyOneOf(kinds) })
      .transform((value, context): Omit<Metric, 'name'> => {
        const kind = onlyKey(value, { keys: kinds, context });
        if (kind === undefined || hasFaults(kind, value, context)) return z.NEVER;
        const windowMs = kind === 'retention' ? value.to! : (value.window ?? dayMs);
        const cap = capOf(value);
        const covariate = covariateOf(value, value.before ?? windowMs);
        return {
          definition: definitionOf(kind, value as Parameters<typeof definitionOf>[1]),
          windowMs,
          ...(value.filter === undefined ? {} : { filter: value.filter }),
          ...(cap === undefined ? {} : { cap }),
          ...(covariate === undefined ? {} : { covariate }),
        };
      }),
    { error: 'a mapping of names to metrics' },
  )
  .transform((metrics): readonly Metric[] => Object.entries(metrics).map(([name, metric]) => ({ ...metric, name })));

function hasFaults(kind: Kind, value: Written, context: z.RefinementCtx): boolean {
  let isWrong = false;
  const fault = (path: string, message: string): void => {
    isWrong = true;
    context.addIssue({ code: 'custom', path: [path], message });
  };
  for (const [key, owners] of Object.entries(companions)) {
    if (value[key as keyof Written] !== undefined && !owners.includes(kind)) {
      fault(
        key,
        `absent unless the metric is a ${owners.length === 2 && owners[0] === 'quantile' ? 'quantile' : owners.join(', ')}`,
      );
    }
  }
  for (const key of needed[kind] ?? []) {
    if (value[key] === undefined) fault(key, `${rules[key]}, because the metric is a ${kind}`);
  }
  if (kind === 'retention') {
    if (value.window !== undefined) fault('window', 'absent: a retention has from and to');
    if (value.from !== undefined && value.to !== undefined && value.from >= value.to) fault('to', 'later than from');
  }
  if (value.cap !== undefined && value.winsorize !== undefined) fault('cap', 'absent beside winsorize');
  if (value.cuped !== undefined && value.covariate !== undefined) fault('cuped', 'absent beside covariate');
  if (value.before !== undefined && value.cuped === undefined && value.covariate === undefined) {
    fault('before', 'absent without covariate or cuped');
  }
  return isWrong;
}

interface Sound {
  readonly [text: string]: unknown;
  readonly q: number;
  readonly k?: number;
  readonly label: string;
  readonly bins?: number;
  readonly from: number;
  readonly to: number;
  readonly ratio: { readonly numerator: UnitTotal; readonly denominator: UnitTotal };
}

function definitionOf(kind: Kind, value: Sound): MetricDefinition {
  const written = value[kind] as string;
  switch (kind) {
    case 'mean':
    case 'rmse':
    case 'mae':
    case 'proportion':
    case 'sum':
      return { kind, expression: written };
    case 'quantile':
    case 'pinball':
      return { kind, expression: written, q: value.q };
    case 'calibration':
      return { kind, expression: written, label: value.label, bins: value.bins ?? 10 };
    case 'ndcg':
    case 'hit_rate':
      return { kind, outcome: written, k: value.k ?? 10 };
    case 'count':
      return { kind, of: written };
    case 'ratio':
      return { kind, ...value.ratio };
    case 'retention':
      return { kind, of: written, fromMs: value.from, toMs: value.to };
  }
}

interface Capped {
  readonly cap?: number | undefined;
  readonly winsorize?: { readonly lower?: number | undefined; readonly upper?: number | undefined } | undefined;
}

function capOf({ cap, winsorize }: Capped): CapRule | undefined {
  if (cap !== undefined) return { kind: 'value', upper: cap };
  if (winsorize === undefined) return undefined;
  const { lower, upper } = winsorize;
  return {
    kind: 'quantile',
    ...(lower === undefined ? {} : { lower }),
    ...(upper === undefined ? {} : { upper }),
  };
}

function covariateOf(
  value: { readonly covariate?: string | undefined; readonly cuped?: true | undefined },
  beforeMs: number,
): CovariateRule | undefined {
  if (value.covariate !== undefined) return { expression: value.covariate, beforeMs };
  return value.cuped === undefined ? undefined : { expression: null, beforeMs };
}
