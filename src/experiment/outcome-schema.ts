// How does the experiment file say which of somebody else's events are outcomes, and where in them everything stands?
import { z } from 'zod';
import { expressionText, outcomeType } from './metric-schema.ts';
import type { OutcomeMapping } from './outcome-mapping.ts';
import { closed, exactlyOneOf, jsonPath, onlyKey, wordName } from './schema-parts.ts';

const subjectKeys = ['unit', 'predictionId', 'requestId'] as const;
const subjects = { unit: 'unit', predictionId: 'prediction', requestId: 'request' } as const;
const attribute = z.record(wordName, jsonPath, { error: 'a mapping of names to JSON paths' });

/** `spec.outcomes`: mappings from events to outcomes, by name; the first whose `when` holds takes the event. */
export const outcomesSchema: z.ZodType<readonly OutcomeMapping[]> = z
  .record(
    wordName,
    closed(
      {
        when: expressionText.optional().describe('Over the members of the event; absent: every event'),
        type: outcomeType.describe('Type of the outcome'),
        unit: jsonPath.optional().describe('Place of the unit id in the event'),
        predictionId: jsonPath.optional().describe('Place of the prediction id'),
        requestId: jsonPath.optional().describe('Place of the request id'),
        value: jsonPath.optional().describe('Place of the value; absent: true'),
        time: jsonPath.optional().describe('Place of the time; absent: when it arrives'),
        id: jsonPath.optional().describe('Place of the id; absent: made from the content'),
        item: jsonPath.optional().describe('Place of the item the event is about'),
        served: jsonPath.optional().describe('Place of the variant the reporter believes was served'),
        attributes: attribute.default({}).describe('Further members to keep, by name'),
      },
      'a mapping with type and exactly one of: unit, predictionId, requestId',
    )
      .meta({ ...exactlyOneOf(subjectKeys) })
      .transform((value, context): Omit<OutcomeMapping, 'name'> => {
        const subject = onlyKey(value, { keys: subjectKeys, context });
        if (subject === undefined) return z.NEVER;
        const { type, attributes } = value;
        const optional = ['when', 'value', 'time', 'id', 'item', 'served'] as const;
        return {
          type,
          subject: { kind: subjects[subject], path: value[subject]! },
          attributes,
          ...Object.fromEntries(optional.flatMap((key) => (value[key] === undefined ? [] : [[key, value[key]]]))),
        };
      }),
    { error: 'a mapping of names to outcomes' },
  )
  .transform((outcomes) => Object.entries(outcomes).map(([name, mapping]) => ({ ...mapping, name })));
