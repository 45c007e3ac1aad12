// How is one member of a JSON object read, set or taken out while every other byte stays as it came?
import type { Json } from '../evidence/index.ts';
import { preparePath, scanJson, skipWhite, skipWhiteBack } from './json-scan.ts';

type JsonObject = { readonly [name: string]: Json };

/** The value of a member of the outermost object; undefined when there is none. The last counts where a name stands twice. */
export function memberValue(bytes: Buffer, name: string): Json | undefined {
  const place = scanJson(bytes, pathOf(name));
  if (place.kind === 'duplicate') return parse(bytes)?.[name];
  return place.kind === 'value' ? parsePart(bytes, place) : undefined;
}

/**
 * The object with these members set: replaced where they stand, else added at the end. Where a name stands twice the first
 * is replaced and another added, so that readers who take the first and readers who take the last both read ours. Null
 * when the bytes are no object.
 */
export function setMembers(bytes: Buffer, values: JsonObject): Buffer | null {
  let edited = bytes;
  for (const [name, value] of Object.entries(values)) {
    const text = JSON.stringify(value);
    const place = scanJson(edited, pathOf(name));
    if (place.kind === 'invalid' || !startsObject(edited)) return null;
    if (place.kind !== 'missing') edited = splice(edited, place, text);
    if (place.kind === 'value') continue;
    const end = edited.lastIndexOf(closeBrace);
    const isEmpty = edited[skipWhiteBack(edited, end - 1)] === openBrace;
    edited = splice(edited, { from: end, to: end }, `${isEmpty ? '' : ','}${JSON.stringify(name)}:${text}`);
  }
  return edited;
}

/** The object without a member, its comma included; the same bytes when it has none that can be told. */
export function cutMember(bytes: Buffer, name: string): Buffer {
  const place = scanJson(bytes, pathOf(name));
  if (place.kind !== 'value') return bytes;
  const key = Buffer.from(JSON.stringify(name));
  const keyTo = skipWhiteBack(bytes, skipWhiteBack(bytes, place.from - 1) - 1) + 1;
  const keyFrom = keyTo - key.length;
  if (keyFrom < 1 || !bytes.subarray(keyFrom, keyTo).equals(key)) return bytes;
  const before = skipWhiteBack(bytes, keyFrom - 1);
  if (bytes[before] === comma) return splice(bytes, { from: before, to: place.to }, '');
  const behind = skipWhite(bytes, place.to);
  return splice(bytes, { from: keyFrom, to: bytes[behind] === comma ? behind + 1 : place.to }, '');
}

const paths = new Map<string, ReturnType<typeof preparePath>>();

/** Made ready once: names come from protocols and experiment files, not from callers. */
function pathOf(name: string): ReturnType<typeof preparePath> {
  let path = paths.get(name);
  if (path === undefined) {
    path = preparePath([name]);
    if (paths.size > 1_000) paths.clear();
    paths.set(name, path);
  }
  return path;
}

function splice(bytes: Buffer, { from, to }: { readonly from: number; readonly to: number }, text: string): Buffer {
  return Buffer.concat([bytes.subarray(0, from), Buffer.from(text), bytes.subarray(to)]);
}

function parsePart(bytes: Buffer, { from, to }: { readonly from: number; readonly to: number }): Json | undefined {
  try {
    return JSON.parse(bytes.toString('utf8', from, to)) as Json;
  } catch {
    return undefined;
  }
}

function parse(bytes: Buffer): JsonObject | undefined {
  return parsePart(bytes, { from: 0, to: bytes.length }) as JsonObject | undefined;
}

const comma = 0x2c;
const openBrace = 0x7b;
const closeBrace = 0x7d;

const startsObject = (bytes: Buffer): boolean => bytes[skipWhite(bytes, 0)] === openBrace;
