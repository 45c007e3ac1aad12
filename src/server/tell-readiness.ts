// When did this server stop to be ready, and when is it again? One line at each change, whether or not anybody probes.
import type { Tell } from '../adapters/pino-log.ts';

/** Options of `tellReadiness`. */
interface ReadinessOptions {
  /** Sentences; none means ready. */
  readonly unready: () => readonly string[];
  readonly tell: Tell;
  /** Pause between two looks, milliseconds; default 1,000. */
  readonly everyMs?: number;
}

/** Looks from now on; returns the way to stop. A server is ready when this begins. */
export function tellReadiness({ unready, tell, everyMs = 1_000 }: ReadinessOptions): () => void {
  let told = '';
  const timer = setInterval(() => {
    const reasons = unready().join('; ');
    // How late the loop is changes at every look; that it is late is told once.
    const isNews = (reasons === '') !== (told === '');
    told = reasons;
    if (!isNews) return;
    if (reasons === '') tell('ready again: traffic may come here', { name: 'ready' });
    else tell(`not ready, no traffic should come here: ${reasons}`, { name: 'not-ready', fields: { reasons } });
  }, everyMs).unref();
  return () => clearInterval(timer);
}
