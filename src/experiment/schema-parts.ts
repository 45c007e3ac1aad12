// Which small building blocks do the file's schema share: closed mappings, names, durations, each with its rule in words.
// Every `error` text is a rule that completes the sentence "PLACE is VALUE, must be ...".
import { z } from 'zod';

/**
 * A mapping that knows all its keys. Its own rule is said when it is no mapping; the keys when one is unknown.
 * @param rule completes "must be ..."
 */
export function closed<S extends z.core.$ZodLooseShape>(shape: S, rule: string): z.ZodObject<S, z.core.$strict> {
  const keys = Object.keys(shape).join(', ');
  return z.strictObject(shape, { error: (issue) => (issue.code === 'unrecognized_keys' ? keys : rule) });
}

/**
 * Which one of `keys` a mapping carries; reports and gives undefined when it is none or several.
 * @param context where zod collects what is wrong
 */
export function onlyKey<K extends string>(
  value: { readonly [key in K]?: unknown },
  { keys, context }: { readonly keys: readonly K[]; readonly context: z.RefinementCtx },
): K | undefined {
  const given = keys.filter((key) => value[key] !== undefined);
  if (given.length === 1) return given[0];
  context.addIssue({ code: 'custom', message: `a mapping with exactly one of: ${keys.join(', ')}` });
  return undefined;
}

/** JSON Schema's way to say the same as `onlyKey`, for editors. */
export function exactlyOneOf(keys: readonly string[]): { readonly oneOf: readonly { readonly required: string[] }[] } {
  return { oneOf: keys.map((key) => ({ required: [key] })) };
}

/** Text that matches a pattern. */
export function patterned(pattern: RegExp, rule: string): z.ZodString {
  return z.string({ error: rule }).regex(pattern, { error: rule });
}

/** Text of 1 to `maximum` characters. */
export function text(maximum: number, rule = 'text'): z.ZodString {
  const error = `${rule} of 1 to ${maximum} characters`;
  return z.string({ error }).min(1, { error }).max(maximum, { error });
}

/** An integer in [low, high]. */
export function integer(low: number, high: number): z.ZodInt {
  return z
    .int({ error: `an integer >= ${low}` })
    .min(low, { error: `an integer >= ${low}` })
    .max(high, { error: `an integer <= ${high}` });
}

/** One of several words. */
export function oneOf<const T extends readonly string[]>(words: T): z.ZodEnum<{ [word in T[number]]: word }> {
  return z.enum(words, { error: `one of: ${words.join(', ')}` });
}

/** Name of an experiment, a namespace or a variant: a DNS label, because it becomes a header value, a metric label and a resource name. */
export const labelName: z.ZodString = patterned(
  /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
  'a name of 1 to 63 lower-case letters, digits and inner dashes',
);

/** Name that an expression can use. */
export const wordName: z.ZodString = patterned(
  /^[A-Za-z][A-Za-z0-9_]{0,62}$/,
  'a name of letters, digits and underscores that begins with a letter',
);

/** Name of an HTTP header, made lower-case; those that carry credentials are refused because evidence must never hold one. */
export const headerName: z.ZodType<string, string> = patterned(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, 'a header name')
  .transform((name) => name.toLowerCase())
  .refine((name) => !credentialHeaders.has(name), { error: 'a header that carries no credentials' });

const credentialHeaders: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x-api-key',
  'api-key',
]);

/** Place in a JSON document: keys and list positions from the root, `$.user.id` or `$.inputs[0].data`. */
export const jsonPath: z.ZodString = patterned(
  /^\$(\.[A-Za-z_][A-Za-z0-9_-]*|\[\d{1,6}\]){1,20}$/,
  'a JSON path such as $.user_id or $.items[0].id',
);

const unitsMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const longestMs = 3660 * unitsMs.d;

/** Length of time such as `500ms`, `30m`, `24h`, `7d`; gives milliseconds in [leastMs, ten years]. */
export function duration(leastMs: 0 | 1): z.ZodType<number, string> {
  const rule = 'a duration such as 500ms, 30m, 24h or 7d';
  return patterned(/^\d{1,9}(\.\d{1,3})?(ms|s|m|h|d|w)$/, rule)
    .transform((written) => {
      const unit = /[a-z]+$/.exec(written)![0] as keyof typeof unitsMs;
      return Math.round(Number.parseFloat(written) * unitsMs[unit]);
    })
    .refine((ms) => ms >= leastMs && ms <= longestMs, {
      error: `${rule}, ${leastMs === 0 ? 'at most ten years' : 'above zero and at most ten years'}`,
    });
}
