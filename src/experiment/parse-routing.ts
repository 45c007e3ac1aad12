// Is this document from a file or the network a routing snapshot that can be served from?
import { z } from 'zod';
import { AssayError } from '../errors.ts';
import type { BodyCapture, RequestEdits, Resilience, UpstreamSpec } from './experiment.ts';
import { formatPath } from './faults.ts';
import type { Allocation, AllocationRange, RoutingSnapshot } from './routing.ts';

const bucketCount = 2 ** 32;
const word = z.string().min(1);
const count = z.int().min(0);

const rangesSchema = z
  .array(z.object({ variant: word, from: count, to: count }))
  .refine((ranges: readonly AllocationRange[]) => isWholeCover(ranges), {
    error: 'ranges that are sorted, disjoint and cover [0, 2^32)',
  });

function isWholeCover(ranges: readonly AllocationRange[]): boolean {
  let next = 0;
  for (const { from, to } of ranges) {
    if (from !== next || to <= from) return false;
    next = to;
  }
  return next === bucketCount;
}

const allocationSchema: z.ZodType<Allocation> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('fixed'), ranges: rangesSchema }),
  z.object({ kind: z.literal('single'), variant: word, reason: z.enum(['paused', 'promoted', 'ended']) }),
]);

const named = z.object({ kind: z.enum(['header', 'cookie', 'session']), name: word });
const atPath = z.object({ kind: z.literal('json'), path: word });

const share = z.number().min(0).max(1);
const secretSchema = z.union([
  z.object({ env: word, prefix: word.exactOptional() }),
  z.object({ file: word, prefix: word.exactOptional() }),
]);
const upstreamSchema: z.ZodType<UpstreamSpec> = z.object({
  url: word,
  protocol: z.enum(['oip', 'json', 'mlflow', 'tensorflow', 'openai']),
  grpcUrl: word.exactOptional(),
  model: word.exactOptional(),
  version: word.exactOptional(),
  headersFrom: z.record(word, secretSchema).exactOptional(),
  tls: z
    .object({ caFile: word.exactOptional(), certFile: word.exactOptional(), keyFile: word.exactOptional() })
    .exactOptional(),
  price: z
    .object({ input: z.number(), output: z.number(), per: z.number().positive(), currency: word })
    .exactOptional(),
});
const editsSchema: z.ZodType<RequestEdits> = z.object({
  headers: z.record(word, z.string()).exactOptional(),
  json: z.record(word, z.union([z.string(), z.number(), z.boolean()])).exactOptional(),
});
const resilienceSchema: z.ZodType<Resilience> = z.object({
  ejection: z
    .object({
      failureRate: z.number().positive().max(1),
      minRequests: count,
      windowMs: z.number().positive(),
      coolDownMs: z.number().positive(),
    })
    .nullable(),
  retries: count,
  hedgeAfterMs: z.number().positive().nullable(),
  maxInFlight: count,
});
const bodyCaptureSchema: z.ZodType<BodyCapture> = z.object({
  share,
  maxBytes: count,
  redact: z.array(word),
  retentionMs: z.number().positive(),
});

const experimentSchema = z
  .object({
    namespace: word,
    name: word,
    revision: count,
    salt: word,
    layer: z.string().nullable(),
    gates: z
      .array(
        z.object({
          kind: z.enum(['layer', 'holdout']),
          salt: word,
          ranges: z.array(z.object({ from: count, to: count })),
        }),
      )
      .exactOptional(),
    route: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('model'), model: word }),
      z.object({ kind: z.literal('path'), path: word }),
      z.object({ kind: z.literal('host'), host: word }),
    ]),
    unit: z.object({
      sources: z.array(z.union([named, atPath, z.object({ kind: z.literal('request') })])).min(1),
      orElse: z.enum(['control', 'request']),
    }),
    coverage: share,
    epoch: count,
    control: word,
    allocation: allocationSchema,
    variants: z
      .array(
        z.object({
          name: word,
          weight: z.number().min(0),
          upstream: upstreamSchema,
          timeoutMs: z.number().positive(),
          set: editsSchema.exactOptional(),
        }),
      )
      .min(1),
    capture: z.array(
      z.object({
        name: word,
        from: z.enum(['request', 'reply']),
        source: z.union([z.object({ kind: z.enum(['header', 'tensor']), name: word }), atPath]),
        threshold: z.number().exactOptional(),
      }),
    ),
    mirror: z.object({ variant: word, share }).exactOptional(),
    resilience: resilienceSchema.exactOptional(),
    bodyCapture: bodyCaptureSchema.exactOptional(),
  })
  .superRefine(({ variants, control, allocation, mirror }, context) => {
    const known = variants.map((variant) => variant.name);
    const used = allocation.kind === 'fixed' ? allocation.ranges.map((range) => range.variant) : [allocation.variant];
    const shadow = mirror === undefined ? [] : [mirror.variant];
    for (const variant of [control, ...used, ...shadow])
      if (!known.includes(variant))
        context.addIssue({ code: 'custom', message: `an experiment whose variants include "${variant}"` });
  });

const snapshotSchema = z.object({
  format: z.literal('assay-routing'),
  version: z.literal(1),
  revision: count,
  experiments: z.array(experimentSchema),
}) satisfies z.ZodType<unknown>;

/**
 * The routing snapshot a value holds. Keys it does not know are dropped, so that a reader survives a newer writer.
 *
 * @throws AssayError `input-invalid` naming the first place that breaks a rule.
 */
export function parseRoutingSnapshot(value: unknown): RoutingSnapshot {
  const result = snapshotSchema.safeParse(value);
  if (result.success) return result.data as RoutingSnapshot;
  const issues = result.error.issues.map((issue) => {
    const place = formatPath([
      'snapshot',
      ...issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step)),
    ]);
    return { place, text: `${place} is not right: ${issue.message}` };
  });
  throw new AssayError('input-invalid', issues[0]!.text, { issues });
}
