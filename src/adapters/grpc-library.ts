// Where does the gRPC library come from? Loaded when gRPC is asked for and not before: most users never install it.
import { AssayError } from '../errors.ts';

/** The library `@grpc/grpc-js`. */
export type GrpcLibrary = typeof import('@grpc/grpc-js');

/** @throws AssayError `dependency-missing` when it is not installed. */
export async function loadGrpc(): Promise<GrpcLibrary> {
  try {
    return await import('@grpc/grpc-js');
  } catch (cause) {
    throw new AssayError('dependency-missing', 'gRPC needs the package @grpc/grpc-js, which is not installed', {
      cause,
      fix: 'Run: npm install @grpc/grpc-js',
    });
  }
}

/** Messages pass as the bytes they are. */
export const asItIs = (message: Buffer): Buffer => message;
