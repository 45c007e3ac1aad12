// The page's endpoints in OpenAPI 3.1. Their shapes stand in page-messages.ts and may grow; programs should prefer the report.
import { paths } from './routes.ts';

type Schema = Readonly<Record<string, unknown>>;

const text: Schema = { type: 'string' };
const namespace = { name: 'namespace', in: 'query', schema: { ...text, default: 'default' } } as const;
const name = { name: 'name', in: 'path', required: true, schema: text } as const;
const problem: Schema = {
  description: 'A fault, as RFC 9457 problem+json with code, detail and fix',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};
const json = (description: string): Schema => ({
  200: { description, content: { 'application/json': { schema: { type: 'object' } } } },
  default: problem,
});

const about = (summary: string, more: readonly unknown[] = []): Schema => ({
  get: {
    summary: `${summary}; use If-None-Match`,
    parameters: [name, namespace, ...more],
    responses: { ...json('The answer'), 304: { description: 'As the reader has it' } },
  },
});

const post = (summary: string, type: string): Schema => ({
  post: {
    summary,
    requestBody: { required: true, content: { [type]: { schema: type.endsWith('json') ? { type: 'object' } : text } } },
    responses: json('The answer'),
  },
});

const experiment = (path: string): string => `/api/v1/experiments/{name}/${path}`;

/** Paths of the page's endpoints. */
export const pagePaths: Schema = {
  [paths.session]: {
    get: {
      summary: 'Whether a token is needed, and whether this browser is signed in',
      responses: json('The session'),
    },
    ...post('Sign a browser in: {"token"} for an HttpOnly cookie', 'application/json'),
    delete: { summary: 'Sign out', responses: json('The session') },
  },
  [paths.live]: {
    get: {
      summary: 'Server-sent events: which experiment has changed; goes on after Last-Event-ID',
      responses: {
        200: { description: 'Events', content: { 'text/event-stream': { schema: text } } },
        default: problem,
      },
    },
  },
  [paths.validate]: post('What `assay validate` says of a file, with line and column', 'application/yaml'),
  [paths.power]: {
    post: {
      ...(post('What `assay power` says of a file', 'application/yaml').post as Schema),
      parameters: [{ name: 'unitsPerDay', in: 'query', schema: { type: 'number', exclusiveMinimum: 0 } }],
    },
  },
  [paths.probe]: post('Whether a model server answers: {"url"}', 'application/json'),
  [paths.playground]: post('Who gets what, and why: {"experiment", "units"}, at most 1,000', 'application/json'),
  [experiment('overview')]: about('The report with verdict, health, formats and offered steps', [
    { name: 'at', in: 'query', schema: { ...text, description: 'A time: as the last verdict kept before it was' } },
  ]),
  [experiment('now')]: about('The last hour by variant'),
  [experiment('series')]: about('Split, looks and maturity over time'),
  [experiment('split-cells')]: about('Where the split is off: by time, segment and revision, worst first'),
  [experiment('distributions')]: about('Latency of attempts by variant'),
  [experiment('served')]: about('Who answered whom, and why'),
  [experiment('timeline')]: about('Every change with what was before and after'),
  [experiment('revisions')]: about('The file as it was and is, with differences'),
};
