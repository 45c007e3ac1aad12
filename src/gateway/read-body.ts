// What did the caller send? Buffers a request body up to a limit; the same bytes can then be sent to a second variant.
import type { IncomingMessage } from 'node:http';
import type { BodyLimit, RequestBody } from './caller.ts';
import { isHttp2 } from './http2-caller.ts';

/** True when a body follows that is not announced too long: a caller that waits to be asked for it is to be asked. */
export function isBodyWanted(req: IncomingMessage, limit: BodyLimit): boolean {
  return hasBody(req) && announcedBytes(req) <= limit.maxBytes;
}

function hasBody(req: IncomingMessage): boolean {
  const endsWithHead = isHttp2(req) ? req.stream.endAfterHeaders : req.headers['transfer-encoding'] === undefined;
  return !endsWithHead || announcedBytes(req) > 0;
}

/** 0 where nothing is announced. */
function announcedBytes(req: IncomingMessage): number {
  return Number(req.headers['content-length'] ?? 0);
}

/** Reads the body and calls `done` once; never, when the caller goes away first. */
export function readRequestBody(req: IncomingMessage, limit: BodyLimit, done: (body: RequestBody) => void): void {
  if (!hasBody(req)) {
    done({ kind: 'body', bytes: null });
    return;
  }
  if (announcedBytes(req) > limit.maxBytes) {
    done({ kind: 'too-large' });
    return;
  }
  const chunks: Buffer[] = [];
  let length = 0;
  const onData = (chunk: Buffer): void => {
    length += chunk.length;
    if (length > limit.maxBytes || !limit.take(chunk.length)) {
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
export const lingerMs = 1000;

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
