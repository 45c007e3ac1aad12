// Where does a gRPC call go? Calls of the inference service as the paths of its REST twin, so that routing, assignment and rewriting are one; and statuses of one as statuses of the other.
import type { Variant } from '../experiment/index.ts';
import { headerOf, type RawHeaders } from './forward-headers.ts';
import { grpcKind } from './grpc-message.ts';
import { readFields, setTextFields, textField } from './grpc-wire.ts';
import type { AskedPath } from './upstream-path.ts';

const service = '/inference.GRPCInferenceService/';

/** Calls that name a model in field 1 and a version in field 2, and what follows the model in their REST path. */
const modelCalls: Readonly<Record<string, string>> = {
  ModelInfer: '/infer',
  ModelStreamInfer: '/infer_stream',
  ModelReady: '/ready',
  ModelMetadata: '',
  ModelConfig: '/config',
  ModelStatistics: '/stats',
};

/** Calls that name no model, or not in field 1; they go where host or `seldon-model` say. */
const otherCalls: readonly string[] = [
  'RepositoryIndex',
  'RepositoryModelLoad',
  'RepositoryModelUnload',
  'SystemSharedMemoryStatus',
  'SystemSharedMemoryRegister',
  'SystemSharedMemoryUnregister',
  'CudaSharedMemoryStatus',
  'CudaSharedMemoryRegister',
  'CudaSharedMemoryUnregister',
  'TraceSetting',
  'LogSettings',
];

/** Full names of all calls that are passed on and have one request and one reply. */
export const unaryCalls: readonly string[] = [
  ...Object.keys(modelCalls).filter((name) => name !== 'ModelStreamInfer'),
  ...otherCalls,
].map((name) => service + name);

/** Full name of the call with streams on both sides. */
export const streamCall: string = `${service}ModelStreamInfer`;

/** Request target of a call, for `CallerRequest`: the REST path where there is one, else the call's own name; null for unsound messages. */
export function grpcTarget(call: string, message: Buffer): string | null {
  const fields = readFields(message);
  if (fields === null) return null;
  const rest = modelCalls[call.slice(service.length)];
  if (rest === undefined || !call.startsWith(service)) return call;
  const version = textField(message, fields, 2);
  const named = version === '' ? '' : `/versions/${encodeName(version)}`;
  return `/v2/models/${encodeName(textField(message, fields, 1))}${named}${rest}`;
}

/** Broken surrogates cannot come out of a decoded text, so nothing here throws. */
const encodeName = encodeURIComponent;

/** True for headers of a request that came in by gRPC. */
export function isGrpcRequest(headers: RawHeaders): boolean {
  return grpcKind(headerOf(headers, 'content-type')) === 'request';
}

/** Full name of the call that `grpcTarget` made the path of. */
export function grpcCallOf({ path, model }: AskedPath): string {
  if (model === null) return path;
  const found = Object.keys(modelCalls).find((name) => modelCalls[name] === model.rest);
  return found === undefined ? path : service + found;
}

/**
 * The message as `variant` gets it: with its model and version, by the rules of REST paths; the same bytes where it names
 * neither, and for calls that name no model.
 */
export function grpcMessageFor(variant: Variant, message: Buffer | null, asked: AskedPath): Buffer | null {
  const { model, version } = variant.upstream;
  if (asked.model === null || (model === undefined && version === undefined)) return message;
  const texts = new Map([
    [1, model ?? asked.model.model],
    [2, version ?? ''],
  ]);
  return setTextFields(message ?? Buffer.alloc(0), texts);
}

/** HTTP statuses by gRPC status code, 0 to 16, as google.rpc.Code documents them. */
const statuses: readonly number[] = [
  200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
];

/** HTTP status for a gRPC status code; unknown codes count as UNKNOWN. */
export function httpStatusOf(code: number): number {
  return statuses[code] ?? 500;
}

const codes: Readonly<Record<number, number>> = {
  400: 3,
  401: 16,
  403: 7,
  404: 5,
  413: 8,
  429: 8,
  499: 1,
  500: 13,
  501: 12,
  502: 14,
  503: 14,
  504: 4,
};

/** gRPC status code for an HTTP status of the gateway's own. */
export function grpcCodeOf(status: number): number {
  return status < 300 ? 0 : (codes[status] ?? 2);
}
