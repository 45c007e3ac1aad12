// Which value stands at a place of a JSON document? Places are written `$.user.id` or `$.items[0].id`.
import type { Json } from '../evidence/index.ts';

/** A parsed place: keys of objects and positions of lists, from the root. */
export type JsonPath = readonly (string | number)[];

const step = /\.([A-Za-z_][A-Za-z0-9_-]*)|\[(\d{1,6})\]/y;

/**
 * The steps of a path.
 * @throws RangeError when the text is no path.
 */
export function parseJsonPath(text: string): JsonPath {
  const steps: (string | number)[] = [];
  let at = 1;
  while (text.startsWith('$') && at < text.length) {
    step.lastIndex = at;
    const found = step.exec(text);
    if (found === null) break;
    steps.push(found[1] ?? Number(found[2]));
    at = step.lastIndex;
  }
  if (!text.startsWith('$') || at < text.length) {
    throw new RangeError(`JSON path is "${text}", must look like $.user.id or $.items[0].id`);
  }
  return steps;
}

/** The value at the place, or undefined when the document has no such place. Inherited properties do not count. */
export function readJsonPath(document: Json | undefined, path: JsonPath): Json | undefined {
  let value: Json | undefined = document;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    if (Array.isArray(value) !== (typeof key === 'number')) return undefined;
    value = (value as { readonly [key: string | number]: Json })[key];
  }
  return value;
}
