// How does a promotion, or another version of a model, look in a YAML file under git? Only the values change: comments, order and
// spacing stay, so that a review shows one line.
import { type Document, isMap, isScalar, isSeq, type Node, type Pair, parseAllDocuments, Scalar } from 'yaml';
import { AssayError } from '../errors.ts';
import { seldonResource } from './seldon-experiment.ts';

const ownVersion = 'assay.dev/v1alpha1';

/** Who shall have all the traffic. */
export interface ManifestPromotion {
  /** Name of the experiment, ours or Seldon's. */
  readonly experiment: string;
  readonly variant: string;
  /** Name of the winner's model in Seldon. */
  readonly model: string;
}

/**
 * The text with all weight at the winner: in the experiment file of this name, and in a Seldon Experiment of this name.
 *
 * @throws AssayError `git-refused` when it holds no such experiment, or one without the winner.
 */
export function promoteInManifest(text: string, { experiment, variant, model }: ManifestPromotion): string {
  return editDocuments(
    text,
    (head, root) => {
      if (head.kind !== 'Experiment' || head.name !== experiment) return undefined;
      const [list, winner] =
        head.apiVersion === ownVersion
          ? (['variants', variant] as const)
          : head.apiVersion === seldonResource.apiVersion
            ? (['candidates', model] as const)
            : ([] as const);
      if (list === undefined) return undefined;
      const items = itemsAt(root, ['spec', list]);
      const names = items.map((item) => scalarText(item, 'name'));
      if (!names.includes(winner))
        throw refusal(`${list} of experiment "${experiment}" are ${names.join(', ')}, must hold "${winner}"`);
      return items.map((item, index) => ({ map: item, key: 'weight', value: names[index] === winner ? 100 : 0 }));
    },
    { what: `experiment "${experiment}"`, isAlone: false },
  );
}

/** Which version of which model. */
export interface ManifestVersion {
  /** A variant of an experiment file, or a Model of Seldon. */
  readonly variant: string;
  /** Undefined: the only experiment in the file. */
  readonly experiment: string | undefined;
  readonly version: string;
}

/**
 * The text with another version of a model: `upstream.version` (or the number in `models:/NAME/7`) of the variant in an
 * experiment file; of a Seldon Model `storageUri` where the version is an address, else `artifactVersion`.
 *
 * @throws AssayError `git-refused` when the file has no such variant, or a version that does not fit.
 */
export function setVersionInManifest(text: string, { variant, experiment, version }: ManifestVersion): string {
  return editDocuments(
    text,
    (head, root) => {
      if (head.apiVersion === seldonResource.apiVersion && head.kind === 'Model' && head.name === variant) {
        const spec = mapAt(root, ['spec']);
        if (/^[a-z0-9+]+:\/\//i.test(version)) return [{ map: spec, key: 'storageUri', value: version }];
        if (!/^\d{1,9}$/.test(version))
          throw refusal(
            `the version of Model "${variant}" is ${JSON.stringify(version)}, must be an address or a whole number`,
          );
        return [{ map: spec, key: 'artifactVersion', value: Number(version) }];
      }
      if (head.apiVersion !== ownVersion || head.kind !== 'Experiment') return undefined;
      if (experiment !== undefined && head.name !== experiment) return undefined;
      const found = itemsAt(root, ['spec', 'variants']).find((item) => scalarText(item, 'name') === variant);
      if (found === undefined) return undefined;
      const upstream = mapAt(found, ['upstream']);
      const registered = /^(models:\/[^/@]+\/)[^/@]+$/.exec(scalarText(upstream, 'url') ?? '');
      if (registered !== null) return [{ map: upstream, key: 'url', value: `${registered[1]}${version}` }];
      return [{ map: upstream, key: 'version', value: version }];
    },
    { what: `variant "${variant}"`, isAlone: true },
  );
}

interface Head {
  readonly apiVersion: unknown;
  readonly kind: unknown;
  readonly name: unknown;
}
interface Edit {
  readonly map: Node;
  readonly key: string;
  readonly value: string | number;
}

/** Applies the edits of every document that has some. */
function editDocuments(
  text: string,
  edit: (head: Head, root: Node) => readonly Edit[] | undefined,
  { what, isAlone }: { readonly what: string; readonly isAlone: boolean },
): string {
  const parsed = parseAllDocuments(text);
  const documents: readonly Document.Parsed[] = Array.isArray(parsed) ? parsed : [];
  const splices: { from: number; to: number; text: string }[] = [];
  const found: unknown[] = [];
  for (const document of documents) {
    const [broken] = document.errors;
    if (broken !== undefined) throw refusal(`the file is not YAML: ${broken.message.split('\n')[0]}`);
    if (!isMap(document.contents)) continue;
    const head = {
      apiVersion: document.get('apiVersion'),
      kind: document.get('kind'),
      name: document.getIn(['metadata', 'name']),
    };
    const edits = edit(head, document.contents);
    if (edits === undefined) continue;
    found.push(head.apiVersion);
    for (const each of edits) splices.push(spliceOf(text, each));
  }
  if (found.length === 0) throw refusal(`the file has no ${what}`);
  // One of ours and one of Seldon's may stand for the same experiment; two of a kind may not.
  if (new Set(found).size < found.length || (isAlone && found.length > 1))
    throw refusal(`the file has ${found.length} times ${what}, must have it once or name the experiment`);
  let result = text;
  for (const { from, to, text: put } of splices.toSorted((a, b) => b.from - a.from))
    result = result.slice(0, from) + put + result.slice(to);
  return result;
}

/** Where the value stands, and what shall stand there; a missing key goes behind the last one of its mapping. */
function spliceOf(text: string, { map, key, value }: Edit): { from: number; to: number; text: string } {
  if (!isMap(map)) throw refusal(`the place of ${key} is no mapping`);
  const pair = map.items.find((item) => isScalar(item.key) && item.key.value === key) as Pair | undefined;
  if (pair !== undefined) {
    const scalar = pair.value;
    if (
      !isScalar(scalar) ||
      scalar.range == null ||
      scalar.type === Scalar.BLOCK_FOLDED ||
      scalar.type === Scalar.BLOCK_LITERAL
    )
      throw refusal(`${key} is no plain value`);
    const [from, to] = scalar.range;
    if (
      scalar.value === value ||
      (typeof value === 'string' &&
        String(scalar.value) === value &&
        scalar.type === Scalar.PLAIN &&
        typeof scalar.value !== 'string')
    )
      return { from, to, text: text.slice(from, to) };
    return { from: from, to, text: from === to ? ` ${written(value)}` : written(value) };
  }
  const last = map.items.at(-1);
  const end = (last?.value as Node | undefined)?.range?.[1];
  const begin = (last?.key as Node | undefined)?.range?.[0];
  if (end === undefined || begin === undefined) throw refusal(`the mapping of ${key} is empty`);
  if (map.flow) return { from: end, to: end, text: `, ${key}: ${written(value)}` };
  const indent = begin - (text.lastIndexOf('\n', begin - 1) + 1);
  return {
    from: end,
    to: end,
    text: `${text[end - 1] === '\n' ? '' : '\n'}${' '.repeat(indent)}${key}: ${written(value)}${text[end - 1] === '\n' ? '\n' : ''}`,
  };
}

/** Texts in quotes: a version such as 2 must stay a text, and a comma must not end a flow mapping. */
function written(value: string | number): string {
  return typeof value === 'number' ? String(value) : JSON.stringify(value);
}

function mapAt(node: Node, path: readonly string[]): Node {
  let here: unknown = node;
  for (const step of path) here = isMap(here) ? here.get(step, true) : undefined;
  if (isMap(here)) return here;
  throw refusal(`${path.join('.')} is missing, must be a mapping`);
}

function itemsAt(node: Node, path: readonly string[]): readonly Node[] {
  let here: unknown = node;
  for (const step of path) here = isMap(here) ? here.get(step, true) : undefined;
  if (!isSeq(here)) throw refusal(`${path.join('.')} is missing, must be a list`);
  return here.items as readonly Node[];
}

function scalarText(node: Node, key: string): string | undefined {
  const value = isMap(node) ? node.get(key) : undefined;
  return typeof value === 'string' ? value : undefined;
}

function refusal(message: string): AssayError {
  return new AssayError('git-refused', message);
}
