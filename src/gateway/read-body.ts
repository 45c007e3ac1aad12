// What did the caller send? Buffers a request body up to a limit; the same bytes can then be sent to a second variant.
import type { IncomingMessage } from 'node:http';
import type { BodyLimit, RequestBody } from './caller.ts';
import { isHttp2 } from './http2-caller.ts';

/** Reads the body and calls `done` once; never, when the caller goes away first. */
export function readRequestBody(req: IncomingMessage, limit: BodyLimit, done: (body: RequestBody) => void): void {
  const announced = req.headers['content-length'];
  const endsWithHead = isHttp2(req) ? req.stream.endAfterHeaders : req.headers['transfer-encoding'] === undefined;
  if (endsWithHead && (announced === undefined || announced === '0')) {
    done({ kind: 'body', bytes: null });
    return;
  }
  if (announced !== undefined && Number(announced) > limit.maxBytes) {
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
