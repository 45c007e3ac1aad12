// How does the experiment file say which requests take part, who gets which model, and what is read on the way?
import { z } from 'zod';
import type { Capture, Route, UnitRule, UnitSource, Variant } from './experiment.ts';
import {
  closed,
  exactlyOneOf,
  headerName,
  integer,
  jsonPath,
  labelName,
  oneOf,
  onlyKey,
  patterned,
  text,
  wordName,
} from './schema-parts.ts';
import { editsSchema, upstreamSchema } from './upstream-schema.ts';

const routeKeys = ['model', 'path', 'host'] as const;
/** `spec.route`: which requests belong to the experiment. */
export const routeSchema: z.ZodType<Route> = closed(
  {
    model: text(200, 'an OIP model name').optional().describe('Requests to /v2/models/{model}/...'),
    path: patterned(
      /^\/([^/?#\s]+(\/[^/?#\s]+)*)?$/,
      'a path that begins with / and has no query, such as /v1/recommend',
    )
      .optional()
      .describe('Requests to this path or below it'),
    host: patterned(/^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/, 'a host name without port')
      .optional()
      .describe('Requests with this Host header'),
  },
  'a mapping with exactly one of: model, path, host',
)
  .meta({ ...exactlyOneOf(routeKeys), description: 'Which requests belong to the experiment' })
  .transform((value, context): Route => {
    const kind = onlyKey(value, { keys: routeKeys, context });
    if (kind === undefined) return z.NEVER;
    if (kind === 'model') return { kind, model: value.model! };
    return kind === 'path' ? { kind, path: value.path! } : { kind, host: value.host!.toLowerCase() };
  });

const sourceKeys = ['header', 'cookie', 'session', 'json'] as const;
const sourceShape = {
  header: headerName.optional().describe('Request header that carries the unit id'),
  cookie: patterned(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, 'a cookie name')
    .optional()
    .describe('Cookie with the unit id'),
  session: patterned(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, 'a header or cookie name')
    .optional()
    .describe('Header or cookie of this name that carries the session id'),
  json: jsonPath.optional().describe('Place of the unit id in the request body'),
};
type SourceValue = { readonly [key in (typeof sourceKeys)[number]]?: string | undefined };

function toSource(value: SourceValue, context: z.RefinementCtx): UnitSource | undefined {
  const kind = onlyKey(value, { keys: sourceKeys, context });
  if (kind === undefined) return undefined;
  return kind === 'json' ? { kind, path: value.json! } : { kind, name: value[kind]! };
}

const unitWord: z.ZodType<UnitRule> = z
  .literal('request', { error: 'request' })
  .transform((): UnitRule => ({ sources: [{ kind: 'request' }], orElse: 'request' }));
const unitMapping: z.ZodType<UnitRule> = closed(
  {
    ...sourceShape,
    from: z
      .array(
        closed(sourceShape, 'a mapping with exactly one of: header, cookie, session, json')
          .meta({ ...exactlyOneOf(sourceKeys) })
          .transform((value, context): UnitSource => toSource(value, context) ?? z.NEVER),
        { error: 'a list of sources' },
      )
      .min(1, { error: 'a list of 1 to 10 sources' })
      .max(10, { error: 'a list of 1 to 10 sources' })
      .optional()
      .describe('Several places, tried in order'),
    orElse: oneOf(['control', 'request'])
      .optional()
      .describe('Without an id: the control answers, or each request is a unit'),
  },
  'request, or a mapping with exactly one of: header, cookie, session, json, from',
)
  .meta({ ...exactlyOneOf([...sourceKeys, 'from']) })
  .transform((value, context): UnitRule => {
    const orElse = value.orElse ?? 'control';
    const kind = onlyKey(value, { keys: [...sourceKeys, 'from'], context });
    if (kind === undefined) return z.NEVER;
    if (kind === 'from') return { sources: value.from!, orElse };
    const source = toSource(value, context);
    return source === undefined ? z.NEVER : { sources: [source], orElse };
  });
/** `spec.unit`: what is randomised, and where its id is read. */
export const unitSchema: z.ZodType<UnitRule> = z
  .union([unitWord, unitMapping], {
    error: 'request, or a mapping with exactly one of: header, cookie, session, json, from',
  })
  .describe('What is randomised, and where its id is read');

/** `spec.variants`: the models that compete. */
export const variantsSchema: z.ZodType<readonly Variant[]> = z
  .array(
    closed(
      {
        name: labelName,
        weight: integer(0, 1_000_000).describe('Share is weight / sum of weights'),
        upstream: upstreamSchema,
        timeoutMs: integer(1, 600_000).default(30_000).describe('The whole attempt, milliseconds'),
        set: editsSchema.optional().describe('What is written into each request of this variant'),
      },
      'a mapping with name, weight, upstream, timeoutMs, set',
    ).transform(({ set, ...rest }): Variant => (set === undefined ? rest : { ...rest, set })),
    { error: 'a list of variants' },
  )
  .min(2, { error: 'a list of 2 to 100 variants' })
  .max(100, { error: 'a list of 2 to 100 variants' });

const captureKeys = ['header', 'json', 'tensor'] as const;
/** `spec.capture`: values read from request and reply, by name. */
export const captureSchema: z.ZodType<readonly Capture[]> = z
  .record(
    wordName,
    closed(
      {
        header: headerName.optional(),
        json: jsonPath.optional(),
        tensor: text(200, 'a tensor name').optional().describe('First element of this OIP tensor'),
        from: oneOf(['request', 'reply']).optional(),
        threshold: z
          .number({ error: 'a number' })
          .optional()
          .describe('The value becomes 1 when it is >= threshold, else 0'),
      },
      'a mapping with exactly one of: header, json, tensor',
    )
      .meta({ ...exactlyOneOf(captureKeys) })
      .transform((value, context): Omit<Capture, 'name' | 'from'> & { readonly from: Capture['from'] | undefined } => {
        const kind = onlyKey(value, { keys: captureKeys, context });
        if (kind === undefined) return z.NEVER;
        return {
          // Undefined means "by its name", which is known one level up.
          from: value.from ?? (kind === 'tensor' ? 'reply' : undefined),
          source: kind === 'json' ? { kind, path: value.json! } : { kind, name: value[kind]! },
          ...(value.threshold === undefined ? {} : { threshold: value.threshold }),
        };
      }),
    { error: 'a mapping of names to captures' },
  )
  .transform((captures): readonly Capture[] =>
    Object.entries(captures).map(([name, capture]) => ({
      ...capture,
      name,
      from: capture.from ?? (name === 'prediction' || name === 'confidence' ? 'reply' : 'request'),
    })),
  );
