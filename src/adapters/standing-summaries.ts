// How fresh is a summary that takes long to bring up to date? What people look at is renewed in the background, and the last one is answered meanwhile.
import type { AnalysisPlan, Analytics, ExperimentSummary } from '../evidence/index.ts';

/** Options of `createStandingSummaries`. */
export interface StandingOptions {
  readonly analytics: Analytics;
  /** Filled by the engine with every summary: the writers whose log has no end. */
  readonly openWriters: Set<string>;
  /** A summary that was made within this many milliseconds is made anew for every question; default 1,000. */
  readonly promptMs?: number;
}

/** A summary and the writers whose log had no end when it was made. */
export interface StandingSummary {
  readonly summary: ExperimentSummary;
  readonly openWriters: readonly string[];
}

/** Summaries that are kept ready. */
export interface StandingSummaries {
  catchUp(): Promise<{ readonly records: number }>;
  /**
   * With all that is durable, or, where that takes long, the last one, which then says as of when (`health.asOfMs`) and is
   * never older than ten times what making it took.
   */
  summarise(plan: AnalysisPlan): Promise<StandingSummary>;
  /** Takes in what is new and renews what was asked for lately. */
  round(): Promise<void>;
  close(): Promise<void>;
}

interface Standing extends StandingSummary {
  readonly identity: string;
  readonly plan: AnalysisPlan;
  /** By the clock of this process, which never jumps. */
  readonly madeMs: number;
  readonly tookMs: number;
  askedMs: number;
}

const mostTimes = 10;
/** What nobody asked for in this long is not renewed any more. */
const forgetMs = 30 * 60_000;

/** Summaries over an engine. */
export function createStandingSummaries({
  analytics,
  openWriters,
  promptMs = 1_000,
}: StandingOptions): StandingSummaries {
  const standing = new Map<string, Standing>();
  let last: Promise<unknown> = Promise.resolve();

  const renew = (plan: AnalysisPlan, askedMs: number): Promise<Standing> => {
    const made = last.then(async () => {
      openWriters.clear();
      const startedMs = performance.now();
      const summary = await analytics.summarise(plan);
      const madeMs = performance.now();
      const done: Standing = {
        summary,
        openWriters: [...openWriters],
        identity: identityOf(plan),
        plan,
        madeMs: startedMs,
        tookMs: madeMs - startedMs,
        askedMs,
      };
      standing.set(ownerOf(plan), done);
      return done;
    });
    last = made.catch(() => undefined);
    return made;
  };

  return {
    catchUp: () => analytics.catchUp(),
    async summarise(plan) {
      const nowMs = performance.now();
      const found = standing.get(ownerOf(plan));
      const isSame = found?.identity === identityOf(plan);
      if (found === undefined || !isSame || found.tookMs <= promptMs || nowMs - found.madeMs > mostTimes * found.tookMs)
        return renew(plan, nowMs);
      found.askedMs = nowMs;
      const { summary } = found;
      if (summary.health === null) return found;
      return {
        summary: { ...summary, health: { ...summary.health, asOfMs: found.plan.nowMs } },
        openWriters: found.openWriters,
      };
    },
    async round() {
      await analytics.catchUp();
      for (const { plan, madeMs, tookMs, askedMs } of [...standing.values()]) {
        const nowMs = performance.now();
        if (nowMs - askedMs > forgetMs) standing.delete(ownerOf(plan));
        // What is made quickly is made when it is asked for.
        else if (tookMs > promptMs) await renew({ ...plan, nowMs: plan.nowMs + (nowMs - madeMs) }, askedMs);
      }
    },
    async close() {
      await last;
      await analytics.close();
    },
  };
}

function ownerOf({ experiment }: AnalysisPlan): string {
  return JSON.stringify([experiment.namespace, experiment.name]);
}

function identityOf({ experiment, epochs }: AnalysisPlan): string {
  return JSON.stringify([experiment, epochs]);
}
