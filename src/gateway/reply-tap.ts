// Who looks at a streamed reply while it passes? The seam between an exchange and a protocol that reads its streams.
import type { OpenAiFigures } from './openai-figures.ts';

/** Reads, and may shorten, one streamed reply. Never throws. */
export interface ReplyTap {
  /** What the caller gets for these bytes now; null for nothing yet or nothing at all. */
  push(chunk: Buffer): Buffer | null;
  /** What was still held when the stream ended; null for nothing. */
  end(): Buffer | null;
  /** What has been read so far, for the record's `captured`. */
  figures(): OpenAiFigures;
  /** Why a stream whose bytes ended well is a failed reply all the same, as `error` of its attempt; null when it is none. */
  failure(): string | null;
}
