// Is this a published table? The parser that takes one in from outside.
import { z } from 'zod';
import { AssayError } from '../errors.ts';
import { contradictions, type DocumentIssue } from './published-contradictions.ts';
import type { PublishedDocument } from './published-document.ts';

const name = z.string().min(1).max(200);
const number = z.number();
const share = z.number().min(0).max(1);
const positive = z.number().positive();
const count = z.number().int().min(0);
const list = <T extends z.ZodType>(item: T): z.ZodArray<T> => z.array(item).max(1000);

const factor = z.union([
  z.strictObject({ step: name }),
  z.strictObject({
    name,
    value: number,
    base: name.exactOptional(),
    shareOf: name.exactOptional(),
    perMetric: z.strictObject({ metric: name, per: positive }).exactOptional(),
    difference: name.exactOptional(),
  }),
]);

const schema: z.ZodType<PublishedDocument> = z.strictObject({
  format: z.literal('assay-published'),
  version: z.literal(1),
  experiment: name,
  about: z.string().exactOptional(),
  unit: z.enum(['unit', 'request']),
  control: name,
  run: z.strictObject({ minutes: positive, plannedMinutes: positive }).exactOptional(),
  variants: z
    .array(
      z.strictObject({
        name,
        weight: z.number().min(0),
        requests: z.number().int().min(1),
        successes: count.exactOptional(),
        rates: z.record(name, share),
        latencyMs: z
          .strictObject({ mean: positive, p95: positive.exactOptional(), alone: positive.exactOptional() })
          .exactOptional(),
        histogram: list(z.strictObject({ withinMs: positive, share })).exactOptional(),
      }),
    )
    .length(2),
  metrics: list(
    z.strictObject({ name, rate: name.exactOptional(), latency: z.enum(['mean', 'p95']).exactOptional() }),
  ).min(1),
  failure: z.strictObject({ rate: name, complement: name.exactOptional() }).exactOptional(),
  value: z
    .strictObject({
      unit: name,
      terms: list(
        z.strictObject({ name, metric: name, coefficient: number, per: positive, basis: name.exactOptional() }),
      ),
    })
    .exactOptional(),
  decision: z
    .strictObject({
      primary: list(name).exactOptional(),
      secondary: list(name).exactOptional(),
      guardrails: list(name).exactOptional(),
      levels: z.strictObject({ strong: number, recommend: number }),
      alpha: z.number().gt(0).lt(1).exactOptional(),
    })
    .exactOptional(),
  money: z
    .strictObject({
      unit: name,
      inputs: list(z.strictObject({ name, value: number })),
      steps: list(
        z.strictObject({
          name,
          product: list(factor).min(1).exactOptional(),
          sum: list(z.strictObject({ step: name, sign: z.literal([-1, 1]).exactOptional() }))
            .min(1)
            .exactOptional(),
          returnOn: z.strictObject({ gain: name, cost: name }).exactOptional(),
          published: number.exactOptional(),
        }),
      ),
    })
    .exactOptional(),
  risks: list(
    z.strictObject({ name, probability: share, loss: z.number().min(0), twoSided: z.boolean().exactOptional() }),
  ).exactOptional(),
  quoted: list(z.strictObject({ figure: name, value: number, decimals: count.max(12).exactOptional(), where: name })),
});

/**
 * Reads a published table from outside data.
 * @throws AssayError `input-invalid`; its `issues` hold every fault found, the message the first.
 */
export function parsePublished(input: unknown): PublishedDocument {
  const parsed = schema.safeParse(input);
  if (!parsed.success) refuse(parsed.error.issues.map((issue) => issueOf(issue, input)));
  const issues = contradictions(parsed.data);
  if (issues.length > 0) refuse(issues);
  return parsed.data;
}

function refuse(issues: readonly DocumentIssue[]): never {
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  throw new AssayError('input-invalid', `${issues[0]?.text ?? 'the document is wrong'}${more}`, { issues });
}

function issueOf(issue: z.core.$ZodIssue, input: unknown): DocumentIssue {
  const place =
    issue.path
      .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`))
      .join('') || 'the document';
  if (issue.code === 'unrecognized_keys') {
    return { place, text: `${place} has the unknown key ${issue.keys.join(', ')}, must hold known keys only` };
  }
  let value: unknown = input;
  for (const part of issue.path) value = (value as { readonly [key: PropertyKey]: unknown } | undefined)?.[part];
  const shown = value === undefined ? 'missing' : (JSON.stringify(value) ?? String(value)).slice(0, 60);
  return { place, text: `${place} is ${shown}, must be ${rule(issue)}` };
}

function rule(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `of type ${issue.expected}`;
    case 'too_small':
      return issue.origin === 'array'
        ? `a list of at least ${issue.minimum}`
        : `${issue.inclusive === false ? '>' : '>='} ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'array'
        ? `a list of at most ${issue.maximum}`
        : `${issue.inclusive === false ? '<' : '<='} ${issue.maximum}`;
    case 'invalid_value':
      return `one of ${issue.values.map(String).join(', ')}`;
    case 'invalid_union':
      return 'either {step} or {name, value, ...}';
    default:
      return issue.message;
  }
}
