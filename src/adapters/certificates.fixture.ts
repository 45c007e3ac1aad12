// Certificates for tests of TLS: an authority, and a server and a client it has signed, made anew for every run.
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const tool = 'openssl';

/** False where the program that makes them is not installed. */
export const canMakeCertificates: boolean = spawnSync(tool, ['version']).status === 0;

/** Writes `ca.pem`, `server.pem`, `server.key`, `client.pem` and `client.key`; the server's is good for 127.0.0.1 and localhost. */
export function makeCertificates(directory: string): void {
  const run = (...args: readonly string[]): void => {
    execFileSync(tool, args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  writeFileSync(join(directory, 'names'), 'subjectAltName=IP:127.0.0.1,DNS:localhost');
  run('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=test ca', '-days', '2');
  for (const name of ['server', 'client']) {
    run('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'names'];
    run('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, ...signing);
  }
}
