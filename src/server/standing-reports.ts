// What did each experiment's last report say, and when does a reader have to look again? Remembers reports as they are made, renews
// them while somebody watches, and tells what has changed.
import { createHash } from 'node:crypto';
import type { ExperimentService, ExperimentState } from '../control/index.ts';
import type { Report } from '../decision/index.ts';
import type { ExperimentSummary } from '../evidence/index.ts';
import { type Look, lookOf } from './past-reports.ts';

/** Options of `createStandingReports`. */
export interface StandingReportsOptions {
  readonly service: Pick<ExperimentService, 'list' | 'get' | 'subscribe'>;
  readonly judge: (name: string, namespace: string) => Promise<Judged>;
  /** A number that rises with everything that was recorded: while it stays, no report has to be made again. */
  readonly activity: () => Promise<number>;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly onFault: (fault: unknown) => void;
  /** Pause between two renewals while somebody watches, milliseconds; default 2,000. */
  readonly everyMs?: number;
}

/** A report and the summary it was made from. */
interface Judged {
  readonly report: Report;
  readonly summary: ExperimentSummary;
}

/** A report and which one it is. */
export interface StandingReport {
  readonly report: Report;
  /** Epoch milliseconds. */
  readonly madeMs: number;
  /** SHA-256, hex, of the report's JSON. */
  readonly digest: string;
}

/** What watchers hear: this experiment is another one now. */
export interface StandingChange {
  readonly experiment: string;
  readonly namespace: string;
  readonly version: number;
}

/** The last report of each experiment. */
export interface StandingReports {
  /** A fresh report; questions at the same time share one. @throws what making it throws. */
  report(name: string, namespace: string): Promise<StandingReport>;
  /** One that was made not long ago and still says what there is, else a fresh one. @throws what making it throws. */
  recent(name: string, namespace: string): Promise<StandingReport>;
  /** The same way to make reports, whose reports are remembered too: whoever watches need not wait for the next. */
  taking<J extends { readonly report: Report }>(
    judge: (name: string, namespace: string) => Promise<J>,
  ): (name: string, namespace: string) => Promise<J>;
  /** The last one; undefined before the first. */
  last(name: string, namespace: string): StandingReport | undefined;
  /** What the reports of this run showed over time, oldest first. */
  looks(name: string, namespace: string): readonly Look[];
  /** Rises with every change of an experiment, also over restarts. */
  version(name: string, namespace: string): number;
  /** Begins to renew in the background what is missing or old; never waits for it. */
  refresh(): void;
  /** Calls back on changes, and keeps reports fresh for as long as anybody listens; returns the way to stop. */
  watch(listener: (change: StandingChange) => void): () => void;
  close(): Promise<void>;
}

interface Standing extends StandingReport {
  readonly activity: number;
  readonly logRevision: number;
}

/** A report this old is made anew even where nothing was recorded: windows end and durations pass. */
const quietMs = 60_000;
/** Several readers of one moment share a report. */
const recentMs = 1_000;
/** What was recorded when a report was made is not known: it is never taken for complete. */
const unknownActivity = -1;
const mostLooks = 800;
/** Between two renewals passes at least this many times what the last one took. */
const mostlyIdle = 4;

/** Standing reports of one server. */
export function createStandingReports(options: StandingReportsOptions): StandingReports {
  const { service, now, onFault, everyMs = 2_000 } = options;
  const standing = new Map<string, Standing>();
  const versions = new Map<string, number>();
  const looks = new Map<string, Look[]>();
  const making = new Map<string, Promise<Standing>>();
  const listeners = new Set<(change: StandingChange) => void>();
  // Later than any version of an earlier run.
  const firstVersion = Math.floor(now());
  let isRenewing = false;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  let renewal: Promise<void> = Promise.resolve();

  const change = (name: string, namespace: string): void => {
    const key = keyOf(name, namespace);
    const version = Math.max((versions.get(key) ?? firstVersion) + 1, Math.floor(now()));
    versions.set(key, version);
    for (const listener of listeners) listener({ experiment: name, namespace, version });
  };

  const keep = (
    report: Report,
    about: {
      readonly name: string;
      readonly namespace: string;
      readonly activity: number;
      readonly logRevision: number;
    },
  ): Standing => {
    const { name, namespace, activity, logRevision } = about;
    const key = keyOf(name, namespace);
    const digest = createHash('sha256').update(JSON.stringify(report)).digest('hex');
    const before = standing.get(key);
    const done: Standing = { report, madeMs: now(), digest, activity, logRevision };
    standing.set(key, done);
    looks.set(key, withLook(looks.get(key) ?? [], lookOf(report, done.madeMs)));
    if (before?.digest !== digest) change(name, namespace);
    return done;
  };

  const make = (name: string, namespace: string): Promise<Standing> => {
    const key = keyOf(name, namespace);
    const known = making.get(key);
    if (known !== undefined) return known;
    const made = (async () => {
      // Asked before the report: what comes in while it is made may be missing from it.
      const activity = await options.activity();
      const { logRevision } = service.get(name, namespace);
      const { report, summary } = await options.judge(name, namespace);
      // Where a summary takes long the last one answers, and the next question may get more.
      const isBehind = summary.health?.asOfMs !== undefined;
      return keep(report, { name, namespace, activity: isBehind ? unknownActivity : activity, logRevision });
    })().finally(() => making.delete(key));
    making.set(key, made);
    return made;
  };

  const isCurrent = (state: ExperimentState, activity: number, freshMs: number): boolean => {
    const { name, namespace } = state.experiment;
    const found = standing.get(keyOf(name, namespace));
    if (found === undefined || found.logRevision !== state.logRevision) return false;
    const age = now() - found.madeMs;
    return age <= freshMs || (found.activity === activity && age <= quietMs);
  };

  /** One round over all that somebody may be looking at; those that wait longest first. */
  const round = async (): Promise<void> => {
    const startedMs = now();
    const states = service.list().toSorted((a, b) => (madeMsOf(standing, a) ?? 0) - (madeMsOf(standing, b) ?? 0));
    for (const state of states) {
      if (isClosed) return;
      const { name, namespace } = state.experiment;
      const isLive = state.state === 'running' || state.state === 'paused';
      const hasReport = standing.has(keyOf(name, namespace));
      // What has ended changes seldom; a draft has nothing to report yet.
      if (state.state === 'draft' && hasReport) continue;
      try {
        if (isCurrent(state, await options.activity(), isLive ? everyMs : quietMs)) continue;
        await make(name, namespace);
      } catch (fault) {
        onFault(fault);
      }
      if (listeners.size === 0 && now() - startedMs > quietMs) return;
    }
  };

  const renew = (): void => {
    if (isRenewing || isClosed) return;
    isRenewing = true;
    clearTimeout(timer);
    const startedMs = now();
    renewal = round().finally(() => {
      isRenewing = false;
      if (listeners.size === 0 || isClosed) return;
      timer = setTimeout(renew, Math.max(everyMs, mostlyIdle * (now() - startedMs)));
      timer.unref();
    });
  };

  const unsubscribe = service.subscribe(({ state }) => {
    change(state.experiment.name, state.experiment.namespace);
    if (listeners.size > 0) renew();
  });

  return {
    report: make,
    async recent(name, namespace) {
      const state = service.get(name, namespace);
      const found = standing.get(keyOf(name, namespace));
      return found !== undefined && isCurrent(state, await options.activity(), recentMs)
        ? found
        : make(name, namespace);
    },
    taking: (judge) => async (name, namespace) => {
      const judged = await judge(name, namespace);
      const { logRevision } = service.get(name, namespace);
      keep(judged.report, { name, namespace, activity: unknownActivity, logRevision });
      return judged;
    },
    last: (name, namespace) => standing.get(keyOf(name, namespace)),
    looks: (name, namespace) => looks.get(keyOf(name, namespace)) ?? [],
    version: (name, namespace) => versions.get(keyOf(name, namespace)) ?? firstVersion,
    refresh: renew,
    watch(listener) {
      listeners.add(listener);
      renew();
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) clearTimeout(timer);
      };
    },
    async close() {
      isClosed = true;
      clearTimeout(timer);
      unsubscribe();
      listeners.clear();
      await renewal;
    },
  };
}

/** One more look; of too many every second goes, so that what is left covers all the time. */
function withLook(looks: readonly Look[], look: Look): Look[] {
  if (looks.at(-1)?.units === look.units) return [...looks.slice(0, -1), look];
  const kept = looks.length < mostLooks ? looks : looks.filter((_, place) => place % 2 === 0);
  return [...kept, look];
}

function keyOf(name: string, namespace: string): string {
  return `${namespace}/${name}`;
}

function madeMsOf(standing: ReadonlyMap<string, Standing>, { experiment }: ExperimentState): number | undefined {
  return standing.get(keyOf(experiment.name, experiment.namespace))?.madeMs;
}
