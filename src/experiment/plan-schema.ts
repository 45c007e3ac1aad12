// How does the experiment file say what was expected beforehand, and what the result is worth in money?
import { z } from 'zod';
import type { Expectation, Guess, MoneyModel, Plan, Risk } from './experiment.ts';
import { closed, integer, patterned, text, wordName } from './schema-parts.ts';

const finite = z.number({ error: 'a number' });
const positive = z.number({ error: 'a number > 0' }).gt(0, { error: 'a number > 0' });

const expectation: z.ZodType<Expectation> = closed(
  {
    control: finite.optional().describe('Level of the control'),
    difference: finite.optional().describe('Candidate - control'),
    sd: positive.optional().describe('Standard deviation from unit to unit; a rate has its own'),
  },
  'a mapping with control, difference, sd',
).transform(withoutGaps);

/** `spec.plan`: what was expected and intended beforehand. */
export const planSchema: z.ZodType<Plan> = closed(
  {
    requestsPerDay: positive.optional().describe('Expected traffic'),
    requestsPerUnit: z
      .number({ error: 'a number >= 1' })
      .min(1, { error: 'a number >= 1' })
      .optional()
      .describe('Expected requests of one unit; default 1'),
    units: integer(100, 1_000_000_000).optional().describe('Units of control and one candidate together to plan for'),
    power: z
      .number({ error: 'a number in [0.5, 0.999]' })
      .min(0.5, { error: 'a number in [0.5, 0.999]' })
      .max(0.999, { error: 'a number in [0.5, 0.999]' })
      .optional()
      .describe('Chance of a decision where the expected differences are true; default 0.8'),
    expected: z
      .record(wordName, expectation, { error: 'a mapping of metrics to what is expected of them' })
      .optional()
      .describe('What is expected of each metric: assay power and assay simulate start from it'),
  },
  'a mapping with requestsPerDay, requestsPerUnit, units, power, expected',
)
  .default({})
  .transform(withoutGaps);

const guessRule = 'a number, or [low, likely, high] in rising order';
const guess = (least: number, most: number): z.ZodType<Guess> => {
  const isAllowed = (value: number): boolean => value >= least && value <= most;
  const rule = `${guessRule}${most < Infinity ? `, each in ${least}..${most}` : least > -Infinity ? `, each >= ${least}` : ''}`;
  return z
    .union([z.number(), z.tuple([z.number(), z.number(), z.number()])], { error: rule })
    .refine((value) => (typeof value === 'number' ? isAllowed(value) : value.every(isAllowed)), { error: rule })
    .refine((value) => typeof value === 'number' || (value[0] <= value[1] && value[1] <= value[2]), { error: rule })
    .transform((value): Guess => {
      if (typeof value === 'number') return value;
      const [low, likely, high] = value;
      return { low, likely, high };
    });
};

const risk: z.ZodType<Omit<Risk, 'name'>> = closed(
  {
    probability: guess(0, 1).describe('Chance a year'),
    loss: guess(0, Infinity).describe('What it would cost'),
    twoSided: z.boolean({ error: 'true or false' }).optional().describe('As likely a gain as a loss'),
  },
  'a mapping with probability, loss, twoSided',
).transform(withoutGaps);

/** `spec.value.money`: what the net value is in money, a year. */
export const moneySchema: z.ZodType<MoneyModel> = closed(
  {
    currency: patterned(/^[A-Z]{3}$/, 'three letters such as USD').describe('ISO 4217'),
    worth: guess(-Infinity, Infinity).describe('Currency a year for one unit of net value'),
    base: text(80, 'text such as revenue').optional().describe('What the net value is a share of'),
    infrastructure: guess(0, Infinity)
      .optional()
      .describe('What running the candidate costs more than running the control, a year'),
    risks: z
      .record(wordName, risk, { error: 'a mapping of names to risks' })
      .default({})
      .transform((risks): readonly Risk[] => Object.entries(risks).map(([name, each]) => ({ name, ...each }))),
  },
  'a mapping with currency, worth, base, infrastructure, risks',
).transform(withoutGaps);

/** Optional keys that were not given are absent, not undefined. */
function withoutGaps<T extends object>(value: T): { [key in keyof T]: Exclude<T[key], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [key in keyof T]: Exclude<T[key], undefined>;
  };
}
