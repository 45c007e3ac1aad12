// What may stand in an experiment file: the schema of the whole, which also fills in the defaults and gives the normal form.
// What one key means for another (the control is a variant, a criterion names a metric) stands in experiment-rules.ts.
import { z } from 'zod';
import { decisionSchema, rampSchema, valueSchema } from './analysis-schema.ts';
import type { Experiment } from './experiment.ts';
import { expressionText, metricsSchema } from './metric-schema.ts';
import { outcomesSchema } from './outcome-schema.ts';
import { planSchema } from './plan-schema.ts';
import { bodyCaptureSchema, mirrorSchema, resilienceSchema } from './resilience-schema.ts';
import { closed, labelName, oneOf, text, wordName } from './schema-parts.ts';
import { captureSchema, routeSchema, unitSchema, variantsSchema } from './traffic-schema.ts';

/** `spec` in normal form; what stays undefined gets its default from other keys. */
export interface SpecForm
  extends Pick<
    Experiment,
    'hypothesis' | 'route' | 'unit' | 'control' | 'variants' | 'decision' | 'plan' | 'segments' | 'exclude'
  > {
  readonly salt: string | undefined;
  readonly layer: string | undefined;
  readonly layerShare: number | undefined;
  readonly holdout: Experiment['holdout'] | undefined;
  readonly coverage: number | undefined;
  readonly capture: Experiment['capture'] | undefined;
  readonly mirror: Experiment['mirror'] | undefined;
  readonly resilience: Experiment['resilience'] | undefined;
  readonly bodyCapture: Experiment['bodyCapture'] | undefined;
  readonly metrics: Experiment['metrics'] | undefined;
  readonly outcomes: Experiment['outcomes'] | undefined;
  readonly sensitivity: Experiment['sensitivity'] | undefined;
  readonly value: Experiment['value'] | undefined;
  readonly ramp: Experiment['ramp'] | undefined;
}

/** A whole document in normal form. */
export interface DocumentForm {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: SpecForm;
}

/** The parts of `spec`, each with its own schema, so that rules can look at the sound parts of a file that has faults elsewhere. */
export const specParts: { readonly [key in keyof SpecForm]: z.ZodType<SpecForm[key]> } = {
  hypothesis: z
    .string({ error: 'text of at most 2000 characters' })
    .max(2000, { error: 'text of at most 2000 characters' })
    .default('')
    .describe('What is expected, in one sentence'),
  salt: text(200, 'a salt').optional().describe('Seeds the assignment; default namespace/name'),
  layer: labelName.optional().describe('Group of mutually exclusive experiments'),
  layerShare: z
    .number({ error: 'a number in (0, 1]' })
    .gt(0, { error: 'a number in (0, 1]' })
    .max(1, { error: 'a number in (0, 1]' })
    .optional()
    .describe('Share of the units of the layer that this experiment may see; default 1'),
  holdout: closed(
    {
      name: labelName.describe('Experiments that name the same holdout keep the same units out'),
      share: z
        .number({ error: 'a number in (0, 1)' })
        .gt(0, { error: 'a number in (0, 1)' })
        .lt(1, { error: 'a number in (0, 1)' })
        .describe('Share of units kept out'),
    },
    'a mapping with name, share',
  )
    .optional()
    .describe('Units that no experiment sees which names it'),
  route: routeSchema,
  unit: unitSchema,
  control: z.string({ error: 'the name of one variant' }).describe('Name of the control variant'),
  variants: variantsSchema,
  coverage: z
    .number({ error: 'a number in [0, 1]' })
    .min(0, { error: 'a number in [0, 1]' })
    .max(1, { error: 'a number in [0, 1]' })
    .optional()
    .describe('Share of units taken in at start'),
  capture: captureSchema.optional(),
  mirror: mirrorSchema.optional(),
  resilience: resilienceSchema.optional(),
  bodyCapture: bodyCaptureSchema.optional(),
  metrics: metricsSchema.optional(),
  outcomes: outcomesSchema.optional(),
  sensitivity: z
    .array(oneOf(['exclude-mixed']), { error: 'a list of: exclude-mixed' })
    .max(1, { error: 'a list of: exclude-mixed' })
    .optional()
    .describe('Second numbers: without the units seen in several variants'),
  value: valueSchema.optional(),
  decision: decisionSchema.prefault({} as never),
  ramp: rampSchema.optional(),
  plan: planSchema,
  segments: z
    .array(wordName, { error: 'a list of captured names' })
    .max(20, { error: 'a list of at most 20 captured names' })
    .default([])
    .describe('The report is split by these'),
  exclude: z
    .array(expressionText, { error: 'a list of expressions' })
    .max(20, { error: 'a list of at most 20 expressions' })
    .default([])
    .describe('Predictions for which one is true are left out'),
};

const strings = z.record(z.string(), z.string({ error: 'text' }), { error: 'a mapping of names to text' }).optional();

/** One whole experiment document. */
export const documentSchema: z.ZodType<DocumentForm> = closed(
  {
    $schema: z.string({ error: 'the address of a JSON Schema' }).optional(),
    apiVersion: z.literal('assay.dev/v1alpha1', { error: '"assay.dev/v1alpha1"' }),
    kind: z.literal('Experiment', { error: '"Experiment"' }),
    metadata: closed(
      { name: labelName, namespace: labelName.default('default'), labels: strings, annotations: strings },
      'a mapping with name, namespace',
    ),
    spec: closed(specParts, 'a mapping with route, unit, control, variants and more'),
  },
  'a mapping with apiVersion, kind, metadata, spec',
);

/** JSON Schema (draft 2020-12) of an experiment file, for editors. */
export function makeExperimentSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(documentSchema, { io: 'input' });
  return {
    $schema,
    title: 'Assay experiment',
    description: 'One A/B test between machine-learning models (assay.dev/v1alpha1)',
    ...schema,
  };
}
