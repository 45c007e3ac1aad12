// The door of the gateway: the data plane and the ports it needs.
export {
  createGateway,
  type Gateway,
  type GatewayOptions,
  gatewayServerOptions,
} from './gateway.ts';
export type {
  RoutingSource,
  Upstream,
  UpstreamAttempt,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamRequest,
} from './ports.ts';
