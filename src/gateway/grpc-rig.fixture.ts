// Real gRPC servers and clients around a gateway for tests, with the messages of `proto/inference.proto`.
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { createGrpcFront, type GrpcFrontOptions } from '../adapters/grpc-front.ts';
import { createGrpcUpstream } from '../adapters/grpc-upstream.ts';
import { createUndiciUpstream } from '../adapters/undici-upstream.ts';
import type { RoutedExperiment, Variant } from '../experiment/index.ts';
import { experiment, openRig, type Rig, variant } from './gateway-rig.fixture.ts';
import type { GatewayOptions } from './index.ts';

const definition = loadSync(fileURLToPath(new URL('../../proto/inference.proto', import.meta.url)), {
  longs: String,
  defaults: true,
  keepCase: true,
});

type Methods = Readonly<Record<string, grpc.MethodDefinition<object, object>>>;

/** Every call of the service, with what reads and writes its messages. */
export const methods: Methods = definition['inference.GRPCInferenceService'] as unknown as Methods;

const opened: (() => Promise<void> | void)[] = [];

export async function closeGrpc(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close();
}

/** What a model server was asked. */
export interface AskedByGrpc {
  readonly call: string;
  // biome-ignore lint/suspicious/noExplicitAny: a decoded message of whichever call
  readonly message: any;
  readonly metadata: grpc.Metadata;
  readonly deadlineMs: number;
}

export interface GrpcModel {
  readonly url: string;
  readonly asked: AskedByGrpc[];
  /** Calls of which the caller went away. */
  readonly cancelled: string[];
  close(): void;
}

export type GrpcAnswer = (asked: AskedByGrpc) => object | Promise<object>;

/** A model server. `answer` throws or rejects with a `code` for a gRPC status. */
export async function startGrpcModel(
  answer: GrpcAnswer,
  {
    port = 0,
    credentials = grpc.ServerCredentials.createInsecure(),
    stream,
  }: {
    readonly port?: number;
    readonly credentials?: grpc.ServerCredentials;
    readonly stream?: (call: grpc.ServerDuplexStream<object, object>) => void;
  } = {},
): Promise<GrpcModel> {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': -1 });
  const asked: AskedByGrpc[] = [];
  const cancelled: string[] = [];
  const implementation: Record<string, grpc.UntypedHandleCall> = {};
  for (const name of Object.keys(methods)) {
    if (name === 'ModelStreamInfer') continue;
    implementation[name] = (call: grpc.ServerUnaryCall<object, object>, done: grpc.sendUnaryData<object>) => {
      const one = {
        call: name,
        message: call.request,
        metadata: call.metadata,
        deadlineMs: Number(call.getDeadline()),
      };
      asked.push(one);
      call.on('cancelled', () => cancelled.push(name));
      Promise.resolve()
        .then(() => answer(one))
        .then(
          (reply) => done(null, reply),
          (fault) => done(fault as grpc.ServiceError),
        );
    };
  }
  implementation.ModelStreamInfer = (call: grpc.ServerDuplexStream<object, object>) => {
    call.on('cancelled', () => cancelled.push('ModelStreamInfer'));
    stream?.(call);
  };
  server.addService(methods as unknown as grpc.ServiceDefinition, implementation);
  const taken = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${port}`, credentials, (fault, bound) =>
      fault === null ? resolve(bound) : reject(fault),
    ),
  );
  const close = (): void => server.forceShutdown();
  opened.push(close);
  return { url: `http://127.0.0.1:${taken}`, asked, cancelled, close };
}

/** A gateway that takes gRPC. */
export interface GrpcRig extends Rig {
  readonly address: string;
  readonly client: grpc.Client;
  /** Stops taking calls, as at the end of a server. */
  stop(): void;
}

export async function openGrpcRig(
  experiments: readonly RoutedExperiment[],
  more: Partial<GatewayOptions> = {},
  front: Partial<GrpcFrontOptions> = {},
): Promise<GrpcRig> {
  const upstream = createGrpcUpstream({ grpc, otherwise: createUndiciUpstream() });
  const rig = await openRig(experiments, { upstream, ...more });
  const grpcFront = createGrpcFront(rig.gateway.handle, {
    grpc,
    isReady: () => !rig.gateway.status().draining,
    ...front,
  });
  const port = await grpcFront.listen('127.0.0.1', 0);
  const address = `127.0.0.1:${port}`;
  const client = new grpc.Client(address, grpc.credentials.createInsecure());
  opened.push(async () => {
    client.close();
    await grpcFront.close();
    await upstream.close();
  });
  return { ...rig, address, client, stop: () => grpcFront.stop() };
}

/** What a call came to. */
export interface GrpcOutcome {
  readonly code: number;
  readonly details: string;
  // biome-ignore lint/suspicious/noExplicitAny: a decoded message of whichever call
  readonly reply: any;
  /** First value of a name in the initial metadata, else in the trailing one. */
  header(name: string): string | undefined;
}

/** One call with one reply. Never rejects. */
export function callGrpc(
  client: grpc.Client,
  name: string,
  message: object,
  { metadata = {}, deadlineMs }: { readonly metadata?: Record<string, string>; readonly deadlineMs?: number } = {},
): Promise<GrpcOutcome> {
  const { path, requestSerialize, responseDeserialize } = methods[name]!;
  const sent = new grpc.Metadata();
  for (const [key, value] of Object.entries(metadata)) sent.set(key, value);
  const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
  return new Promise((resolve) => {
    let reply: object | undefined;
    let initial = new grpc.Metadata();
    const call = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      message,
      sent,
      options,
      (_, got) => {
        reply = got;
      },
    );
    call.on('metadata', (got: grpc.Metadata) => (initial = got));
    call.on('status', ({ code, details, metadata: trailing }: grpc.StatusObject) =>
      resolve({
        code,
        details,
        reply,
        header: (header) => (initial.get(header)[0] ?? trailing.get(header)[0]) as string | undefined,
      }),
    );
  });
}

/** A variant that speaks the protocol by gRPC. */
export function grpcVariant(
  name: string,
  grpcUrl: string,
  upstream: Partial<Variant['upstream']> = {},
  more: Partial<Omit<Variant, 'upstream'>> = {},
): Variant {
  return variant(name, 'http://127.0.0.1:9', {
    ...more,
    upstream: { protocol: 'oip', model: `model-${name}`, grpcUrl, ...upstream },
  });
}

/** An experiment for model `forecast`; every unit gets the last variant unless the test says otherwise. */
export function forecast(variants: readonly Variant[], more: Partial<RoutedExperiment> = {}): RoutedExperiment {
  return experiment(variants, { route: { kind: 'model', model: 'forecast' }, ...more });
}

/** A request for model `forecast` with one raw tensor of `rows` rows. */
export function inferRequest(more: object = {}, rows = 1): object {
  const values = Buffer.alloc(rows * 8);
  for (let row = 0; row < rows; row += 1) values.writeDoubleLE(row + 0.5, row * 8);
  return {
    model_name: 'forecast',
    inputs: [{ name: 'x', datatype: 'FP64', shape: [rows, 1] }],
    raw_input_contents: [values],
    ...more,
  };
}

/** A reply with one raw tensor `up`. */
export function inferReply(...values: readonly number[]): object {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [at, value] of values.entries()) bytes.writeFloatLE(value, at * 4);
  return {
    model_name: 'm',
    outputs: [{ name: 'up', datatype: 'FP32', shape: [values.length, 1] }],
    raw_output_contents: [bytes],
  };
}

/** A gRPC fault to throw in an answer. */
export function grpcFault(code: number, details: string): Error {
  return Object.assign(new Error(details), { code, details });
}
