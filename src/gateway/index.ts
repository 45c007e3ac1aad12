// The door of the gateway: the data plane and the ports it needs.
export type { BodyLimit, CallerHandler, CallerReply, CallerRequest, RequestBody } from './caller.ts';
export { createCaptureReader } from './capture.ts';
export { createFastFront } from './fast-front.ts';
export type { Front, FrontOptions, FrontTls } from './front.ts';
export { createGateway, type Gateway, type GatewayOptions } from './gateway.ts';
export { grpcCodeOf, grpcTarget, httpStatusOf, isGrpcRequest, streamCall, unaryCalls } from './grpc-call.ts';
export { grpcKind, grpcTypes } from './grpc-message.ts';
export {
  bytesField,
  frameMessage,
  numberField,
  readFields,
  setTextFields,
  textField,
  unframeMessages,
} from './grpc-wire.ts';
export { writeRequestHead } from './http-head.ts';
export { type HttpParseError, type HttpParser, type HttpParsing, loadHttpParsing, type OnHead } from './http-parser.ts';
export { createJsonBody } from './json-body.ts';
export { parseJsonPath } from './json-path.ts';
export { createNodeFront } from './node-front.ts';
export type {
  BodyStore,
  EndedPrediction,
  KeptExchange,
  PredictionTrace,
  PredictionTracer,
  RoutingSource,
  Upstream,
  UpstreamAttempt,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamRequest,
} from './ports.ts';
export { type ReadHandle, readHandleOf } from './read-handle.ts';
export { redactedMark } from './redact.ts';
export { keptBytes, keptHeaders, replayedRequest } from './replayed-request.ts';
export { type LateWriter, writeSoon } from './write-turn.ts';
