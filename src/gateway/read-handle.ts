// What does a parser read from when it consumes a socket by itself? Node keeps it in a field that its types do not name.
import type { Socket } from 'node:net';

/** The part of a socket's handle that a consuming parser leaves to us. */
export interface ReadHandle {
  readStart(): void;
  readStop(): void;
}

/** What a connected socket reads from; for `HttpParser.consume`. */
export function readHandleOf(socket: Socket): ReadHandle {
  return (socket as unknown as { readonly _handle: ReadHandle })._handle;
}
