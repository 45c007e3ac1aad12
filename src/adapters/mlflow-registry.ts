// How does Assay ask an MLflow server which version an alias means, move an alias, and tag a version?
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { ModelRegistry, RegisteredModel } from '../control/index.ts';
import { AssayError } from '../errors.ts';

/** Options of `createMlflowRegistry`. */
export interface MlflowRegistryOptions {
  /** Address of the MLflow server; a base path is kept. */
  readonly url: string;
  /** Value of the Authorization header. */
  readonly authorization?: string;
  /** Chance in 0..1, for the jitter of pauses. */
  readonly random: () => number;
  /** How long one answer may take, milliseconds; default 5,000. */
  readonly timeoutMs?: number;
  /** How often a call is made that finds nobody; default 3. */
  readonly tries?: number;
}

const versionSchema = z.object({
  name: z.string(),
  // Older servers write int64 fields as numbers.
  version: z.union([z.string(), z.number()]).transform(String),
  tags: z.array(z.object({ key: z.string(), value: z.string().default('') })).default([]),
});
const foundSchema = z.object({ model_version: versionSchema });
const faultSchema = z.object({ error_code: z.string().default(''), message: z.string().default('') });

/** How an MLflow server is asked: method, path beneath the API, and query or body. */
interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly values: Readonly<Record<string, string>>;
}

/**
 * The registry of an MLflow server (2.9 or later: aliases).
 *
 * MLflow has no compare-and-set for aliases: `moveAlias` reads, writes and reads again, so two movers within the same
 * milliseconds may both believe that they were first.
 * @see https://mlflow.org/docs/latest/api_reference/rest-api.html
 */
export function createMlflowRegistry(options: MlflowRegistryOptions): ModelRegistry {
  const { random, timeoutMs = 5_000, tries = 3 } = options;
  const base = `${options.url.replace(/\/+$/, '')}/api/2.0/mlflow`;
  const place = `MLflow at ${options.url}`;
  const headers = {
    'content-type': 'application/json',
    ...(options.authorization === undefined ? {} : { authorization: options.authorization }),
  };

  const callOnce = async ({ method, path, values }: Call): Promise<unknown> => {
    const query = method === 'GET' ? `?${new URLSearchParams(values)}` : '';
    let reply: Response;
    let text: string;
    try {
      reply = await fetch(`${base}/${path}${query}`, {
        method,
        headers,
        signal: AbortSignal.timeout(timeoutMs),
        ...(method === 'GET' ? {} : { body: JSON.stringify(values) }),
      });
      text = await reply.text();
    } catch (cause) {
      const { message, cause: deeper } = cause as Error;
      const why = deeper instanceof Error && deeper.message !== '' ? deeper.message : message;
      throw new AssayError('registry-unreachable', `${place} does not answer: ${why}`, { cause });
    }
    const body = parseJson(text);
    if (reply.ok && body !== undefined) return body;
    const fault = faultSchema.safeParse(body);
    const said = fault.success && fault.data.message !== '' ? fault.data.message : text.trim();
    const why = `${place} answered ${reply.status} to ${method} ${path}: ${said.slice(0, 300) || 'nothing'}`;
    const isPassing = reply.status >= 500 || reply.status === 429 || reply.status === 408;
    throw new AssayError(isPassing ? 'registry-unreachable' : 'registry-refused', why);
  };
  const call = async (wanted: Call): Promise<unknown> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await callOnce(wanted);
      } catch (fault) {
        if (attempt >= tries || !(fault instanceof AssayError && fault.retryable)) throw fault;
        await pause(200 * 2 ** (attempt - 1) * (0.5 + random()));
      }
    }
  };
  const read = async (path: string, values: Call['values']): Promise<RegisteredModel> => {
    const result = foundSchema.safeParse(await call({ method: 'GET', path, values }));
    if (!result.success)
      throw new AssayError('registry-refused', `${place} answered ${path} without a model version`, {
        fix: 'See that MLFLOW_TRACKING_URI is the address of an MLflow server.',
      });
    const { name, version, tags } = result.data.model_version;
    return { name, version, tags: Object.fromEntries(tags.map(({ key, value }) => [key, value])) };
  };
  const findAlias = (name: string, alias: string): Promise<RegisteredModel> =>
    read('registered-models/alias', { name, alias });

  return {
    place,
    find: (reference) =>
      reference.kind === 'alias'
        ? findAlias(reference.name, reference.alias)
        : read('model-versions/get', { name: reference.name, version: reference.version }),
    async moveAlias({ name, alias, from, to }) {
      const present = await findAlias(name, alias).catch((fault: unknown) => {
        if (fault instanceof AssayError && fault.code === 'registry-refused') return null;
        throw fault;
      });
      if (present === null || (present.version !== from && present.version !== to))
        return { kind: 'elsewhere', version: present?.version ?? null };
      if (present.version === to) return { kind: 'moved' };
      await call({ method: 'POST', path: 'registered-models/alias', values: { name, alias, version: to } });
      const { version } = await findAlias(name, alias);
      return version === to ? { kind: 'moved' } : { kind: 'elsewhere', version };
    },
    async tag({ name, version }, tags) {
      for (const [key, value] of Object.entries(tags))
        await call({ method: 'POST', path: 'model-versions/set-tag', values: { name, version, key, value } });
    },
  };
}

/**
 * The registry that the environment names as MLflow's own clients read it: MLFLOW_REGISTRY_URI, else MLFLOW_TRACKING_URI;
 * MLFLOW_TRACKING_TOKEN, else MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD. Null where none is named.
 *
 * @throws AssayError `usage-invalid` for an address that is no http or https URL: Assay asks servers, not files or databases.
 */
export function openMlflowRegistry(
  environment: Readonly<Record<string, string | undefined>>,
  random: () => number,
): ModelRegistry | null {
  const variable = environment.MLFLOW_REGISTRY_URI ? 'MLFLOW_REGISTRY_URI' : 'MLFLOW_TRACKING_URI';
  const url = environment[variable];
  if (!url) return null;
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new AssayError('usage-invalid', `${variable} is ${JSON.stringify(url)}, must be an http or https URL`, {
      fix: 'Start `mlflow server` and name its address.',
    });
  const { username, password, origin, pathname } = new URL(url);
  const token = environment.MLFLOW_TRACKING_TOKEN;
  const user = environment.MLFLOW_TRACKING_USERNAME ?? decodeURIComponent(username);
  const secret = environment.MLFLOW_TRACKING_PASSWORD ?? decodeURIComponent(password);
  const authorization = token
    ? `Bearer ${token}`
    : user
      ? `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`
      : undefined;
  return createMlflowRegistry({
    url: `${origin}${pathname}`.replace(/\/+$/, ''),
    random,
    ...(authorization === undefined ? {} : { authorization }),
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
