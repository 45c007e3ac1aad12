// What did the caller send? Buffers a request body up to a limit; the same bytes can then be sent to a second variant.
import type { IncomingMessage } from 'node:http';

/** How reading ended. A caller that went away is told apart by the response's close event, so it needs no case here. */
export type RequestBody = { readonly kind: 'body'; readonly bytes: Buffer | null } | { readonly kind: 'too-large' };

/** Reads the body and calls `done` once; never, when the caller goes away first. @param limit bytes. */
export function readRequestBody(req: IncomingMessage, limit: number, done: (body: RequestBody) => void): void {
  const announced = req.headers['content-length'];
  if (req.headers['transfer-encoding'] === undefined && (announced === undefined || announced === '0')) {
    done({ kind: 'body', bytes: null });
    return;
  }
  if (announced !== undefined && Number(announced) > limit) {
    done({ kind: 'too-large' });
    return;
  }
  const chunks: Buffer[] = [];
  let length = 0;
  const onData = (chunk: Buffer): void => {
    length += chunk.length;
    if (length > limit) {
      req.off('data', onData);
      req.off('end', onEnd);
      done({ kind: 'too-large' });
      return;
    }
    chunks.push(chunk);
  };
  const onEnd = (): void => {
    const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length);
    done({ kind: 'body', bytes: length === 0 ? null : bytes });
  };
  req.on('data', onData);
  req.on('end', onEnd);
}

/** How long a refused upload is still read, so that its sender sees the answer instead of a reset connection. */
const lingerMs = 1000;

/** Reads and forgets the rest of a refused body for a moment, then calls `done`. */
export function discardBody(req: IncomingMessage, done: () => void): void {
  let isDone = false;
  const finish = (): void => {
    if (isDone) return;
    isDone = true;
    clearTimeout(timer);
    done();
  };
  const timer = setTimeout(finish, lingerMs);
  req.on('end', finish);
  req.on('close', finish);
  req.resume();
}
