// Who acts while nobody looks? Holds guardrails against the live counts, asks for verdicts, and takes the steps the file allows.
import { makeReport, type Verdict } from '../decision/index.ts';
import type { ExperimentSummary, VariantTally } from '../evidence/index.ts';
import { experimentLabel } from '../experiment/index.ts';
import { canonicalJson, digestOf } from './control-chain.ts';
import type { Grounds, ProposedStep } from './control-event.ts';
import type { ExperimentService } from './experiment-service.ts';
import type { ExperimentState } from './experiment-state.ts';
import { type GuardrailBreach, type GuardrailWatch, watchGuardrails } from './guardrail-watch.ts';
import type { JudgedReport, ReportSource } from './ports.ts';
import { nextStep, rampObstacles } from './ramp-gate.ts';

/** Options of `createDecisionLoop`. */
export interface DecisionLoopOptions {
  readonly service: Pick<ExperimentService, 'list' | 'get' | 'act' | 'note' | 'recordVerdict' | 'subscribe'>;
  readonly reports: ReportSource;
  /**
   * Told of whatever keeps one experiment from being looked after; the others are, and it is tried again.
   * @param experiment `NAME`, or `NAMESPACE/NAME` outside the namespace `default`.
   */
  readonly onFault: (fault: unknown, experiment: string) => void;
}

/** What keeps a ramp on its step. */
export interface WaitingRamp {
  readonly namespace: string;
  readonly experiment: string;
  /** The coverage that comes next. */
  readonly next: number;
  /** In sentences; empty where only time is missing. */
  readonly obstacles: readonly string[];
}

/** How the loop is doing. */
export interface LoopStatus {
  /** When guardrails were last held against the live counts, epoch milliseconds; null before the first time. */
  readonly lastTickMs: number | null;
  /** How much longer than `everyMs` ago that was, milliseconds; 0 when it is on time. */
  readonly lateMs: number;
  /** When the last round of verdicts was done; null before the first. */
  readonly lastVerdictsMs: number | null;
  /** Experiments whose guardrails are watched. */
  readonly watched: number;
  readonly waiting: readonly WaitingRamp[];
}

/** The loop. Somebody else has the clock: it does nothing by itself. */
export interface DecisionLoop {
  /** Takes in what gateways have counted since they last told. */
  observe(tallies: readonly VariantTally[]): void;
  /** Holds guardrails against the counts so far and acts on a breach; due every 250 ms, quick. */
  tick(nowMs: number): Promise<void>;
  /** Asks for the verdict of every running experiment and follows it; due every few seconds, may take as long as reports take. */
  deliberate(nowMs: number): Promise<void>;
  /** @param everyMs how often ticks are due */
  status(nowMs: number, everyMs: number): LoopStatus;
  close(): void;
}

/** Names that stand as authors in the control log. */
const authors = {
  breach: 'policy:onBreach',
  ship: 'policy:onShip',
  ramp: 'policy:ramp',
  loop: 'decision-loop',
} as const;
/** A verdict that comes and goes is kept again only after this long. */
const flappingMs = 60_000;

type RampStep = Extract<ProposedStep, { readonly step: 'ramp' }>;

interface Run {
  readonly watch: GuardrailWatch;
  /** Counts of earlier epochs belong to an earlier run. */
  readonly firstEpoch: number;
  /** Breaches that were only to be told. */
  readonly told: Set<string>;
}

/** A loop over the experiments of one service. */
export function createDecisionLoop({ service, reports, onFault }: DecisionLoopOptions): DecisionLoop {
  const runs = new Map<string, Run>();
  const keptMs = new Map<string, number>();
  const waiting = new Map<string, WaitingRamp>();
  let lastTickMs: number | null = null;
  let lastVerdictsMs: number | null = null;

  // A new run begins with every start, and with whatever changes what is tested.
  const unsubscribe = service.subscribe(({ entry, state }) => {
    const { kind } = entry.event;
    const key = keyOf(state);
    if (kind === 'start' || kind === 'resume' || kind === 'revise') runs.delete(key);
    if (state.state === 'running') return;
    runs.delete(key);
    waiting.delete(key);
  });

  const runOf = (state: ExperimentState, nowMs: number): Run => {
    const key = keyOf(state);
    const known = runs.get(key);
    if (known !== undefined) return known;
    const run = {
      watch: watchGuardrails(state.experiment, { nowMs }),
      firstEpoch: state.epoch,
      told: new Set<string>(),
    };
    runs.set(key, run);
    return run;
  };

  const obey = async (
    state: ExperimentState,
    breach: { readonly text: string; readonly code: string } & Grounds,
  ): Promise<void> => {
    const { experiment } = state;
    const { code, text, ...grounds } = breach;
    const about = { name: experiment.name, namespace: experiment.namespace, author: authors.breach, ...grounds };
    const { onBreach } = experiment.decision;
    if (onBreach === 'notify') await service.note({ ...about, reason: text, note: { kind: 'notice', code } });
    else await service.act(onBreach, { ...about, reason: text });
  };

  const guard = async (state: ExperimentState, nowMs: number): Promise<void> => {
    const run = runOf(state, nowMs);
    const breach = run.watch.look(nowMs);
    if (breach === undefined) return;
    const name = `${breach.guardrail}/${breach.variant}`;
    if (run.told.has(name)) return;
    await obey(state, { code: 'guardrail-breached', text: breach.text, evidence: groundsOf(breach) });
    run.told.add(name);
  };

  return {
    observe(tallies) {
      for (const tally of tallies) {
        const run = runs.get(`${tally.namespace}/${tally.experiment}`);
        if (run !== undefined && tally.epoch >= run.firstEpoch) run.watch.add([tally]);
      }
    },
    async tick(nowMs) {
      lastTickMs = nowMs;
      for (const state of service.list()) {
        if (state.state !== 'running') continue;
        try {
          await guard(state, nowMs);
        } catch (fault) {
          onFault(fault, experimentLabel(state.experiment.namespace, state.experiment.name));
        }
      }
    },
    async deliberate(nowMs) {
      for (const { state, experiment } of service.list()) {
        if (state !== 'running') continue;
        const { name, namespace } = experiment;
        try {
          const judged = await reports.judge(name, namespace);
          const present = service.get(name, namespace);
          if (present.state === 'running') await follow(present, judged, nowMs);
        } catch (fault) {
          onFault(fault, experimentLabel(namespace, name));
        }
      }
      lastVerdictsMs = nowMs;
    },
    status: (nowMs, everyMs) => ({
      lastTickMs,
      lateMs: lastTickMs === null ? 0 : Math.max(0, nowMs - lastTickMs - everyMs),
      lastVerdictsMs,
      watched: runs.size,
      waiting: [...waiting.values()],
    }),
    close: unsubscribe,
  };

  async function follow(state: ExperimentState, judged: JudgedReport, nowMs: number): Promise<void> {
    const { verdict } = judged.report;
    const { onShip } = state.experiment.decision;
    const isBreach = verdict.kind === 'roll-back' && verdict.reasons[0]?.code === 'guardrail-breached';
    const isPromotion = verdict.kind === 'ship' && onShip === 'promote';
    const kept = await keep(state, judged, { nowMs, isActedOn: isBreach || isPromotion });
    const about = {
      name: state.experiment.name,
      namespace: state.experiment.namespace,
      evidence: { verdict: verdict.kind, logRevision: kept.lastVerdict?.logRevision ?? null },
      evidenceDigest: digestOf(judged.summary),
    };
    const reason = reasonOf(verdict);
    if (isBreach) {
      const run = runs.get(keyOf(state));
      if (run?.told.has(reason)) return;
      const { evidence, evidenceDigest } = about;
      await obey(kept, { code: 'guardrail-breached', text: reason, evidence, evidenceDigest });
      run?.told.add(reason);
      return;
    }
    if (isPromotion) {
      await service.act('promote', { ...about, author: authors.ship, reason, variant: verdict.variant });
      return;
    }
    const shipped: ProposedStep | null =
      verdict.kind === 'ship' && onShip === 'hold' ? { step: 'promote', variant: verdict.variant } : null;
    const ramped = shipped === null ? await ramp(kept, judged, { about, nowMs }) : null;
    await propose(kept, shipped ?? ramped, {
      ...about,
      reason: ramped === null ? reason : rampReason(kept, { next: ramped.coverage, nowMs }),
    });
  }

  /** Writes the verdict down where it is another one than the last. */
  async function keep(
    state: ExperimentState,
    { report, summary, basis }: JudgedReport,
    { nowMs, isActedOn }: { readonly nowMs: number; readonly isActedOn: boolean },
  ): Promise<ExperimentState> {
    const { lastVerdict, experiment } = state;
    const { kind, variant } = report.verdict;
    const isSame = lastVerdict?.kind === kind && lastVerdict.variant === variant;
    const place = `${keyOf(state)}/${kind}/${variant}`;
    const isFlapping = nowMs - (keptMs.get(place) ?? Number.NEGATIVE_INFINITY) < flappingMs;
    if (!isActedOn && (isSame || isFlapping)) return state;
    if (isActedOn && isSame && experiment.decision.onBreach === 'notify' && kind === 'roll-back') return state;
    keptMs.set(place, nowMs);
    // Judged once more from what will be read back, key order included: so it recomputes to the last digit for ever.
    const stored: ExperimentSummary = JSON.parse(canonicalJson(summary));
    const verdict = makeReport(stored, { experiment, ...basis }).verdict;
    return service.recordVerdict({
      name: experiment.name,
      namespace: experiment.namespace,
      author: authors.loop,
      reason: reasonOf(verdict),
      verdict,
      summary: stored,
      basis,
      expectedRevision: state.logRevision,
    });
  }

  /** Takes the ramp's next step when it is due and nothing speaks against it; gives the step instead where it takes approval. */
  async function ramp(
    state: ExperimentState,
    { report }: JudgedReport,
    {
      about,
      nowMs,
    }: { readonly about: { readonly name: string; readonly namespace: string } & Grounds; readonly nowMs: number },
  ): Promise<RampStep | null> {
    const { experiment, sinceMs } = state;
    const next = nextStep(state);
    const key = keyOf(state);
    if (next === undefined || experiment.ramp === undefined) {
      waiting.delete(key);
      return null;
    }
    const obstacles = rampObstacles(report);
    waiting.set(key, { namespace: experiment.namespace, experiment: experiment.name, next, obstacles });
    const { holdMs, approval } = experiment.ramp;
    if (obstacles.length > 0 || nowMs - sinceMs < holdMs) return null;
    if (approval === 'required') return { step: 'ramp', coverage: next };
    waiting.delete(key);
    const reason = rampReason(state, { next, nowMs });
    await service.act('ramp', { ...about, author: authors.ramp, reason, coverage: next });
    return null;
  }

  async function propose(
    state: ExperimentState,
    step: ProposedStep | null,
    about: { readonly name: string; readonly namespace: string; readonly reason: string } & Grounds,
  ): Promise<void> {
    if (JSON.stringify(step) === JSON.stringify(state.proposal)) return;
    // The step that was just taken has cleared it.
    if (step === null && service.get(about.name, about.namespace).proposal === null) return;
    await service.note({ ...about, author: authors.loop, note: { kind: 'propose', proposal: step } });
  }
}

function keyOf({ experiment }: ExperimentState): string {
  return `${experiment.namespace}/${experiment.name}`;
}

function reasonOf({ kind, reasons }: Verdict): string {
  return `${kind}: ${reasons[0]?.text ?? 'no reason was given'}`.slice(0, 2000);
}

function rampReason(
  { coverage, sinceMs }: ExperimentState,
  { next, nowMs }: { readonly next: number; readonly nowMs: number },
): string {
  const heldS = Math.round((nowMs - sinceMs) / 1000);
  return `${coverage} was held for ${heldS} s; guardrails and checks let it go on to ${next}`;
}

function groundsOf({ guardrail, variant, numbers }: GuardrailBreach): NonNullable<Grounds['evidence']> {
  return { guardrail, variant, ...numbers };
}
