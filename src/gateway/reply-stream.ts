// How does a streamed reply reach its caller? Piece by piece with back-pressure, no longer than a caller may stand still, with a bounded copy for captures.
import type { CallerReply } from './caller.ts';

/** Longest part of a streamed reply that is kept for captures, bytes. */
const maxCopyBytes = 256 * 1024;

/** How long a caller may take nothing of a stream before the connection is cut: it holds a connection of the model server meanwhile. */
const maxStallMs = 60_000;

/** The body of one streamed reply on its way to the caller. */
export class ReplyStream {
  readonly #res: CallerReply;
  /** Runs while the caller does not take what was written. */
  #stall: NodeJS.Timeout | null = null;
  /** Null when no copy is wanted, or it grew too long. */
  #copy: Buffer[] | null;
  #copyBytes = 0;

  constructor(res: CallerReply, { keepsCopy }: { readonly keepsCopy: boolean }) {
    this.#res = res;
    this.#copy = keepsCopy ? [] : null;
  }

  /** Writes a piece; false asks for a pause, which `resume` ends. */
  write(chunk: Buffer, resume: () => void): boolean {
    if (this.#copy !== null) {
      this.#copyBytes += chunk.length;
      if (this.#copyBytes > maxCopyBytes) this.#copy = null;
      else this.#copy.push(chunk);
    }
    const res = this.#res;
    if (res.write(chunk)) return true;
    if (this.#stall === null) {
      this.#stall = setTimeout(() => res.destroy(), maxStallMs);
      res.once('drain', () => {
        this.stop();
        resume();
      });
    }
    return false;
  }

  /** Everything that was written; null when it was not kept whole. */
  copy(): Buffer | null {
    return this.#copy === null ? null : Buffer.concat(this.#copy, this.#copyBytes);
  }

  /** To be called when the reply is closed. */
  stop(): void {
    if (this.#stall !== null) clearTimeout(this.#stall);
    this.#stall = null;
  }
}
