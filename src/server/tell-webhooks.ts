// Which changes are told to webhooks, and in which words? Every entry of the control log but the bulk of its evidence.
import { createWebhookSender, type WebhookEvent, type WebhookSender } from '../adapters/webhook-sender.ts';
import type { ExperimentChange, ExperimentService } from '../control/index.ts';
import type { Observer } from '../evidence/index.ts';

/** An address that wants to hear of changes. */
export interface WebhookSettings {
  readonly url: string;
  readonly secret: string;
}

/** What is queued at the end gets this long, milliseconds. */
const graceMs = 2_000;

/**
 * Tells every change to all addresses, from now on; returns the way to stop.
 * @throws AssayError `usage-invalid` for an address or a secret that cannot be used.
 */
export function tellWebhooks(
  service: Pick<ExperimentService, 'subscribe'>,
  { webhooks, observer }: { readonly webhooks: readonly WebhookSettings[]; readonly observer: Observer },
): () => Promise<void> {
  const senders: readonly WebhookSender[] = webhooks.map((each) =>
    createWebhookSender({ ...each, observer, random: Math.random }),
  );
  const unsubscribe = service.subscribe((change) => {
    const event = eventOf(change);
    for (const sender of senders) sender.send(event);
  });
  return async () => {
    unsubscribe();
    await Promise.all(senders.map((sender) => sender.close(graceMs)));
  };
}

function eventOf({ entry, state }: ExperimentChange): WebhookEvent {
  const { event, hash, revision, timeMs } = entry;
  const { kind, author, reason, namespace, experiment, evidence, evidenceDigest } = event;
  const told = {
    ...('coverage' in event ? { coverage: event.coverage } : {}),
    ...('variant' in event ? { variant: event.variant } : {}),
    ...(event.kind === 'verdict' ? { verdict: event.verdict } : {}),
    ...(event.kind === 'propose' ? { proposal: event.proposal } : {}),
    ...(event.kind === 'notice' ? { code: event.code } : {}),
    ...(event.kind === 'annotate' ? { text: event.text, at: new Date(event.atMs).toISOString() } : {}),
  };
  return {
    // The hash of the entry: the same event has the same id, whoever sends it and however often.
    id: `msg_${hash.slice(0, 32)}`,
    type: `experiment.${kind}`,
    timeMs,
    data: {
      namespace,
      experiment,
      author,
      reason,
      ...told,
      state: state.state,
      revision: state.revision,
      logRevision: revision,
      ...(evidence === undefined ? {} : { evidence }),
      ...(evidenceDigest === undefined ? {} : { evidenceDigest }),
    },
  };
}
