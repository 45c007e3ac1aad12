// The API in OpenAPI 3.1, for client generators and for people who read before they call.
import { pagePaths } from './page-openapi.ts';
import { experimentActions, paths } from './routes.ts';

type Schema = Readonly<Record<string, unknown>>;

const text: Schema = { type: 'string' };
const namespace = { name: 'namespace', in: 'query', schema: { ...text, default: 'default' } } as const;
const name = { name: 'name', in: 'path', required: true, schema: text } as const;

const answer = (description: string, schema: Schema = { type: 'object' }): Schema => ({
  description,
  content: { 'application/json': { schema } },
});

const problem: Schema = {
  description: 'A fault, as RFC 9457 problem+json with code, detail and fix',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

const get = (summary: string, description: string, parameters: readonly unknown[] = []): Schema => ({
  get: { summary, parameters, responses: { 200: answer(description), default: problem } },
});

/** The OpenAPI 3.1 document of the control plane. */
export const openApi: Schema = {
  openapi: '3.1.0',
  info: { title: 'Assay', version: '1', description: 'Control plane: experiments, outcomes, reports, verdicts.' },
  paths: {
    [paths.outcomes]: {
      post: {
        summary: 'Report what happened afterwards; 2xx only when durable, idempotent by id',
        parameters: [namespace],
        requestBody: {
          required: true,
          content: {
            'application/json': {
              schema: {
                oneOf: [
                  { $ref: '#/components/schemas/Outcome' },
                  { type: 'array', maxItems: 10_000, items: { $ref: '#/components/schemas/Outcome' } },
                ],
              },
            },
            'application/x-ndjson': { schema: { ...text, description: 'One outcome per line, up to 100,000' } },
            'application/cloudevents+json': { schema: { type: 'object' } },
            'application/cloudevents-batch+json': { schema: { type: 'array', items: { type: 'object' } } },
          },
        },
        responses: {
          200: answer('All outcomes are durable', {
            type: 'object',
            required: ['accepted'],
            properties: { accepted: { type: 'integer' } },
          }),
          default: problem,
        },
      },
    },
    [paths.metrics]: {
      get: {
        summary: 'Metrics of all processes; OpenMetrics with exemplars where the Accept header names it',
        responses: { 200: { description: 'Text', content: { 'text/plain': { schema: text } } }, default: problem },
      },
    },
    [paths.alerts]: {
      post: {
        summary: 'Webhook of Alertmanager: firing alerts labelled `experiment` pause or roll back, each once',
        requestBody: { required: true, content: { 'application/json': { schema: { type: 'object' } } } },
        responses: { 200: answer('What was done about each alert'), default: problem },
      },
    },
    [paths.segments]: {
      post: {
        summary: 'Hand a closed log file of another server over; 2xx only when durable here, idempotent',
        parameters: [
          { name: 'writer', in: 'query', required: true, schema: { ...text, pattern: '^[0-9a-f]{16}$' } },
          { name: 'first', in: 'query', required: true, schema: { type: 'integer', minimum: 1 } },
        ],
        requestBody: {
          required: true,
          content: { 'application/octet-stream': { schema: { ...text, format: 'binary' } } },
        },
        responses: { 200: answer('The file is durable here'), default: problem },
      },
    },
    [paths.erasure]: {
      post: {
        summary: 'Erase every record of one unit',
        requestBody: {
          required: true,
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Erasure' } } },
        },
        responses: { 200: answer('How many records of each kind went'), default: problem },
      },
    },
    '/api/v1/events/{name}': {
      post: {
        summary: 'Report events as another program writes them; the mappings of the experiment make outcomes of them',
        parameters: [name, namespace],
        requestBody: {
          required: true,
          content: {
            'application/json': {
              schema: { oneOf: [{ type: 'object' }, { type: 'array', maxItems: 10_000, items: { type: 'object' } }] },
            },
          },
        },
        responses: {
          200: answer('All outcomes are durable', {
            type: 'object',
            required: ['accepted', 'ignored'],
            properties: { accepted: { type: 'integer' }, ignored: { type: 'integer' } },
          }),
          default: problem,
        },
      },
    },
    [paths.experiments]: get('All experiments', 'A list of experiments', [namespace]),
    '/api/v1/experiments/{name}': {
      ...get('One experiment, as wanted and as it is', 'The experiment', [name, namespace]),
      put: {
        summary: 'Create or revise an experiment from its file (YAML or JSON)',
        parameters: [
          name,
          namespace,
          {
            name: 'If-Match',
            in: 'header',
            schema: {
              ...text,
              description: 'The revision the file was made from, as "3"; 409 when there is a newer one',
            },
          },
          {
            name: 'If-None-Match',
            in: 'header',
            schema: { ...text, enum: ['*'], description: 'Only create: 409 when the experiment is there' },
          },
        ],
        requestBody: { required: true, content: { 'application/yaml': { schema: text } } },
        responses: { 200: answer('The experiment'), default: problem },
      },
    },
    ...Object.fromEntries(
      experimentActions.map((action) => [
        `/api/v1/experiments/{name}/${action}`,
        {
          post: {
            summary: `Step: ${action}`,
            parameters: [name, namespace],
            requestBody: {
              required: true,
              content: { 'application/json': { schema: { $ref: '#/components/schemas/Action' } } },
            },
            responses: { 200: answer('The experiment after the step'), default: problem },
          },
        },
      ]),
    ),
    '/api/v1/experiments/{name}/report': get('The full report', 'The report', [name, namespace]),
    '/api/v1/experiments/{name}/verdict': get(
      'The decision with its reasons; with for=rollout a gate that always answers 200: pass, fail or wait',
      'The verdict, or the gate',
      [name, namespace, { name: 'for', in: 'query', schema: { ...text, enum: ['rollout'] } }],
    ),
    '/api/v1/experiments/{name}/audit': get(
      'Every change with what was before and after, read from the disk again, and whether the chain holds',
      'Chain, changes, and the recomputed verdicts where they are asked for',
      [name, namespace, { name: 'recompute', in: 'query', schema: { ...text, enum: ['summaries', 'records'] } }],
    ),
    '/api/v1/experiments/{name}/approve': {
      post: {
        summary: 'Take the step that the decision loop has proposed',
        parameters: [name, namespace],
        requestBody: {
          required: true,
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Approval' } } },
        },
        responses: { 200: answer('The experiment after the step'), default: problem },
      },
    },
    '/api/v1/experiments/{name}/annotations': {
      post: {
        summary: 'Remark on a time: a launch, an outage',
        parameters: [name, namespace],
        requestBody: {
          required: true,
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Annotation' } } },
        },
        responses: { 200: answer('All annotations of the experiment'), default: problem },
      },
    },
    '/api/v1/experiments/{name}/history': get('Who changed what and why', 'Entries of the control log', [
      name,
      namespace,
    ]),
    '/api/v1/experiments/{name}/explain': get('Why a unit gets its variant', 'The assignment', [
      name,
      namespace,
      { name: 'unit', in: 'query', required: true, schema: text },
    ]),
    ...pagePaths,
    [paths.portfolio]: get(
      'All experiments of a namespace: win rate, effects freed from luck, their sum; ?costPerTest= for the return on testing',
      'The portfolio',
    ),
    [paths.routing]: get('The routing snapshot; use If-None-Match', 'The snapshot'),
    [paths.status]: get('Counters of the gateway and the logs', 'The counters'),
    [paths.health]: get('The process lives', 'Alive'),
    [paths.ready]: get('The process can serve and record', 'Ready'),
  },
  components: {
    schemas: {
      Outcome: {
        type: 'object',
        required: ['id', 'type', 'value'],
        additionalProperties: false,
        properties: {
          id: { ...text, description: 'Your id; the same id twice counts once' },
          type: { ...text, examples: ['label', 'click', 'revenue'] },
          value: { type: ['number', 'string', 'boolean'] },
          time: { type: ['string', 'number'], description: 'ISO 8601 or epoch milliseconds; default: now' },
          predictionId: { ...text, description: 'ID, or ID#ROW for one row of a batched request' },
          row: { type: 'integer', minimum: 0, description: 'One row of a batched request, beside predictionId' },
          requestId: text,
          unit: text,
          attributes: { type: 'object' },
        },
      },
      Erasure: {
        type: 'object',
        additionalProperties: false,
        required: ['unit'],
        properties: { unit: { ...text, description: 'The unit id as callers send it' } },
      },
      Action: {
        type: 'object',
        required: ['reason'],
        additionalProperties: false,
        properties: { author: text, reason: text, coverage: { type: 'number', minimum: 0, maximum: 1 }, variant: text },
      },
      Approval: {
        type: 'object',
        required: ['reason'],
        additionalProperties: false,
        properties: {
          author: text,
          reason: text,
          proposal: {
            type: 'object',
            description: 'The step the approver has seen; 409 when another one waits by now',
            required: ['step'],
            properties: { step: { ...text, enum: ['ramp', 'promote'] }, coverage: { type: 'number' }, variant: text },
          },
        },
      },
      Annotation: {
        type: 'object',
        required: ['text'],
        additionalProperties: false,
        properties: {
          author: text,
          text,
          at: { type: ['string', 'number'], description: 'ISO 8601 or epoch milliseconds; default: now' },
          until: { type: ['string', 'number'], description: 'End of a span of time' },
        },
      },
      Problem: {
        type: 'object',
        required: ['type', 'title', 'status', 'detail', 'code', 'fix'],
        properties: {
          type: text,
          title: text,
          status: { type: 'integer' },
          detail: text,
          code: text,
          fix: text,
          retryable: { type: 'boolean' },
          issues: { type: 'array', items: { type: 'object' } },
        },
      },
    },
  },
};
