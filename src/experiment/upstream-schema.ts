// How does the experiment file say where a model is and how it is asked: address, protocol, secrets, certificates, edits of the request?
import { z } from 'zod';
import type { RequestEdits, SecretSource, UpstreamSpec } from './experiment.ts';
import { parseModelReference } from './model-reference.ts';
import { closed, exactlyOneOf, headerName, oneOf, onlyKey, patterned, text } from './schema-parts.ts';

function isAddress(written: string): boolean {
  if (!/^https?:\/\/[^\s\\]+$/i.test(written) || !URL.canParse(written)) return false;
  const url = new URL(written);
  return url.username === '' && url.password === '' && !/[?#@]/.test(written);
}
const withoutSlash = (written: string): string => written.replace(/\/+$/, '');

const urlRule =
  'an http or https URL without credentials, query or fragment, or a registered model: models:/NAME@ALIAS or models:/NAME/VERSION';
const upstreamUrl = z
  .string({ error: urlRule })
  .max(2000, { error: urlRule })
  .refine((written) => isAddress(written) || parseModelReference(written) !== undefined, { error: urlRule })
  .transform(withoutSlash);

const servedAtRule = 'an http or https URL in which {name} and {version} may stand';
const servedAtUrl = z
  .string({ error: servedAtRule })
  .max(2000, { error: servedAtRule })
  .refine(
    (written) => {
      const example = written.replaceAll('{name}', 'n').replaceAll('{version}', '1');
      return isAddress(example) && !/[{}]/.test(example);
    },
    { error: servedAtRule },
  )
  .transform(withoutSlash);

const grpcRule = 'an http or https URL without path, such as http://127.0.0.1:8001';
const grpcUrl = z
  .string({ error: grpcRule })
  .refine((written) => isAddress(written) && new URL(written).pathname === '/', { error: grpcRule })
  .transform(withoutSlash);

/** Fields whose value the gateway makes itself; `x-assay-*` comes on top. */
const gatewayHeaders: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'expect',
  'host',
  'inference-header-content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-forwarded-for',
  'x-request-id',
]);
const isSettable = (name: string): boolean => !gatewayHeaders.has(name) && !name.startsWith('x-assay-');
const settable = { error: 'a header that the gateway does not make itself' };

const secretKeys = ['env', 'file'] as const;
const secretSchema = closed(
  {
    env: patterned(/^[A-Za-z_][A-Za-z0-9_]{0,199}$/, 'the name of an environment variable')
      .optional()
      .describe('Environment variable that holds the secret'),
    file: text(1000, 'the path of a file')
      .optional()
      .describe('File that holds the secret; read again when it changes'),
    prefix: patterned(/^[\x20-\x7e]{1,100}$/, 'up to 100 visible ASCII characters')
      .optional()
      .describe('Stands before the secret, such as "Bearer "'),
  },
  'a mapping with exactly one of: env, file; and prefix',
)
  .meta({ ...exactlyOneOf(secretKeys) })
  .transform((value, context): SecretSource & { readonly prefix?: string } => {
    const kind = onlyKey(value, { keys: secretKeys, context });
    if (kind === undefined) return z.NEVER;
    const source = kind === 'env' ? { env: value.env! } : { file: value.file! };
    return value.prefix === undefined ? source : { ...source, prefix: value.prefix };
  });

const secretHeader = patterned(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, 'a header name')
  .transform((name) => name.toLowerCase())
  .refine(isSettable, settable);

const pemFile = text(1000, 'the path of a PEM file').optional();
const tlsSchema = closed(
  {
    caFile: pemFile.describe('Authorities this server may be signed by, instead of the usual ones'),
    certFile: pemFile.describe('Our certificate, where the server asks for one'),
    keyFile: pemFile.describe('Key of our certificate'),
  },
  'a mapping with caFile, certFile, keyFile',
).transform((value, context): NonNullable<UpstreamSpec['tls']> => {
  for (const [given, missing] of [
    ['certFile', 'keyFile'],
    ['keyFile', 'certFile'],
  ] as const)
    if (value[given] !== undefined && value[missing] === undefined)
      context.addIssue({
        code: 'custom',
        path: [missing],
        message: `the path of a PEM file, because ${given} is given`,
      });
  return {
    ...(value.caFile === undefined ? {} : { caFile: value.caFile }),
    ...(value.certFile === undefined ? {} : { certFile: value.certFile }),
    ...(value.keyFile === undefined ? {} : { keyFile: value.keyFile }),
  };
});

const amount = z.number({ error: 'a number >= 0' }).min(0, { error: 'a number >= 0' });
const priceSchema: z.ZodType<NonNullable<UpstreamSpec['price']>> = closed(
  {
    input: amount.describe('Price of prompt tokens'),
    output: amount.describe('Price of completion tokens'),
    per: z
      .number({ error: 'a number > 0' })
      .gt(0, { error: 'a number > 0' })
      .default(1_000_000)
      .describe('Tokens the price is for'),
    currency: text(20, 'a currency').default('USD').describe('What the price is counted in'),
  },
  'a mapping with input, output, per, currency',
);

const upstreamShape = {
  url: upstreamUrl.describe(
    'Base address of the model server, or a registered model: models:/NAME@ALIAS, models:/NAME/VERSION',
  ),
  servedAt: servedAtUrl
    .optional()
    .describe(
      'Where a registered model is served; {name} and {version} are put in. Without it the version says so itself',
    ),
  protocol: oneOf(['oip', 'json', 'mlflow', 'tensorflow', 'openai'])
    .optional()
    .describe(
      'oip: Open Inference Protocol v2; json: the request as it came; mlflow: /invocations; tensorflow: /v1/models/NAME:predict; openai: chat completions, completions, embeddings',
    ),
  grpcUrl: grpcUrl.optional().describe('Address of the same model server for gRPC calls'),
  model: text(200, 'a model name').optional().describe('Model name at the upstream'),
  version: text(100, 'a model version').optional().describe('Model version at the upstream'),
  headersFrom: z
    .record(secretHeader, secretSchema, { error: 'a mapping of header names to secrets' })
    .optional()
    .describe('Request headers whose values come from the environment or a file'),
  tls: tlsSchema.optional().describe('Certificates for connections to this server'),
  price: priceSchema.optional().describe('Price of tokens'),
};

/** Which protocols a key of `upstream` means something for. */
const protocolsOf = {
  model: ['oip', 'tensorflow', 'openai'],
  version: ['oip', 'tensorflow'],
  grpcUrl: ['oip'],
  price: ['openai'],
} as const satisfies Readonly<Record<string, readonly UpstreamSpec['protocol'][]>>;

/** `variants[].upstream`: where the model is and what its server speaks. */
export const upstreamSchema: z.ZodType<UpstreamSpec> = closed(
  upstreamShape,
  `a mapping with ${Object.keys(upstreamShape).join(', ')}`,
).transform((value, context): UpstreamSpec => {
  const isRegistered = value.url.startsWith('models:');
  const protocol = value.protocol ?? (value.model === undefined ? (isRegistered ? 'mlflow' : 'json') : 'oip');
  const issue = (key: string, message: string): void => context.addIssue({ code: 'custom', path: [key], message });
  if ((protocol === 'oip' || protocol === 'tensorflow') && value.model === undefined)
    issue('model', `the model name at the upstream, because protocol is ${protocol}`);
  for (const [key, protocols] of Object.entries(protocolsOf) as [keyof typeof protocolsOf, readonly string[]][])
    if (value[key] !== undefined && !protocols.includes(protocol))
      issue(key, `absent unless protocol is ${protocols.join(' or ')}`);
  if (value.servedAt !== undefined && !isRegistered) issue('servedAt', 'absent unless the url begins with models:');
  const isEncrypted = [value.url, value.grpcUrl].some((url) => url !== undefined && /^https:/i.test(url));
  if (value.tls !== undefined && !isEncrypted && !isRegistered) issue('tls', 'absent unless the url begins with https');
  return {
    url: value.url,
    protocol,
    ...(value.grpcUrl === undefined ? {} : { grpcUrl: value.grpcUrl }),
    ...(value.model === undefined ? {} : { model: value.model }),
    ...(value.version === undefined ? {} : { version: value.version }),
    ...(value.headersFrom === undefined ? {} : { headersFrom: value.headersFrom }),
    ...(value.tls === undefined ? {} : { tls: value.tls }),
    ...(value.price === undefined ? {} : { price: value.price }),
    ...(value.servedAt === undefined ? {} : { servedAt: value.servedAt }),
  };
});

const editedHeader = (headerName as z.ZodType<string, string>).refine(isSettable, settable);
const scalar = z.union([z.string().max(10_000), z.number(), z.boolean()], { error: 'text, a number or a boolean' });
/** `variants[].set`: what a variant writes into each request. */
export const editsSchema: z.ZodType<RequestEdits> = closed(
  {
    headers: z
      .record(editedHeader, patterned(/^[\x21-\x7e]([\x20-\x7e]{0,2000}[\x21-\x7e])?$/, 'visible ASCII text'), {
        error: 'a mapping of header names to text',
      })
      .optional()
      .describe('Request headers, set or replaced'),
    json: z
      .record(text(200, 'a member name'), scalar, { error: 'a mapping of member names to text, numbers or booleans' })
      .optional()
      .describe('Top-level members of a JSON body, set or replaced'),
  },
  'a mapping with headers, json',
).transform(
  (value): RequestEdits => ({
    ...(value.headers === undefined ? {} : { headers: value.headers }),
    ...(value.json === undefined ? {} : { json: value.json }),
  }),
);
