// How does the text of an experiment file become an Experiment, or a list of everything that is wrong with it, line by line?
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from 'yaml';
import { AssayError } from '../errors.ts';
import type { Experiment } from './experiment.ts';
import { findRuleFaults } from './experiment-rules.ts';
import { type DocumentForm, documentSchema } from './experiment-schema.ts';
import { breach, type Fault, faultAt, faultsOf, formatPath, type Path } from './faults.ts';

/** Where the text came from, for messages. */
export interface ParseExperimentOptions {
  readonly file?: string;
}

const largestText = 256 * 1024;
const mostAliases = 100;
const deepestNesting = 64;

/**
 * The one experiment of a YAML or JSON text, defaults filled in.
 *
 * @throws AssayError `experiment-invalid`: the message is the first fault, prefixed `FILE:LINE: `; `issues` holds every fault.
 */
export function parseExperimentFile(text: string, options: ParseExperimentOptions = {}): Experiment {
  const experiments = parseExperimentFiles(text, options);
  if (experiments.length === 1) return experiments[0]!;
  throw refusal([fileIssue(`holds ${experiments.length} experiments, must hold one`, 1)], options);
}

/**
 * Every experiment of a YAML text, one per document.
 *
 * @throws AssayError `experiment-invalid`, as `parseExperimentFile`.
 */
export function parseExperimentFiles(text: string, options: ParseExperimentOptions = {}): readonly Experiment[] {
  if (text.length > largestText)
    throw refusal([fileIssue(`is ${text.length} characters long, must be at most ${largestText}`, 1)], options);
  const lines = new LineCounter();
  const documents = readDocuments(text, { lines, options });
  const issues: Issue[] = [];
  const experiments: Experiment[] = [];
  const seen = new Set<string>();
  for (const document of documents) {
    const { experiment, faults } = readDocument(document);
    for (const fault of faults) issues.push(toIssue(fault, { document, lines }));
    if (experiment === undefined) continue;
    const key = `${experiment.namespace}/${experiment.name}`;
    if (seen.has(key))
      issues.push(
        toIssue(faultAt(['metadata', 'name'], `is "${experiment.name}", which an earlier document already has`), {
          document,
          lines,
        }),
      );
    seen.add(key);
    experiments.push(experiment);
  }
  if (issues.length > 0)
    throw refusal(
      issues.toSorted((a, b) => a.line - b.line),
      options,
    );
  return experiments;
}

interface Issue {
  readonly place: string;
  readonly text: string;
  readonly line: number;
}

function refusal(issues: readonly Issue[], { file }: ParseExperimentOptions): AssayError {
  const [first, ...more] = issues as readonly [Issue, ...Issue[]];
  const where = file === undefined ? `line ${first.line}` : `${file}:${first.line}`;
  const others = more.length === 0 ? '' : ` (and ${more.length} more)`;
  return new AssayError('experiment-invalid', `${where}: ${first.text}${others}`, { issues });
}

function readDocuments(
  text: string,
  { lines, options }: { readonly lines: LineCounter; readonly options: ParseExperimentOptions },
): readonly Document.Parsed[] {
  const deep = findDepth(text);
  if (deep !== undefined)
    throw refusal([fileIssue(`is nested more than ${deepestNesting} levels deep, must be flatter`, deep)], options);
  const result = parseAllDocuments(text, { lineCounter: lines, stringKeys: true, prettyErrors: false });
  const parsed: readonly Document.Parsed[] = Array.isArray(result) ? result : [];
  // One slip makes a cascade of complaints; the first of each document is the one to mend.
  const issues = parsed.flatMap((document) =>
    [...document.errors, ...document.warnings].slice(0, 1).map((error) => {
      const message =
        error.code === 'DUPLICATE_KEY' ? 'a key appears twice in one mapping' : error.message.split('\n')[0];
      return fileIssue(`is not YAML: ${message}`, Math.max(1, lines.linePos(error.pos[0]).line));
    }),
  );
  if (issues.length > 0) throw refusal(issues, options);
  const documents = parsed.filter((document) => document.contents !== null && !isEmpty(document.contents));
  if (documents.length === 0) throw refusal([fileIssue('is empty, must hold an experiment', 1)], options);
  return documents;
}

/** The line on which brackets or indentation go too deep for a parser that recurses; quoted brackets count, which is harmless. */
function findDepth(text: string): number | undefined {
  let depth = 0;
  for (const [index, line] of text.split('\n').entries()) {
    const indent = /^[ \t]*(-[ \t]+)*/.exec(line)![0];
    if (indent.length > 4 * deepestNesting) return index + 1;
    for (const character of line) {
      if (character === '{' || character === '[') depth += 1;
      else if (character === '}' || character === ']') depth = Math.max(0, depth - 1);
      if (depth > deepestNesting) return index + 1;
    }
  }
  return undefined;
}

function fileIssue(rest: string, line: number): Issue {
  return { text: `the file ${rest}`, place: 'the file', line };
}

function isEmpty(node: unknown): boolean {
  return isScalar(node) && node.value === null;
}

function readDocument(document: Document.Parsed): {
  readonly experiment?: Experiment;
  readonly faults: readonly Fault[];
} {
  let raw: unknown;
  try {
    raw = document.toJS({ maxAliasCount: mostAliases });
  } catch (cause) {
    return { faults: [faultAt([], `cannot be expanded: ${cause instanceof Error ? cause.message : String(cause)}`)] };
  }
  if (apiVersionOf(raw) === 'mlops.seldon.io/v1alpha1')
    return {
      faults: [
        breach(['apiVersion'], {
          value: 'mlops.seldon.io/v1alpha1',
          rule: '"assay.dev/v1alpha1": take a Seldon Core experiment over with `assay import seldon`',
        }),
      ],
    };
  const result = documentSchema.safeParse(raw);
  const faults = [...(result.success ? [] : faultsOf(result.error.issues, { raw, base: [] })), ...findRuleFaults(raw)];
  if (!result.success || faults.length > 0) return { faults: dropRepeats(faults) };
  return { experiment: toExperiment(result.data), faults: [] };
}

function apiVersionOf(raw: unknown): unknown {
  return raw !== null && typeof raw === 'object' && 'apiVersion' in raw ? raw.apiVersion : undefined;
}

/** The first fault of a place says enough. */
function dropRepeats(faults: readonly Fault[]): readonly Fault[] {
  const seen = new Set<string>();
  return faults.filter((fault) => {
    const place = formatPath(fault.path);
    const isNew = !seen.has(place);
    seen.add(place);
    return isNew;
  });
}

function toExperiment({ metadata, spec }: DocumentForm): Experiment {
  const {
    salt,
    layer,
    layerShare,
    holdout,
    value,
    ramp,
    coverage,
    capture,
    mirror,
    resilience,
    bodyCapture,
    metrics,
    ...others
  } = spec;
  const { outcomes, sensitivity, ...rest } = others;
  return {
    apiVersion: 'assay.dev/v1alpha1',
    namespace: metadata.namespace,
    name: metadata.name,
    ...rest,
    salt: salt ?? `${metadata.namespace}/${metadata.name}`,
    coverage: coverage ?? ramp?.coverage[0] ?? 1,
    capture: capture ?? [],
    metrics: metrics ?? [],
    ...(layer === undefined ? {} : { layer }),
    ...(layerShare === undefined ? {} : { layerShare }),
    ...(holdout === undefined ? {} : { holdout }),
    ...(mirror === undefined ? {} : { mirror }),
    ...(resilience === undefined ? {} : { resilience }),
    ...(bodyCapture === undefined ? {} : { bodyCapture }),
    ...(value === undefined ? {} : { value }),
    ...(ramp === undefined ? {} : { ramp }),
    ...(outcomes === undefined ? {} : { outcomes }),
    ...(sensitivity === undefined ? {} : { sensitivity }),
  };
}

function toIssue(
  fault: Fault,
  { document, lines }: { readonly document: Document.Parsed; readonly lines: LineCounter },
): Issue {
  return {
    place: formatPath(fault.path),
    text: fault.text,
    line: lines.linePos(offsetOf(document, fault.path)).line,
  };
}

/** Where a path begins in the text; for a missing key, where the mapping that misses it begins. */
function offsetOf(document: Document.Parsed, path: Path): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
      if (pair === undefined) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      const item = node.items[Number(step)] as Node | undefined;
      if (item === undefined) break;
      offset = item.range?.[0] ?? offset;
      node = item;
    } else break;
  }
  return offset;
}
