// How is a fault in an experiment file told: place, value, rule, and which rule the schema meant.
import type { z } from 'zod';

/** Keys and list positions from the root of a document. */
export type Path = readonly (string | number)[];

/** One broken rule. */
export interface Fault {
  readonly path: Path;
  /** The whole sentence, place first. */
  readonly text: string;
}

/** `['spec', 'variants', 1, 'weight']` as people write it: `spec.variants[1].weight`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[A-Za-z_$][A-Za-z0-9_$-]*$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${shorten(JSON.stringify(step))}]`;
  }
  return text === '' ? 'the file' : text;
}

/** A fault from its place and the rest of its sentence. */
export function faultAt(path: Path, rest: string): Fault {
  return { path, text: `${formatPath(path)} ${rest}` };
}

/** The fault "PLACE is VALUE, must be RULE"; an undefined value is missing. */
export function breach(path: Path, { value, rule }: { readonly value: unknown; readonly rule: string }): Fault {
  return faultAt(path, `is ${describe(value)}, must be ${rule}`);
}

/** `did you mean "X"?` for the nearest known name, else the list of names. */
export function suggest(name: string, known: readonly string[]): string {
  let best: string | undefined;
  let bestDistance = name.length < 2 ? 0 : Math.max(2, Math.floor(Math.min(name.length, 12) / 3) + 1);
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase().slice(0, 64), candidate.toLowerCase().slice(0, 64));
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  if (best !== undefined) return `did you mean "${best}"?`;
  if (known.length === 0) return 'there is none to choose from';
  const shown = known.slice(0, 20).join(', ');
  return `must be one of: ${shown}${known.length > 20 ? ', ...' : ''}`;
}

/** The schema's complaints in our grammar. `raw` is the document they are about, `base` where it stands in the file. */
export function faultsOf(
  issues: readonly z.core.$ZodIssue[],
  { raw, base }: { readonly raw: unknown; readonly base: Path },
): readonly Fault[] {
  return issues.flatMap((issue): readonly Fault[] => {
    const local = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
    const path = [...base, ...local];
    const value = valueAt(raw, local);
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) =>
        faultAt([...path, key], `is an unknown key, ${suggest(key, issue.message.split(', '))}`),
      );
    if (issue.code === 'invalid_key') return [faultAt(path, `is misnamed, must be ${issue.issues[0]?.message}`)];
    if (issue.code === 'invalid_union') {
      // The branch that got past the outermost type is the one the author meant.
      const meant = issue.errors.find((branch) =>
        branch.every((inner) => inner.path.length > 0 || inner.code === 'unrecognized_keys' || inner.code === 'custom'),
      );
      if (meant !== undefined) return faultsOf(meant, { raw: value, base: path });
    }
    return [breach(path, { value, rule: issue.message })];
  });
}

function valueAt(raw: unknown, path: Path): unknown {
  let value = raw;
  for (const step of path) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (value !== null && typeof value === 'object') return shorten(`{${Object.keys(value).join(', ')}}`);
  return typeof value === 'number' ? String(value) : shorten(JSON.stringify(value));
}

function shorten(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
