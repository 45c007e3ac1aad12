// How does the experiment file say what happens beside the reply: copies to a shadow, care for a failing variant, kept bodies?
import { z } from 'zod';
import { type BodyCapture, defaultResilience, type Mirror, type Resilience } from './experiment.ts';
import { closed, duration, integer, jsonPath } from './schema-parts.ts';

const share = z
  .number({ error: 'a number in [0, 1]' })
  .min(0, { error: 'a number in [0, 1]' })
  .max(1, { error: 'a number in [0, 1]' });

/** `spec.mirror`: copies of requests to a shadow variant. */
export const mirrorSchema: z.ZodType<Mirror> = closed(
  {
    variant: z.string({ error: 'the name of one variant' }).describe('Variant that gets the copies; its weight is 0'),
    share: share.describe('Share of predictions copied, drawn per request'),
  },
  'a mapping with variant, share',
).describe('Copies of requests to a shadow variant; callers never see its replies');

const ejectionRule = 'false, or a mapping with failureRate, minRequests, windowMs, coolDownMs';
const { failureRate, minRequests, windowMs, coolDownMs } = defaultResilience.ejection!;
const ejectionSchema = z.union(
  [
    z.literal(false, { error: 'false' }).transform(() => null),
    closed(
      {
        failureRate: z
          .number({ error: 'a number in (0, 1]' })
          .gt(0, { error: 'a number in (0, 1]' })
          .max(1, { error: 'a number in (0, 1]' })
          .default(failureRate)
          .describe('Share of failed attempts that ejects'),
        minRequests: integer(1, 1_000_000)
          .default(minRequests)
          .describe('Attempts in the window before anything is said'),
        windowMs: integer(100, 3_600_000).default(windowMs).describe('How far back attempts count, milliseconds'),
        coolDownMs: integer(100, 3_600_000).default(coolDownMs).describe('How long a variant stays out, milliseconds'),
      },
      ejectionRule,
    ),
  ],
  { error: ejectionRule },
);

/** `spec.resilience`: when a failing variant is taken out, and what is tried besides the fallback to the control. */
export const resilienceSchema: z.ZodType<Resilience> = closed(
  {
    ejection: ejectionSchema
      .prefault({})
      .describe('When a failing variant is taken out and its units get the control; false never'),
    retries: integer(0, 3).default(defaultResilience.retries).describe('Further tries after connect or reset failures'),
    hedgeAfterMs: integer(1, 600_000)
      .optional()
      .describe('A second try starts when the first took this long, milliseconds; absent never'),
    maxInFlight: integer(1, 1_000_000)
      .default(defaultResilience.maxInFlight)
      .describe('Attempts of one variant under way at once'),
  },
  'a mapping with ejection, retries, hedgeAfterMs, maxInFlight',
)
  .transform(({ hedgeAfterMs, ...rest }): Resilience => ({ ...rest, hedgeAfterMs: hedgeAfterMs ?? null }))
  .describe('Care for a failing variant besides the fallback to the control');

/** `spec.bodyCapture`: sampled copies of request and reply bodies. */
export const bodyCaptureSchema: z.ZodType<BodyCapture> = closed(
  {
    share: share.describe('Share of predictions whose bodies are kept, drawn per request'),
    maxBytes: integer(1, 10_000_000).default(65_536).describe('Longer bodies are cut and marked, bytes'),
    redact: z
      .array(jsonPath, { error: 'a list of JSON paths' })
      .max(100, { error: 'a list of at most 100 JSON paths' })
      .default([])
      .describe('Places whose values are replaced by "[redacted]"'),
    retention: duration(1).prefault('7d').describe('How long bodies are kept'),
  },
  'a mapping with share, maxBytes, redact, retention',
)
  .transform(({ retention, ...rest }): BodyCapture => ({ ...rest, retentionMs: retention }))
  .describe('Sampled copies of request and reply bodies, for offline analysis and replay');
