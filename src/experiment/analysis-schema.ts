// How does the experiment file say what is measured, what it is worth, and what follows from it?
import { z } from 'zod';
import type { Decision, Experiment, Metric, Ramp, ValueModel } from './experiment.ts';
import { closed, duration, exactlyOneOf, oneOf, onlyKey, text, wordName } from './schema-parts.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

const metricKeys = ['mean', 'quantile'] as const;
/** An expression of src/expression, not yet parsed. */
export const expressionText: z.ZodString = text(1000, 'an expression');
/** `spec.metrics`: numbers made from evidence, by name. */
export const metricsSchema: z.ZodType<readonly Metric[]> = z
  .record(
    wordName,
    closed(
      {
        mean: expressionText.optional().describe('Mean of this expression'),
        quantile: expressionText.optional().describe('Quantile q of this expression'),
        q: z
          .number({ error: 'a number in (0, 1)' })
          .gt(0, { error: 'a number in (0, 1)' })
          .lt(1, { error: 'a number in (0, 1)' })
          .optional(),
        window: duration(1).default(dayMs).describe('How long after the prediction an outcome still counts'),
      },
      'a mapping with exactly one of: mean, quantile',
    )
      .meta({ ...exactlyOneOf(metricKeys) })
      .transform((value, context): Omit<Metric, 'name'> => {
        const kind = onlyKey(value, { keys: metricKeys, context });
        if (kind === undefined) return z.NEVER;
        if (kind === 'mean') {
          if (value.q !== undefined)
            context.addIssue({ code: 'custom', path: ['q'], message: 'absent unless the metric is a quantile' });
          return { definition: { kind, expression: value.mean! }, windowMs: value.window };
        }
        if (value.q === undefined) {
          context.addIssue({
            code: 'custom',
            path: ['q'],
            message: 'a number in (0, 1), because the metric is a quantile',
          });
          return z.NEVER;
        }
        return { definition: { kind, expression: value.quantile!, q: value.q }, windowMs: value.window };
      }),
    { error: 'a mapping of names to metrics' },
  )
  .transform((metrics): readonly Metric[] => Object.entries(metrics).map(([name, metric]) => ({ ...metric, name })));

const termRule = 'a mapping of one metric to its coefficient, and per';
/** `spec.value`: what the differences are worth. */
export const valueSchema: z.ZodType<ValueModel> = closed(
  {
    unit: text(40, 'a unit').default('points').describe('What the net value is counted in'),
    terms: z
      .record(
        wordName,
        z
          .record(wordName, z.number({ error: 'a number' }), { error: termRule })
          .meta({ minProperties: 1, maxProperties: 2 })
          .transform((term, context): { metric: string; coefficient: number; per: number } => {
            const { per = 1, ...rest } = term;
            const [entry, ...more] = Object.entries(rest);
            if (entry === undefined || more.length > 0) {
              context.addIssue({ code: 'custom', message: termRule });
              return z.NEVER;
            }
            if (!(per > 0)) context.addIssue({ code: 'custom', path: ['per'], message: 'a number > 0' });
            return { metric: entry[0], coefficient: entry[1], per };
          }),
        { error: 'a mapping of names to terms' },
      )
      .transform((terms) => Object.entries(terms).map(([name, term]) => ({ name, ...term }))),
  },
  'a mapping with unit, terms',
);

const finite = z.number({ error: 'a number' });
const criteria = z
  .array(text(1000, 'a criterion'), { error: 'a list of criteria such as accuracy > 0.9' })
  .max(50, { error: 'a list of at most 50 criteria' })
  .default([]);
/** `spec.decision`: what counts as success, and what happens then. */
export const decisionSchema: z.ZodType<Decision> = closed(
  {
    primary: criteria.describe('All must hold for ship'),
    secondary: criteria.describe('Reported, never decisive'),
    guardrails: criteria.describe('Must hold throughout; a breach triggers onBreach'),
    levels: closed({ strong: finite, recommend: finite }, 'a mapping with strong, recommend')
      .default({ strong: 2, recommend: 0.5 })
      .refine((levels) => levels.strong >= levels.recommend, { error: 'levels with strong >= recommend' }),
    minDuration: duration(0).default(dayMs).describe('No ship before this'),
    maxDuration: duration(1)
      .default(28 * dayMs)
      .describe('Undecided after this is an answer too'),
    onBreach: oneOf(['roll-back', 'pause', 'notify']).default('roll-back'),
    onShip: oneOf(['promote', 'notify', 'hold']).default('hold'),
    alpha: z
      .number({ error: 'a number in (0, 0.5]' })
      .gt(0, { error: 'a number in (0, 0.5]' })
      .max(0.5, { error: 'a number in (0, 0.5]' })
      .default(0.05)
      .describe('Two-sided significance level'),
  },
  'a mapping with primary, secondary, guardrails, levels, minDuration, maxDuration, onBreach, onShip, alpha',
).transform(({ minDuration, maxDuration, ...rest }, context): Decision => {
  if (minDuration > maxDuration)
    context.addIssue({ code: 'custom', path: ['minDuration'], message: 'at most maxDuration' });
  return { ...rest, minDurationMs: minDuration, maxDurationMs: maxDuration };
});

const stepRule = 'a list of 1 to 50 rising shares in (0, 1]';
/** `spec.ramp`: rising coverage. */
export const rampSchema: z.ZodType<Ramp> = closed(
  {
    coverage: z
      .array(
        z
          .number({ error: 'a number in (0, 1]' })
          .gt(0, { error: 'a number in (0, 1]' })
          .max(1, { error: 'a number in (0, 1]' }),
        {
          error: stepRule,
        },
      )
      .min(1, { error: stepRule })
      .max(50, { error: stepRule })
      .refine((steps) => steps.every((step, i) => i === 0 || step > steps[i - 1]!), { error: stepRule }),
    hold: duration(1)
      .default(2 * hourMs)
      .describe('Least time on each step'),
  },
  'a mapping with coverage, hold',
).transform((value): Ramp => ({ coverage: value.coverage, holdMs: value.hold }));

/** `spec.plan`: what was expected beforehand. */
export const planSchema: z.ZodType<Experiment['plan']> = closed(
  {
    requestsPerDay: z
      .number({ error: 'a number > 0' })
      .gt(0, { error: 'a number > 0' })
      .optional()
      .describe('Expected traffic'),
  },
  'a mapping with requestsPerDay',
)
  .default({})
  .transform((plan): Experiment['plan'] =>
    plan.requestsPerDay === undefined ? {} : { requestsPerDay: plan.requestsPerDay },
  );
