// What does the YAML of a Seldon Core v2 Experiment say? Only the wire format is shared with Seldon: its rules are checked as
// its scheduler checks them, and more strictly where it lets a slip through to the traffic.
import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from 'yaml';
import { AssayError } from '../errors.ts';

/** Group, version and names of Seldon's resource. */
export const seldonResource = {
  apiVersion: 'mlops.seldon.io/v1alpha1',
  group: 'mlops.seldon.io',
  version: 'v1alpha1',
  plural: 'experiments',
} as const;

/** One Seldon Experiment, checked. */
export interface SeldonExperiment {
  readonly name: string;
  /** Undefined: the one the file is applied to. */
  readonly namespace: string | undefined;
  /** The candidate whose own endpoint is split; undefined: only `NAME.experiment` is. */
  readonly default: string | undefined;
  readonly resourceType: 'model' | 'pipeline';
  /** Share = weight / sum of weights. */
  readonly candidates: readonly { readonly name: string; readonly weight: number }[];
  readonly mirror: { readonly name: string; readonly percent: number } | undefined;
}

/** What came of a conversion, and what a person has to know about it. */
export interface Converted<T> {
  readonly value: T;
  readonly warnings: readonly string[];
}

type Place = readonly (string | number)[];
interface Reading {
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
  fault(place: Place, rest: string): void;
  warn(place: Place, rest: string): void;
}

/**
 * The Seldon Experiments of a YAML text; documents of other kinds are left out with a warning.
 *
 * @throws AssayError `experiment-invalid`: the message is the first fault, prefixed `FILE:LINE: `; `issues` holds every fault.
 */
export function parseSeldonExperiments(
  text: string,
  { file }: { readonly file: string },
): Converted<readonly SeldonExperiment[]> {
  const lines = new LineCounter();
  const result = parseAllDocuments(text, { lineCounter: lines, stringKeys: true, prettyErrors: false });
  const documents: readonly Document.Parsed[] = Array.isArray(result) ? result : [];
  const issues: { place: string; text: string; line: number }[] = [];
  const warnings: string[] = [];
  const value: SeldonExperiment[] = [];
  const baselines = new Map<string, string>();
  for (const document of documents) {
    const reading: Reading = {
      document,
      lines,
      fault: (place, rest) =>
        issues.push({ place: placeText(place), text: `${placeText(place)} ${rest}`, line: lineOf(reading, place) }),
      warn: (place, rest) => warnings.push(`${file}:${lineOf(reading, place)}: ${placeText(place)} ${rest}`),
    };
    const broken = document.errors[0];
    if (broken !== undefined) {
      const line = Math.max(1, lines.linePos(broken.pos[0]).line);
      issues.push({ place: 'the file', text: `the file is not YAML: ${broken.message.split('\n')[0]}`, line });
      continue;
    }
    const raw: unknown = document.toJS({ maxAliasCount: 100 });
    if (raw === null || raw === undefined) continue;
    const found = readDocument(raw, reading);
    if (found === undefined) continue;
    value.push(found);
    if (found.default === undefined) continue;
    const baseline = `${found.namespace ?? ''}/${found.resourceType}/${found.default}`;
    const other = baselines.get(baseline);
    if (other === undefined) baselines.set(baseline, found.name);
    else
      reading.fault(
        ['spec', 'default'],
        `is "${found.default}", which is already the default of experiment "${other}"`,
      );
  }
  if (issues.length === 0 && value.length === 0)
    issues.push({ place: 'the file', text: `the file holds no Experiment of ${seldonResource.apiVersion}`, line: 1 });
  const [first, ...more] = issues.toSorted((a, b) => a.line - b.line);
  if (first === undefined) return { value, warnings };
  const others = more.length === 0 ? '' : ` (and ${more.length} more)`;
  throw new AssayError('experiment-invalid', `${file}:${first.line}: ${first.text}${others}`, {
    issues: [first, ...more],
  });
}

function readDocument(raw: unknown, reading: Reading): SeldonExperiment | undefined {
  const head = mappingAt(raw, { place: [], reading });
  if (head === undefined) return undefined;
  if (head.kind !== 'Experiment' || head.apiVersion !== seldonResource.apiVersion) {
    const what = `${show(head.apiVersion)} ${show(head.kind)}`;
    reading.warn(['kind'], `makes this document a ${what}, which is no Seldon Experiment; it is left out`);
    return undefined;
  }
  const metadata = mappingAt(head.metadata, { place: ['metadata'], reading });
  const spec = mappingAt(head.spec, { place: ['spec'], reading });
  if (metadata === undefined || spec === undefined) return undefined;
  warnUnknown(spec, { place: ['spec'], known: ['default', 'resourceType', 'candidates', 'mirror'], reading });
  const name = textAt(metadata.name, { place: ['metadata', 'name'], reading });
  const namespace =
    metadata.namespace === undefined
      ? undefined
      : textAt(metadata.namespace, { place: ['metadata', 'namespace'], reading });
  const byDefault =
    spec.default === undefined || spec.default === null || spec.default === ''
      ? undefined
      : textAt(spec.default, { place: ['spec', 'default'], reading });
  const candidates = readCandidates(spec.candidates, reading);
  const mirror = readMirror(spec.mirror, reading);
  checkNames({ byDefault, candidates, mirror }, reading);
  const { resourceType } = spec;
  if (resourceType !== undefined && resourceType !== '' && resourceType !== 'model' && resourceType !== 'pipeline')
    reading.warn(['spec', 'resourceType'], `is ${show(resourceType)}, which Seldon takes for model; so it is here`);
  return {
    name: name ?? '',
    namespace,
    default: byDefault,
    resourceType: resourceType === 'pipeline' ? 'pipeline' : 'model',
    candidates,
    mirror,
  };
}

function readCandidates(raw: unknown, reading: Reading): SeldonExperiment['candidates'] {
  const place = ['spec', 'candidates'];
  if (!Array.isArray(raw)) {
    reading.fault(place, `is ${show(raw)}, must be a list of models with their weights`);
    return [];
  }
  const candidates = raw.flatMap((each: unknown, index) => {
    const here = [...place, index];
    const mapping = mappingAt(each, { place: here, reading });
    if (mapping === undefined) return [];
    warnUnknown(mapping, { place: here, known: ['name', 'weight'], reading });
    const name = textAt(mapping.name, { place: [...here, 'name'], reading });
    const weight = wholeAt(mapping.weight, { place: [...here, 'weight'], most: 2 ** 31 - 1, reading });
    // A document with a fault is refused as a whole; the name stays so that one slip makes one complaint.
    return name === undefined ? [] : [{ name, weight: weight ?? 1 }];
  });
  if (candidates.length > 0 && candidates.length === raw.length && candidates.every(({ weight }) => weight === 0))
    reading.fault(place, 'have weights that are all 0, must have one above 0');
  return candidates;
}

function readMirror(raw: unknown, reading: Reading): SeldonExperiment['mirror'] {
  if (raw === undefined || raw === null) return undefined;
  const place = ['spec', 'mirror'];
  const mapping = mappingAt(raw, { place, reading });
  if (mapping === undefined) return undefined;
  warnUnknown(mapping, { place, known: ['name', 'percent'], reading });
  const name = textAt(mapping.name, { place: [...place, 'name'], reading });
  const percent = wholeAt(mapping.percent, { place: [...place, 'percent'], most: 2 ** 31 - 1, reading });
  if (name === undefined || percent === undefined) return undefined;
  if (percent > 100) reading.warn([...place, 'percent'], `is ${percent}, which Seldon takes for 100; so it is here`);
  return { name, percent: Math.min(100, percent) };
}

function checkNames(
  found: {
    readonly byDefault: string | undefined;
    readonly candidates: SeldonExperiment['candidates'];
    readonly mirror: SeldonExperiment['mirror'];
  },
  reading: Reading,
): void {
  const names = found.candidates.map(({ name }) => name);
  if (found.byDefault !== undefined && !names.includes(found.byDefault))
    reading.fault(
      ['spec', 'default'],
      `is "${found.byDefault}", must be one of the candidates: ${names.join(', ') || 'there is none'}`,
    );
  if (names.length === 0 && found.mirror === undefined)
    reading.fault(['spec'], 'has neither candidates nor a mirror, must have one of them');
  for (const [index, name] of names.entries())
    if (names.indexOf(name) < index)
      reading.fault(['spec', 'candidates', index, 'name'], `is "${name}", which an earlier candidate already is`);
  if (found.mirror !== undefined && names.includes(found.mirror.name))
    reading.fault(['spec', 'mirror', 'name'], `is "${found.mirror.name}", which is a candidate already`);
}

function mappingAt(
  raw: unknown,
  { place, reading }: { readonly place: Place; readonly reading: Reading },
): Readonly<Record<string, unknown>> | undefined {
  if (raw !== null && typeof raw === 'object' && !Array.isArray(raw)) return raw as Record<string, unknown>;
  reading.fault(place, `is ${show(raw)}, must be a mapping`);
  return undefined;
}

function textAt(
  raw: unknown,
  { place, reading }: { readonly place: Place; readonly reading: Reading },
): string | undefined {
  if (typeof raw === 'string' && /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(raw)) return raw;
  reading.fault(place, `is ${show(raw)}, must be a name of lower-case letters, digits, inner dashes and dots`);
  return undefined;
}

function wholeAt(
  raw: unknown,
  { place, most, reading }: { readonly place: Place; readonly most: number; readonly reading: Reading },
): number | undefined {
  if (typeof raw === 'number' && Number.isInteger(raw) && raw >= 0 && raw <= most) return raw;
  reading.fault(place, `is ${show(raw)}, must be an integer in [0, ${most}]`);
  return undefined;
}

/** Seldon's API server drops keys it does not know, so a misspelt one changes nothing without a word. */
function warnUnknown(
  mapping: Readonly<Record<string, unknown>>,
  { place, known, reading }: { readonly place: Place; readonly known: readonly string[]; readonly reading: Reading },
): void {
  for (const key of Object.keys(mapping))
    if (!known.includes(key))
      reading.warn([...place, key], `is an unknown key, which Seldon drops; known are: ${known.join(', ')}`);
}

function show(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}

function placeText(place: Place): string {
  const text = place.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');
  return text === '' ? 'the file' : text.slice(1);
}

/** Line of a place; of the mapping that misses it where it is missing. */
function lineOf({ document, lines }: Reading, place: Place): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const step of place) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === step);
      if (pair === undefined) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof step === 'number') {
      const item = node.items[step] as Node | undefined;
      if (item === undefined) break;
      offset = item.range?.[0] ?? offset;
      node = item;
    } else break;
  }
  return Math.max(1, lines.linePos(offset).line);
}
