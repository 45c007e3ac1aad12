// How do form and file stay one document? The form reads and writes places of the YAML text; comments and order survive.
import { type Document, isMap, isSeq, parseDocument } from 'yaml';

/** A path into the document. */
export type DocumentPath = readonly (string | number)[];

/** What a first file looks like. */
export const firstFile: string = `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: my-experiment}
spec:
  hypothesis: The candidate is better than the control
  route: {model: my-model}
  # Who must always see the same model. Without this header the control answers and the request is not analysed.
  unit: {header: x-user-id, orElse: control}
  control: control
  variants:
    - {name: control, weight: 50, upstream: {url: "http://127.0.0.1:9001", protocol: json}}
    - {name: candidate, weight: 50, upstream: {url: "http://127.0.0.1:9002", protocol: json}}
  metrics:
    latency: {mean: attempt_ms}
    error_rate: {mean: failed}
  decision:
    primary: ["latency - control.latency < 5"]
    guardrails: ["error_rate < 0.02"]
    minDuration: 7d
  plan: {requestsPerDay: 50000}
`;

/** Reads the text; undefined while it is no YAML map, and the form then waits. */
export function readDocument(text: string): Document | undefined {
  const document = parseDocument(text, { keepSourceTokens: true });
  return document.errors.length === 0 && isMap(document.contents) ? document : undefined;
}

/** What stands at a place, as text for a field. */
export function textAt(document: Document, path: DocumentPath): string {
  const value = document.getIn(path);
  return value === undefined || value === null || typeof value === 'object' ? '' : String(value);
}

/** The keys of a map at a place, or the indices of a list. */
export function keysAt(document: Document, path: DocumentPath): readonly (string | number)[] {
  const node = document.getIn(path, true);
  if (isSeq(node)) return node.items.map((_, at) => at);
  return isMap(node) ? node.items.map(({ key }) => String(key)) : [];
}

/** The texts of a list at a place. */
export function listAt(document: Document, path: DocumentPath): readonly string[] {
  return keysAt(document, path).map((key) => textAt(document, [...path, key]));
}

/** The text with one place changed; a number is written as one, and an empty field takes the place out. */
export function withChange(text: string, path: DocumentPath, value: unknown): string {
  const document = readDocument(text);
  if (document === undefined) return text;
  if (value === '' || value === undefined) document.deleteIn(path);
  else document.setIn(path, plainValue(value));
  return textOf(document);
}

/** The text with something done to its document. */
export function withEdit(text: string, edit: (document: Document) => void): string {
  const document = readDocument(text);
  if (document === undefined) return text;
  edit(document);
  return textOf(document);
}

const textOf = (document: Document): string => document.toString({ lineWidth: 0, flowCollectionPadding: false });

function plainValue(value: unknown): unknown {
  return typeof value === 'string' && value.trim() !== '' && /^-?\d+(\.\d+)?$/.test(value.trim())
    ? Number(value)
    : value;
}
