// How does sealed evidence get to a server that takes log files only? Its records are written again as the log they came from.
import { quoted } from '../../evidence/index.ts';
import { encodeFrame, encodeHeader } from '../log-frames.ts';
import { type Manifest, readManifest, type Segment, writeManifest, writerOf } from './manifest.ts';
import { recordText, segmentKinds, segmentRows } from './segment-columns.ts';
import { openSegmentSession, removeSegments, segmentPath } from './segment-file.ts';

/** A file of a log as `writer` would have written it: header and whole frames. */
export interface SealedLogFile {
  readonly writer: string;
  /** Sequence of its first record. */
  readonly first: number;
  readonly bytes: Buffer;
}

/** Payload of one file and of one frame, characters. */
const fileCharacters = 16 * 1024 * 1024;
const frameCharacters = 512 * 1024;

/**
 * The sealed records of every writer as log files, each writer's in order and the same files each time. For a record that was
 * erased or has expired stands a line without content, of a kind that every reader passes over: a log has no gaps.
 */
export async function* sealedLogFiles(directory: string, manifest: Manifest): AsyncGenerator<SealedLogFile> {
  const session = await openSegmentSession(directory);
  try {
    for (const writer of writersIn(manifest)) {
      const { ranges } = writerOf(manifest, writer);
      const through = ranges.at(-1)?.[1] ?? 0;
      const selects = segmentKinds.flatMap((kind) => {
        const paths = manifest.segments
          .filter((segment) => segment.kind === kind && segment.sources.some((source) => source.writer === writer))
          .map((segment) => segmentPath(directory, segment));
        if (paths.length === 0) return [];
        return [
          `SELECT sequence, ${recordText(kind)} AS line FROM ${segmentRows(kind, paths)} s WHERE writer = ${quoted(writer)}`,
        ];
      });
      let next = ranges[0]?.[0] ?? 1;
      let first = next;
      let lines: string[] = [];
      let characters = 0;
      const put = (line: string): void => {
        lines.push(line);
        characters += line.length;
        next += 1;
      };
      const take = (): SealedLogFile => {
        const file = { writer, first, bytes: Buffer.concat([encodeHeader(), ...framesOf(lines)]) };
        first = next;
        lines = [];
        characters = 0;
        return file;
      };
      const sql = `SELECT concat(r.sequence, ' ', r.line) FROM (${selects.join(' UNION ALL ')}) r ORDER BY r.sequence`;
      for await (const text of session.texts(sql)) {
        const at = text.indexOf(' ');
        const sequence = Number(text.slice(0, at));
        for (; next < sequence; ) {
          put(goneLine(writer, next));
          if (characters >= fileCharacters) yield take();
        }
        put(lineOf(text.slice(at + 1), { writer, sequence }));
        if (characters >= fileCharacters) yield take();
      }
      for (; next <= through; ) {
        put(goneLine(writer, next));
        if (characters >= fileCharacters) yield take();
      }
      if (lines.length > 0) yield take();
    }
  } finally {
    await session.close();
  }
}

/** Writers with sealed records. */
export function writersIn({ segments }: Pick<Manifest, 'segments'>): readonly string[] {
  return [...new Set(segments.flatMap(({ sources }) => sources.map(({ writer }) => writer)))].sort();
}

/** Takes the segments out of the manifest and then away. @returns false when the manifest is another one by now; nothing was changed. */
export async function dropSegments(directory: string, manifest: Manifest): Promise<boolean> {
  if ((await readManifest(directory)).revision !== manifest.revision) return false;
  const gone: readonly Segment[] = manifest.segments;
  const shipped = new Set(writersIn(manifest));
  const writers = Object.entries(manifest.writers).filter(([writer]) => !shipped.has(writer));
  await writeManifest(directory, {
    ...manifest,
    segments: [],
    writers: Object.fromEntries(writers),
    removals: manifest.removals + 1,
  });
  await removeSegments(directory, gone);
  return true;
}

function goneLine(writer: string, sequence: number): string {
  return `${JSON.stringify({ v: 1, writer, sequence, kind: 'gone' })}\n`;
}

/** The line as it stood in the log; one that no reader could understand goes as a text. */
function lineOf(text: string, at: { readonly writer: string; readonly sequence: number }): string {
  try {
    const { writer, sequence } = JSON.parse(text) as { readonly writer?: unknown; readonly sequence?: unknown };
    if (writer === at.writer && sequence === at.sequence && !text.includes('\n')) return `${text}\n`;
  } catch {
    // Not JSON: below.
  }
  return `${JSON.stringify({ v: 1, ...at, kind: 'unreadable', text })}\n`;
}

function framesOf(lines: readonly string[]): readonly Buffer[] {
  const frames: Buffer[] = [];
  let payload = '';
  for (const line of lines) {
    if (payload !== '' && payload.length + line.length > frameCharacters) {
      frames.push(encodeFrame(payload));
      payload = '';
    }
    payload += line;
  }
  if (payload !== '') frames.push(encodeFrame(payload));
  return frames;
}
