// How does an event, posted as somebody else's program writes it, become an outcome? By the mappings its experiment declares.
import { AssayError } from '../errors.ts';
import type { OutcomeMapping } from '../experiment/index.ts';
import { type Expression, evaluateExpression } from '../expression/index.ts';
import { readExpression } from './metric-sql.ts';
import { type ParseOutcomesOptions, parseOutcomes } from './outcome.ts';
import type { Json, OutcomeRecord, Scalar } from './record.ts';

/** Options of `mapEvents`. */
export interface MapEventsOptions extends ParseOutcomesOptions {
  readonly mappings: readonly OutcomeMapping[];
  /** A hash of a text, at most 64 characters: names events that have no id, so that the same event twice counts once. */
  readonly digest: (text: string) => string;
}

/** What became of a list of events. */
export interface MappedEvents {
  readonly records: readonly OutcomeRecord[];
  /** Events no mapping takes: they are none of our business, not faults. */
  readonly ignored: number;
}

/** Below this an epoch counts seconds: 1973 in milliseconds, the year 5138 in seconds. */
const earliestMs = 1e11;
const subjectKeys = { unit: 'unit', prediction: 'predictionId', request: 'requestId' } as const;

/**
 * The outcomes in a request body of events: one event or a list. The first mapping whose `when` holds takes an event.
 *
 * @throws AssayError `outcome-invalid` with every fault in `issues`; then nothing of the body is accepted.
 * @throws AssayError `body-too-large` for more than `maxItems` events.
 */
export function mapEvents(body: unknown, options: MapEventsOptions): MappedEvents {
  const events = Array.isArray(body) ? body : [body];
  const maxItems = options.maxItems ?? 10_000;
  if (events.length > maxItems) {
    throw new AssayError('body-too-large', `events has ${events.length} items, must have at most ${maxItems}`);
  }
  const ready = options.mappings.map((mapping) => ({
    mapping,
    when: mapping.when === undefined ? undefined : readExpression(mapping.when, `outcomes.${mapping.name}.when`),
  }));
  const issues: { readonly place: string; readonly text: string; readonly line?: number }[] = [];
  const records: OutcomeRecord[] = [];
  let ignored = 0;
  for (const [index, event] of events.entries()) {
    const line = options.lines?.[index];
    const place = line !== undefined ? `line ${line}` : Array.isArray(body) ? `events[${index}]` : 'event';
    const at = line === undefined ? { place } : { place, line };
    if (!isObject(event)) {
      issues.push({ ...at, text: `${place} is ${JSON.stringify(event)}, must be an object` });
      continue;
    }
    const taken = ready.find(({ when }) => when === undefined || holds(when, event));
    if (taken === undefined) {
      ignored += 1;
      continue;
    }
    try {
      const { lines: _, ...alone } = options;
      records.push(...parseOutcomes(toOutcome(event, taken.mapping, options.digest), alone));
    } catch (fault) {
      if (!(fault instanceof AssayError) || fault.code !== 'outcome-invalid') throw fault;
      issues.push({ ...at, text: `${place}, read by ${taken.mapping.name}: ${fault.message}` });
    }
  }
  const [first] = issues;
  if (first !== undefined) {
    const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
    throw new AssayError('outcome-invalid', `${first.text}${more}`, { issues: issues.slice(0, 100) });
  }
  return { records, ignored };
}

type Event = { readonly [name: string]: Json };

function holds(when: Expression, event: Event): boolean {
  const lookup = (name: string): Scalar | undefined => scalar(read(event, name.split('.')));
  return Boolean(evaluateExpression(when, lookup));
}

function toOutcome(
  event: Event,
  mapping: OutcomeMapping,
  digest: (text: string) => string,
): Readonly<Record<string, unknown>> {
  const at = (path: string | undefined): Json | undefined =>
    path === undefined ? undefined : read(event, stepsOf(path));
  const kept = { ...mapping.attributes, item_id: mapping.item, variant_served: mapping.served };
  const attributes = Object.fromEntries(
    Object.entries(kept).flatMap(([name, path]) => {
      const value = at(path);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const id = at(mapping.id);
  const subject = at(mapping.subject.path);
  const time = at(mapping.time);
  return {
    id: id === undefined ? `${mapping.name}-${digest(canonical(event))}` : asText(id),
    type: mapping.type,
    value: mapping.value === undefined ? true : at(mapping.value),
    // A number identifies a user as well as its text does: callers send it as text in a header.
    [subjectKeys[mapping.subject.kind]]: subject === undefined ? null : asText(subject),
    ...(mapping.time === undefined ? {} : { time: time === undefined ? null : asTime(time) }),
    attributes,
  };
}

/** Epoch seconds are taken for what they are, and a time without a zone for UTC: foreign events write both. */
function asTime(value: Json): Json {
  if (typeof value === 'number') return Math.abs(value) < earliestMs ? value * 1000 : value;
  if (typeof value !== 'string') return value;
  const text = value.replace(/^(\d{4}-\d{2}-\d{2}) (?=\d)/, '$1T');
  return /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?$/.test(text) ? `${text}Z` : text;
}

function asText(value: Json): Json {
  return typeof value === 'number' ? String(value) : value;
}

function canonical(value: Json): string {
  if (!isObject(value)) {
    return Array.isArray(value) ? `[${value.map((each: Json) => canonical(each)).join(',')}]` : JSON.stringify(value);
  }
  const members = Object.keys(value).sort();
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name] ?? null)}`).join(',')}}`;
}

/** The steps of a path such as `$.user.id` or `$.items[0].id`, checked when the experiment was read. */
function stepsOf(path: string): readonly string[] {
  return [...path.matchAll(/\.([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]/g)].map(([, key, position]) => key ?? position ?? '');
}

function read(event: Json, steps: readonly string[]): Json | undefined {
  let value: Json | undefined = event;
  for (const step of steps) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Event)[step];
  }
  return value;
}

function scalar(value: Json | undefined): Scalar | undefined {
  return typeof value === 'object' || value === undefined ? undefined : value;
}

function isObject(value: unknown): value is Event {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
