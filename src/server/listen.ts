// How a server gets its port, and what it says when it cannot.
import type { AddressInfo, Server } from 'node:net';
import { AssayError } from '../errors.ts';

/**
 * Listens and resolves with the port that was taken (`port` 0 takes any free one).
 * @throws AssayError `port-in-use`, or `listen-refused` for an address this machine cannot bind.
 */
export function listen(server: Server, options: { host: string; port: number; what: string }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        cause.code === 'EADDRINUSE'
          ? new AssayError('port-in-use', `port ${options.port} for the ${options.what} is in use on ${options.host}`, {
              cause,
            })
          : new AssayError(
              'listen-refused',
              `the ${options.what} cannot listen on ${options.host}:${options.port}: ${cause.message}`,
              {
                cause,
                fix: 'Choose an address of this machine, or another port.',
              },
            ),
      );
    });
    server.listen(options.port, options.host, () => resolve((server.address() as AddressInfo).port));
  });
}

/** True for addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}
