// Which outcome does a CloudEvents 1.0 event tell of? Its envelope gives id, type and time, its data value and subject.
// The parser of outcomes judges the result. https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
import { AssayError } from '../errors.ts';

/** Options of `outcomesOfCloudEvents`. */
export interface CloudEventOptions {
  /** A hash of a text, at most 64 characters: names events whose source and id are too long together. */
  readonly digest: (text: string) => string;
}

/** An event as its JSON format has it. */
type Envelope = Readonly<Record<string, unknown>>;

/** Longest id an outcome may have. */
const longestId = 200;
const subjectKeys = ['predictionId', 'requestId', 'unit'] as const;
const subjectPrefixes = { prediction: 'predictionId', request: 'requestId', unit: 'unit' } as const;

/**
 * The event of a request in binary mode, in the form its JSON format has: attributes from `ce-` headers, extensions too.
 *
 * @param headers names in lower case.
 * @param data the parsed body; undefined without one.
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md section 3.1
 */
export function cloudEventOfHeaders(headers: Iterable<readonly [string, string]>, data: unknown): Envelope {
  const attributes = [...headers].flatMap(([name, value]) =>
    name.startsWith('ce-') ? [[name.slice(3), decoded(value)] as const] : [],
  );
  return { ...Object.fromEntries(attributes), ...(data === undefined ? {} : { data }) };
}

/**
 * What `parseOutcomes` takes for each event. The id is `SOURCE ID`, the type the last part of the event's type without a version
 * (`com.shop.click.v2` is `click`) unless the data names one, the value `data.value`, scalar data itself, or true.
 *
 * @param events one event or a list, in the JSON format.
 * @throws AssayError `outcome-invalid` with every fault of the envelopes in `issues`.
 */
export function outcomesOfCloudEvents(events: unknown, { digest }: CloudEventOptions): unknown {
  const issues: { readonly place: string; readonly text: string }[] = [];
  const read = (event: unknown, place: string): unknown => {
    const faults = envelopeFaults(event);
    issues.push(
      ...faults
        .map(([name, text]) => ({ place: name === '' ? place : `${place}.${name}`, text }))
        .map(({ place: at, text }) => ({ place: at, text: `${at} ${text}` })),
    );
    return faults.length === 0 ? toOutcome(event as Envelope, digest) : undefined;
  };
  const outcomes = Array.isArray(events)
    ? events.map((event, index) => read(event, `events[${index}]`))
    : read(events, 'event');
  const [first] = issues;
  if (first !== undefined) {
    const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
    throw new AssayError('outcome-invalid', `${first.text}${more}`, { issues: issues.slice(0, 100) });
  }
  return outcomes;
}

function envelopeFaults(event: unknown): readonly (readonly [name: string, text: string])[] {
  if (!isObject(event)) return [['', `is ${show(event)}, must be a CloudEvents object`]];
  const faults: [string, string][] = [];
  if (event.specversion !== '1.0') faults.push(['specversion', `is ${show(event.specversion)}, must be "1.0"`]);
  for (const name of ['id', 'source', 'type']) {
    const value = event[name];
    if (typeof value !== 'string' || value === '') faults.push([name, `is ${show(value)}, must be a non-empty text`]);
  }
  for (const name of ['subject', 'time']) {
    const value = event[name];
    if (value !== undefined && value !== null && (typeof value !== 'string' || value === ''))
      faults.push([name, `is ${show(value)}, must be a non-empty text or missing`]);
  }
  if (event.data_base64 !== undefined) faults.push(['data_base64', 'is binary, must be JSON in data']);
  const { datacontenttype: type } = event;
  if (type !== undefined && type !== null && !(typeof type === 'string' && /^[\w.+-]+\/([\w.-]+\+)?json\b/i.test(type)))
    faults.push(['datacontenttype', `is ${show(type)}, must be application/json`]);
  return faults;
}

function toOutcome(event: Envelope, digest: (text: string) => string): Readonly<Record<string, unknown>> {
  const { id, source, type, time, subject, data } = event as Readonly<Record<string, unknown>> & {
    readonly id: string;
    readonly source: string;
    readonly type: string;
  };
  const given = isObject(data) ? data : data === undefined || data === null ? {} : { value: data };
  // A source is a URI reference and holds no blank: no two pairs make one text.
  const name = `${source} ${id}`;
  return {
    type: typeOf(type),
    value: true,
    ...(time === undefined || time === null ? {} : { time }),
    ...(typeof subject === 'string' && subjectKeys.every((key) => given[key] === undefined) ? subjectOf(subject) : {}),
    ...given,
    id: name.length <= longestId ? name : `ce-${digest(name)}`,
  };
}

function typeOf(type: string): string {
  const parts = type.split(/[./]/).filter((part) => part !== '');
  const named = parts.length > 1 && /^v\d+$/i.test(parts.at(-1) ?? '') ? parts.slice(0, -1) : parts;
  return named.at(-1) ?? type;
}

/** `prediction/ID`, `request/ID` or `unit/ID`; any other text is the unit id. */
function subjectOf(subject: string): Readonly<Record<string, string>> {
  const [, prefix, rest] = /^(prediction|request|unit)[/:](.+)$/s.exec(subject) ?? [];
  if (prefix === undefined || rest === undefined) return { unit: subject };
  return { [subjectPrefixes[prefix as keyof typeof subjectPrefixes]]: rest };
}

/** Header values are percent-encoded; one that is not is taken as it stands. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function isObject(value: unknown): value is Envelope {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
