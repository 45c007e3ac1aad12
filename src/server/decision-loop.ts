// When does the decision loop look? Gives it the clock and the counts of the gateways, and lets a slow report hold up no guardrail.
import type { Tell } from '../adapters/pino-log.ts';
import { createDecisionLoop, type ExperimentService, type JudgedReport, type LoopStatus } from '../control/index.ts';
import type { VariantTally } from '../evidence/index.ts';

/** Options of `runDecisionLoop`. */
export interface DecisionLoopSettings {
  readonly service: ExperimentService;
  /** Undefined where another server makes the reports: then only live counts are watched. */
  readonly judge: ((name: string, namespace: string) => Promise<JudgedReport>) | undefined;
  /** What this process's own gateway has counted since the last call. */
  readonly collect: () => readonly VariantTally[];
  readonly tell: Tell;
  /** Pause between two rounds of verdicts, milliseconds; default 5,000. */
  readonly verdictEveryMs?: number;
}

/** A loop that runs. */
export interface RunningLoop {
  /** Takes in what another process has counted. */
  observe(tallies: readonly VariantTally[]): void;
  status(): LoopStatus;
  /** Resolves when nothing is under way any more. */
  close(): Promise<void>;
}

/** How often guardrails are held against the live counts, milliseconds. */
const tickEveryMs = 250;
const usualVerdictEveryMs = 5_000;
/** Between two rounds passes at least this many times what the last one took. */
const mostlyIdle = 10;
/** The same fault of the same experiment is told again only after this long. */
const quietMs = 60_000;

/** Runs the loop until it is closed. */
export function runDecisionLoop(settings: DecisionLoopSettings): RunningLoop {
  const { service, judge, collect, tell, verdictEveryMs = usualVerdictEveryMs } = settings;
  const toldMs = new Map<string, number>();
  const loop = createDecisionLoop({
    service,
    reports: { judge: judge ?? (() => Promise.reject(new Error('reports are made by another server'))) },
    onFault: (fault, experiment) => {
      const sentence = `decision loop: ${experiment}: ${fault instanceof Error ? fault.message : String(fault)}`;
      if (Date.now() - (toldMs.get(sentence) ?? Number.NEGATIVE_INFINITY) < quietMs) return;
      toldMs.set(sentence, Date.now());
      tell(sentence, { name: 'decision-failed', fields: { experiment } });
    },
  });
  let isClosed = false;
  let ticking: Promise<void> = Promise.resolve();
  let isTicking = false;
  let deliberating: Promise<void> = Promise.resolve();
  let next: NodeJS.Timeout | undefined;

  const ticks = setInterval(() => {
    // An order that is being written must not be given a second time.
    if (isTicking) return;
    isTicking = true;
    loop.observe(collect());
    ticking = loop.tick(Date.now()).finally(() => {
      isTicking = false;
    });
  }, tickEveryMs);

  const deliberate = (): void => {
    const startedMs = Date.now();
    deliberating = loop.deliberate(startedMs).finally(() => {
      if (!isClosed) next = setTimeout(deliberate, Math.max(verdictEveryMs, mostlyIdle * (Date.now() - startedMs)));
    });
  };
  if (judge !== undefined) next = setTimeout(deliberate, verdictEveryMs);

  return {
    observe: loop.observe,
    status: () => loop.status(Date.now(), tickEveryMs),
    async close() {
      isClosed = true;
      clearInterval(ticks);
      clearTimeout(next);
      loop.close();
      await Promise.all([ticking, deliberating]);
    },
  };
}
