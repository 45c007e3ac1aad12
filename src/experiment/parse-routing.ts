// Is this document from a file or the network a routing snapshot that can be served from?
import { z } from 'zod';
import { AssayError } from '../errors.ts';
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

const experimentSchema = z
  .object({
    namespace: word,
    name: word,
    revision: count,
    salt: word,
    layer: z.string().nullable(),
    route: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('model'), model: word }),
      z.object({ kind: z.literal('path'), path: word }),
      z.object({ kind: z.literal('host'), host: word }),
    ]),
    unit: z.object({
      sources: z.array(z.union([named, atPath, z.object({ kind: z.literal('request') })])).min(1),
      orElse: z.enum(['control', 'request']),
    }),
    coverage: z.number().min(0).max(1),
    epoch: count,
    control: word,
    allocation: allocationSchema,
    variants: z
      .array(
        z.object({
          name: word,
          weight: z.number().min(0),
          upstream: z.object({
            url: word,
            protocol: z.enum(['oip', 'json']),
            model: word.exactOptional(),
            version: word.exactOptional(),
          }),
          timeoutMs: z.number().positive(),
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
  })
  .superRefine(({ variants, control, allocation }, context) => {
    const known = variants.map((variant) => variant.name);
    const used = allocation.kind === 'fixed' ? allocation.ranges.map((range) => range.variant) : [allocation.variant];
    for (const variant of [control, ...used])
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
