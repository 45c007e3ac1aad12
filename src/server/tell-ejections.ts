// Which variant was just taken out, or let in again? Read off the gateway's counters at the moment in which they count.
import type { CountingObserver } from '../adapters/counting-observer.ts';
import type { Tell } from '../adapters/pino-log.ts';

/** One variant that was taken out of one gateway process, or let in again. */
export interface ObservedEjection {
  readonly change: 'variant-ejected' | 'variant-readmitted';
  readonly experiment: string;
  readonly variant: string;
}

const changes: Readonly<Record<string, ObservedEjection['change']>> = {
  variant_ejected: 'variant-ejected',
  variant_readmitted: 'variant-readmitted',
};

/** Faults that are told as events of their own, each variant by itself. */
export const toldApart: ReadonlySet<string> = new Set(['variant-ejected']);

/** The observer; told of ejections as they happen. */
export function watchEjections(
  observer: CountingObserver,
  onEjection: (ejection: ObservedEjection) => void,
): CountingObserver {
  return {
    ...observer,
    count(name, labels, by) {
      observer.count(name, labels, by);
      const change = changes[name];
      if (change !== undefined)
        onEjection({ change, experiment: labels?.experiment ?? '', variant: labels?.variant ?? '' });
    },
  };
}

/** Tells an operator. @param ejection.worker number of the gateway worker, where there are several. */
export function tellEjection(tell: Tell, ejection: ObservedEjection & { readonly worker?: number }): void {
  const { change, experiment, variant, worker } = ejection;
  const where = worker === undefined ? '' : ` by gateway worker ${worker}`;
  const sentence =
    change === 'variant-ejected'
      ? `variant ${variant} of ${experiment} fails too often and is taken out${where}; its units get the control until a probe succeeds`
      : `variant ${variant} of ${experiment} answers again and is let in${where}`;
  tell(sentence, { name: change, fields: { experiment, variant, ...(worker === undefined ? {} : { worker }) } });
}
