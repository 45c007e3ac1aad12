// The door of src/cli/replay: kept requests against another model server.
export { createComparer } from './compare-replies.ts';
export { renderReplay } from './render-replay.ts';
export { type ReplayPair, redactedRequest, replay } from './replay-run.ts';
export { type ReplaySummary, summariseReplay } from './summarise-replay.ts';
