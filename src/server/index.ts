export type { DataPlaneSettings } from './data-plane.ts';
export { type RunningServer, type ServerOptions, startServer } from './server.ts';
export type { WebhookSettings } from './tell-webhooks.ts';
