// When may a load balancer send traffic here? Reasons in sentences; none means ready.
import type { EvidenceLogStatus } from '../evidence/index.ts';

/** What readiness is made of. The API only listens once the control log was read and the routing was made from it. */
interface ReadinessFacts {
  readonly log: Pick<EvidenceLogStatus, 'fault'>;
  /** What the data plane says against itself; null while it does not listen. */
  readonly serving: readonly string[] | null;
  /** How late the decision loop is, milliseconds. */
  readonly loop: { readonly lateMs: number };
}

/** The loop ticks every 250 ms; a machine that is so busy that it misses this much watches no guardrail any more. */
const longestLateMs = 10_000;

/** Why this server should get no traffic. */
export function unreadyReasons({ log, serving, loop }: ReadinessFacts): readonly string[] {
  return [
    ...(log.fault === null ? [] : [log.fault]),
    ...(serving ?? ['the gateway does not listen yet']),
    ...(loop.lateMs > longestLateMs
      ? [`the decision loop last ticked ${Math.round(loop.lateMs / 1000)} s too long ago, so no guardrail is watched`]
      : []),
  ];
}
