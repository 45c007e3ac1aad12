// How does the experiment file say what differences are worth, and what follows from them?
import { z } from 'zod';
import type { Decision, Ramp, ValueModel } from './experiment.ts';
import { moneySchema } from './plan-schema.ts';
import { closed, duration, oneOf, text, wordName } from './schema-parts.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

type ValueTerm = Omit<ValueModel['terms'][number], 'name'>;
const termRule = 'a mapping of one metric to its coefficient, and per';
/** `spec.value`: what the differences are worth. */
export const valueSchema: z.ZodType<ValueModel> = closed(
  {
    unit: text(40, 'a unit').default('points').describe('What the net value is counted in'),
    terms: z
      .record(
        wordName,
        z
          .record(wordName, z.union([z.number(), z.string()], { error: 'a number' }), { error: termRule })
          .meta({ minProperties: 1, maxProperties: 3 })
          .transform((term, context): ValueTerm => {
            const { per = 1, base, ...rest } = term;
            const refuse = (path: readonly string[], message: string): never => {
              context.addIssue({ code: 'custom', path: [...path], message });
              return z.NEVER;
            };
            const [entry, ...more] = Object.entries(rest);
            if (entry === undefined || more.length > 0) return refuse([], termRule);
            const [metric, coefficient] = entry;
            if (typeof coefficient !== 'number') return refuse([metric], 'a number');
            if (!(typeof per === 'number' && per > 0)) return refuse(['per'], 'a number > 0');
            if (base !== undefined && typeof base !== 'string')
              return refuse(['base'], 'text such as percent of revenue');
            return { metric, coefficient, per, ...(base === undefined ? {} : { base }) };
          }),
        { error: 'a mapping of names to terms' },
      )
      .transform((terms) => Object.entries(terms).map(([name, term]) => ({ name, ...term }))),
    money: moneySchema.optional().describe('What the net value is in money, a year'),
  },
  'a mapping with unit, terms, money',
).transform(
  ({ money, ...value }): ValueModel => ({
    ...value,
    ...(money === undefined ? {} : { money }),
  }),
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
    method: oneOf(['sequential', 'group-sequential', 'fixed'])
      .optional()
      .describe('How criteria are decided; default sequential, valid however often one looks'),
    correction: oneOf(['holm', 'bh', 'none'])
      .optional()
      .describe('How comparisons of many metrics, candidates and segments are judged together; default holm'),
  },
  'a mapping with primary, secondary, guardrails, levels, minDuration, maxDuration, onBreach, onShip, alpha, method, correction',
).transform(({ minDuration, maxDuration, method, correction, ...rest }, context): Decision => {
  if (minDuration > maxDuration)
    context.addIssue({ code: 'custom', path: ['minDuration'], message: 'at most maxDuration' });
  return {
    ...rest,
    minDurationMs: minDuration,
    maxDurationMs: maxDuration,
    ...(method === undefined ? {} : { method }),
    ...(correction === undefined ? {} : { correction }),
  };
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
    approval: oneOf(['none', 'required'])
      .default('none')
      .describe('required: somebody approves each step; none: steps are taken when guardrails and checks let them'),
  },
  'a mapping with coverage, hold, approval',
).transform(
  ({ coverage, hold, approval }): Ramp => ({
    coverage,
    holdMs: hold,
    ...(approval === 'none' ? {} : { approval }),
  }),
);
