// Which headers may pass the gateway, and which does it add? RFC 9110 section 7.6.1: hop-by-hop fields and those named in Connection stop here.

/** Raw header list: name, value, name, value; values latin1. */
export type RawHeaders = readonly string[];

/** Fields that belong to one connection, plus those whose framing the gateway makes anew. */
const hopByHop: ReadonlySet<string> = new Set([
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Made anew for the connection to the model server; in replies they pass. */
const remade: ReadonlySet<string> = new Set(['content-length', 'expect']);

/** Prefix of the gateway's own headers; a caller or a model server cannot set them. */
const ownPrefix = 'x-assay-';

/** Seldon's headers end here: a mesh behind the gateway would route by them a second time, past the variant's own address. */
const seldonHeaders: ReadonlySet<string> = new Set(['seldon-model', 'x-seldon-route']);

/** First value of a header, or undefined. `name` is in lower case. */
export function headerOf(headers: RawHeaders, name: string): string | undefined {
  for (let at = 0; at < headers.length; at += 2) {
    const written = headers[at]!;
    if (written.length === name.length && written.toLowerCase() === name) return headers[at + 1];
  }
  return undefined;
}

/** The headers without one of them. `name` is in lower case. */
export function withoutHeader(headers: RawHeaders, name: string): string[] {
  const kept: string[] = [];
  for (let at = 0; at < headers.length; at += 2)
    if (headers[at]!.toLowerCase() !== name) kept.push(headers[at]!, headers[at + 1]!);
  return kept;
}

/** How often a header occurs. `name` is in lower case. */
export function countHeader(headers: RawHeaders, name: string): number {
  let count = 0;
  for (let at = 0; at < headers.length; at += 2) {
    const written = headers[at]!;
    if (written.length === name.length && written.toLowerCase() === name) count += 1;
  }
  return count;
}

/**
 * What is to be done with a header. `stop`: never passes; `remade`: not towards the model server; `own`: stops under an experiment; `forwarded`: what the hops before
 * say about the caller, believed only from those we trust.
 */
type HeaderRule =
  | 'pass'
  | 'stop'
  | 'remade'
  | 'own'
  | 'host'
  | 'connection'
  | 'request-id'
  | 'trace'
  | 'forwarded'
  | 'forwarded-for'
  | 'forwarded-proto'
  | 'forwarded-host';

const rules: Readonly<Record<string, HeaderRule>> = {
  host: 'host',
  connection: 'connection',
  'x-request-id': 'request-id',
  traceparent: 'trace',
  forwarded: 'forwarded',
  'x-real-ip': 'forwarded',
  'x-forwarded-for': 'forwarded-for',
  'x-forwarded-proto': 'forwarded-proto',
  'x-forwarded-host': 'forwarded-host',
};

/** Rules by name as written: header names repeat, and to look one up is cheaper than to think. Bounded, because callers choose names. */
const known = new Map<string, HeaderRule>();

/** Length and first letter of a name, as one small number. */
const shapeOf = (name: string): number => (name.length << 5) | (name.charCodeAt(0) & 31);

/** Shapes of the names that have a rule of their own. Most names have another one and pass: to look at two numbers is cheaper than to hash a name. */
const ruledShapes = new Uint8Array(64 << 5);
for (const name of [...Object.keys(rules), ...hopByHop, ...remade, ...seldonHeaders]) ruledShapes[shapeOf(name)] = 1;

function ruleOf(written: string): HeaderRule {
  // What begins with x may be ours, or of a family.
  const isOfFamily = (written.charCodeAt(0) | 32) === 0x78;
  if (!isOfFamily && ruledShapes[shapeOf(written)] !== 1) return 'pass';
  let rule = known.get(written);
  if (rule === undefined) {
    const name = written.toLowerCase();
    rule =
      rules[name] ??
      (hopByHop.has(name)
        ? 'stop'
        : remade.has(name)
          ? 'remade'
          : name.startsWith(ownPrefix) || seldonHeaders.has(name)
            ? 'own'
            : name.startsWith('x-forwarded-')
              ? 'forwarded'
              : 'pass');
    if (known.size >= 1000) known.clear();
    if (written.length <= 64) known.set(written, rule);
  }
  return rule;
}

/** Adds the names listed in a Connection field, lower case, but for keep-alive and close; null for the usual case of none. */
function namedInConnection(value: string, before: Set<string> | null): Set<string> | null {
  let names = before;
  if (value === 'keep-alive' || value === 'close') return names;
  for (const token of value.toLowerCase().split(',')) {
    const name = token.trim();
    if (name === '' || name === 'keep-alive' || name === 'close') continue;
    names ??= new Set();
    names.add(name);
  }
  return names;
}

/** Takes out the fields a Connection field named. */
function dropNamed(headers: string[], named: ReadonlySet<string>): string[] {
  return headers.filter((_text, at) => !named.has(headers[at & ~1]!.toLowerCase()));
}

/** What the gateway tells a model server about the request. */
export interface ForwardedRequest {
  /** Address of the caller's connection. */
  readonly remoteAddress: string;
  readonly proto: 'http' | 'https';
  /** True when that address is one of our own proxies: then it is believed what it says of the hops before. */
  readonly isTrusted: boolean;
  /** False for requests that met no experiment: their `x-assay-*` headers are not ours. */
  readonly isMatched: boolean;
  /** W3C trace context that takes the place of the caller's; null or absent lets that one pass. */
  readonly traceparent?: string | null;
  /** Null for requests that are no predictions. */
  readonly prediction: {
    readonly experiment: string;
    readonly predictionId: string;
    readonly requestId: string;
  } | null;
}

/**
 * The request headers a model server gets: the caller's without hop-by-hop fields, Host, Content-Length (both are made
 * anew for the connection) and Expect (answered here), with `x-forwarded-*` completed, or made anew for a caller that is
 * not trusted with them.
 */
export function requestHeaders(headers: RawHeaders, forwarded: ForwardedRequest): string[] {
  const { remoteAddress, isTrusted, isMatched, prediction } = forwarded;
  const traceparent = forwarded.traceparent ?? null;
  const passed: string[] = [];
  let named: Set<string> | null = null;
  let forwardedFor = '';
  let host = '';
  let hasProto = false;
  let hasForwardedHost = false;
  for (let at = 0; at < headers.length; at += 2) {
    const written = headers[at]!;
    const value = headers[at + 1]!;
    const rule = ruleOf(written);
    if (rule !== 'pass') {
      if (rule === 'host') host = value;
      else if (rule === 'connection') named = namedInConnection(value, named);
      if (rule === 'host' || rule === 'connection' || rule === 'stop' || rule === 'remade') continue;
      if (rule === 'own') {
        if (isMatched) continue;
      } else if (rule === 'request-id') {
        if (prediction !== null) continue;
      } else if (rule === 'trace') {
        if (traceparent !== null) continue;
      } else {
        if (!isTrusted) continue;
        if (rule === 'forwarded-for') {
          forwardedFor = forwardedFor === '' ? value : `${forwardedFor}, ${value}`;
          continue;
        }
        if (rule === 'forwarded-proto') hasProto = true;
        else if (rule === 'forwarded-host') hasForwardedHost = true;
      }
    }
    passed.push(written, value);
  }
  const sent = named === null ? passed : dropNamed(passed, named);
  sent.push('x-forwarded-for', forwardedFor === '' ? remoteAddress : `${forwardedFor}, ${remoteAddress}`);
  if (!hasProto) sent.push('x-forwarded-proto', forwarded.proto);
  if (!hasForwardedHost && host !== '') sent.push('x-forwarded-host', host);
  if (traceparent !== null) sent.push('traceparent', traceparent);
  if (prediction !== null) {
    const { experiment, predictionId, requestId } = prediction;
    sent.push('x-request-id', requestId, 'x-assay-experiment', experiment, 'x-assay-prediction-id', predictionId);
  }
  return sent;
}

/** The reply headers a caller gets: the model server's without hop-by-hop fields and, under an experiment, without our own names. */
export function replyHeaders(headers: RawHeaders, underExperiment: boolean): string[] {
  const passed: string[] = [];
  let named: Set<string> | null = null;
  for (let at = 0; at < headers.length; at += 2) {
    const written = headers[at]!;
    const value = headers[at + 1]!;
    const rule = ruleOf(written);
    if (rule === 'connection') named = namedInConnection(value, named);
    if (rule === 'connection' || rule === 'stop') continue;
    if (underExperiment && (rule === 'request-id' || rule === 'own')) continue;
    passed.push(written, value);
  }
  return named === null ? passed : dropNamed(passed, named);
}
