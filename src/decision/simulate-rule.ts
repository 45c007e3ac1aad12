// Is this very rule honest, and will it see what is planned? The configured verdict, watched over and over in made-up traffic.
import type { LoggedUnits } from '../evidence/index.ts';
import type { Insufficient, Random } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import { type DrawnRun, drawRun } from './drawn-run.ts';
import { type JudgementOptions, judgeExperiment } from './judgement.ts';
import { drawLogged, expectationsOfUnits, whyNotLogged } from './logged-run.ts';
import { detectableValue, plannedPowerAt, plannedTraffic, primaryTexts } from './plan-power.ts';
import { distanceInside, levelsReaching, plannedCriterion, type TrueLevels } from './planned-criterion.ts';
import {
  type Expectations,
  type PlannedExperiment,
  type PlannedWorld,
  plannedLevels,
  plannedWorld,
} from './planned-world.ts';
import type { VerdictKind } from './report.ts';

/** What is true in the simulated runs. */
export type Scenario =
  /** Candidates are the control under another name. */
  | { readonly kind: 'aa' }
  /** Each primary criterion in turn stands exactly at its limit; each guardrail in turn does. */
  | { readonly kind: 'at-boundary' }
  /** The expected differences, or, where none are given, what the plan was sized for; or the first primary criterion's value. */
  | { readonly kind: 'effect'; readonly value: 'planned' | number };

/** How to simulate. */
export interface SimulationOptions {
  readonly scenario: Scenario;
  readonly expectations?: Expectations;
  /** Runs of each world, >= 1. */
  readonly runs: number;
  readonly random: Random;
  /** Times the numbers are looked at in a run, >= 2; default 60. */
  readonly looks?: number;
  /** Units to draw from, instead of making them up; level and noise of metrics are then theirs. */
  readonly logged?: LoggedUnits;
  /** Plays the world at this place alone, from 0; default all of the scenario. */
  readonly onlyWorld?: number;
  /** Told after every run. */
  readonly onRun?: (done: number, total: number) => void;
}

/** Where the truth lies in one world, and what the rule made of it. */
export interface SimulatedWorld {
  /** What is true, in words: `net_value > 2 is exactly at its limit`. */
  readonly name: string;
  readonly truth: {
    readonly control: { readonly [metric: string]: number };
    readonly candidate: { readonly [metric: string]: number };
  };
  readonly criteria: readonly {
    readonly text: string;
    readonly role: 'primary' | 'guardrail';
    readonly value: number;
    readonly isTrue: boolean;
  }[];
  /** Shares of the runs, 0..1. */
  readonly shipRate: number;
  readonly rollbackRate: number;
  /** No difference was declared, mostly because the plan was over. */
  readonly noDifferenceRate: number;
  readonly undecidedRate: number;
  /** The customary rule on point estimates, read at the same looks, would have shipped. */
  readonly naiveShipRate: number;
  /** Days until a verdict; runs without one count to the end of the plan. */
  readonly days: { readonly mean: number; readonly median: number; readonly p90: number };
  /** A ship would be wrong here: a primary criterion is not true. */
  readonly isShipFalse: boolean;
  /** A roll-back would be wrong here: no guardrail is broken, and the candidate is no worse than the control. */
  readonly isRollbackFalse: boolean;
}

/** What came of a simulation. */
export interface Simulation {
  readonly kind: 'simulated';
  readonly experiment: string;
  readonly scenario: Scenario['kind'];
  readonly runs: number;
  readonly looks: number;
  readonly alpha: number;
  /** The worst over the worlds in which it would be wrong; absent where it never would be. */
  readonly falseShipRate?: number;
  readonly falseRollbackRate?: number;
  readonly naiveFalseShipRate?: number;
  /** Of the world of an effect. */
  readonly shipRate?: number;
  /** What the plan promises there, 0..1. */
  readonly plannedPower?: number;
  readonly expectedDays: number;
  readonly worlds: readonly SimulatedWorld[];
  /** The units that runs were drawn from; absent where they were made up. */
  readonly logged?: { readonly variant: string; readonly units: number; readonly drawnFrom: number };
  /** What nobody said and was therefore assumed, in sentences. */
  readonly assumed: readonly string[];
}

/** Looks of a run unless told otherwise: each batch some 15 % larger than all before it together made it. */
const usualLooks = 60;
/** Units at the first look. */
const firstLook = 200;
const dayMs = 86_400_000;

/**
 * Plays the rule: the same criteria, checks and verdict as in a report, read after every batch, until a verdict falls or the
 * plan is over. Insufficient where no true levels give the scenario.
 */
export function simulateRule(experiment: PlannedExperiment, options: SimulationOptions): Simulation | Insufficient {
  const { logged, onlyWorld } = options;
  const measured = logged === undefined ? {} : expectationsOfUnits(logged, experiment);
  if ('kind' in measured) return measured;
  const { expectations = {} } = options;
  const world = plannedWorld(experiment, {
    ...expectations,
    ...measured,
    pilot: { ...expectations.pilot, ...measured.pilot },
  });
  const place = { experiment, world };
  const every = truthsOf(options.scenario, place);
  if ('kind' in every) return every;
  for (const { levels } of every) {
    const why = logged === undefined ? undefined : whyNotLogged(logged, levels, experiment);
    if (why !== undefined) return why;
  }
  const truths = onlyWorld === undefined ? every : every.slice(onlyWorld, onlyWorld + 1);
  const looks = options.looks ?? usualLooks;
  const worlds: SimulatedWorld[] = [];
  for (const [index, truth] of truths.entries()) {
    worlds.push(
      playWorld(truth, {
        ...place,
        looks,
        runs: options.runs,
        random: options.random.stream(truth.name),
        startRun:
          logged === undefined
            ? (random) => drawRun(world, random, truth.levels)
            : drawLogged(logged, truth.levels, place),
        onRun: (done) => options.onRun?.(index * options.runs + done, truths.length * options.runs),
      }),
    );
  }
  const worst = (rate: (world: SimulatedWorld) => number, among: readonly SimulatedWorld[]): number | undefined =>
    among.length === 0 ? undefined : Math.max(...among.map(rate));
  const wrongShips = worlds.filter(({ isShipFalse }) => isShipFalse);
  const wrongRollbacks = worlds.filter(({ isRollbackFalse }) => isRollbackFalse);
  const rates = {
    falseShipRate: worst(({ shipRate }) => shipRate, wrongShips),
    falseRollbackRate: worst(({ rollbackRate }) => rollbackRate, wrongRollbacks),
    naiveFalseShipRate: worst(({ naiveShipRate }) => naiveShipRate, wrongShips),
    ...(options.scenario.kind === 'effect'
      ? { shipRate: worlds[0]?.shipRate, plannedPower: plannedPowerAt(truths[0]!.levels, place) }
      : {}),
  };
  return {
    kind: 'simulated',
    experiment: experiment.name,
    scenario: options.scenario.kind,
    runs: options.runs,
    looks,
    alpha: experiment.decision.alpha,
    ...(Object.fromEntries(Object.entries(rates).filter(([, rate]) => rate !== undefined)) as {
      readonly [rate in keyof typeof rates]?: number;
    }),
    expectedDays: worlds.reduce((sum, { days }) => sum + days.mean, 0) / worlds.length,
    worlds,
    ...(logged === undefined
      ? {}
      : { logged: { variant: logged.variant, units: logged.units, drawnFrom: logged.size } }),
    assumed: world.assumed,
  };
}

interface Place {
  readonly experiment: PlannedExperiment;
  readonly world: PlannedWorld;
}

interface Truth {
  readonly name: string;
  readonly levels: TrueLevels;
}

function truthsOf(scenario: Scenario, place: Place): readonly Truth[] | Insufficient {
  const planned = plannedLevels(place.world);
  const primary = primaryTexts(place.experiment);
  if (scenario.kind === 'aa') {
    return [{ name: 'the candidate is the control', levels: { control: planned.control, candidate: planned.control } }];
  }
  if (scenario.kind === 'effect' && scenario.value !== 'planned') {
    const [first] = primary;
    if (first === undefined) return insufficient('the experiment has no metric that could decide');
    const levels = reach(first, scenario.value, { ...place, levels: planned });
    return 'kind' in levels ? levels : [{ name: `${first} stands at ${scenario.value}`, levels }];
  }
  const good = goodLevels(planned, place);
  if ('kind' in good) return good;
  if (scenario.kind === 'effect') return [{ name: 'the planned effect', levels: good }];
  const truths: Truth[] = [];
  for (const text of primary) {
    const limit = limitOf(text, good, place);
    if (typeof limit !== 'number') return limit;
    const levels = reach(text, limit, { ...place, levels: good });
    if ('kind' in levels) return levels;
    truths.push({ name: `${text} is exactly at its limit`, levels });
  }
  for (const text of place.experiment.decision.guardrails) {
    const levels = guardrailAtLimit(text, good, place);
    if ('kind' in levels) return levels;
    truths.push({ name: `guardrail ${text} is exactly at its limit`, levels });
  }
  return truths;
}

function limitOf(text: string, levels: TrueLevels, place: Place): number | Insufficient {
  const found = plannedCriterion(text, levels, place);
  return found.kind === 'insufficient' ? found : found.form.limit;
}

/** Metrics that guardrails or other criteria name are moved last. */
function reach(
  text: string,
  target: number,
  place: Place & { readonly levels: TrueLevels },
): TrueLevels | Insufficient {
  const others = [...primaryTexts(place.experiment), ...place.experiment.decision.guardrails].filter(
    (each) => each !== text,
  );
  const reluctant = new Set(
    others.flatMap((each) => {
      const found = plannedCriterion(each, place.levels, place);
      return found.kind === 'insufficient'
        ? []
        : Object.entries(found.form.candidate).flatMap(([name, weight]) => (weight === 0 ? [] : [name]));
    }),
  );
  return levelsReaching(text, target, { ...place, reluctant });
}

/** Levels at which every primary criterion is true: as planned, else what the plan's size was made for. */
function goodLevels(planned: TrueLevels, place: Place): TrueLevels | Insufficient {
  let levels = planned;
  for (const text of primaryTexts(place.experiment)) {
    const found = plannedCriterion(text, levels, place);
    if (found.kind === 'insufficient') return found;
    if (found.isTrue) continue;
    const target = detectableValue(text, levels, place);
    if (typeof target !== 'number') return target;
    const moved = reach(text, target, { ...place, levels });
    if ('kind' in moved) return moved;
    levels = moved;
  }
  return levels;
}

/**
 * The guardrail exactly at its limit. A bound on the candidate alone is reached by control and candidate together, so that the
 * limit and nothing else speaks against the candidate; the primary criteria are then made true again.
 */
function guardrailAtLimit(text: string, good: TrueLevels, place: Place): TrueLevels | Insufficient {
  const limit = limitOf(text, good, place);
  if (typeof limit !== 'number') return limit;
  const moved = levelsReaching(text, limit, { ...place, levels: good, reluctant: new Set() });
  if ('kind' in moved) return moved;
  const found = plannedCriterion(text, moved, place);
  const isBound = found.kind === 'planned' && Object.values(found.form.control).every((weight) => weight === 0);
  const changed = Object.keys(moved.candidate).filter((name) => moved.candidate[name] !== good.candidate[name]);
  const control = isBound
    ? { ...moved.control, ...Object.fromEntries(changed.map((name) => [name, moved.candidate[name] ?? 0])) }
    : moved.control;
  let levels: TrueLevels = { ...moved, control };
  for (const primary of primaryTexts(place.experiment)) {
    const before = plannedCriterion(primary, good, place);
    if (before.kind === 'insufficient') return before;
    const restored = levelsReaching(primary, before.value, { ...place, levels, reluctant: new Set(changed) });
    if ('kind' in restored) return restored;
    levels = restored;
  }
  return levels;
}

interface Play extends Place {
  readonly looks: number;
  readonly runs: number;
  readonly random: Random;
  readonly startRun: (random: Random) => DrawnRun;
  readonly onRun: (done: number) => void;
}

function playWorld(truth: Truth, play: Play): SimulatedWorld {
  const outcomes: Outcome[] = [];
  for (let run = 0; run < play.runs; run += 1) {
    outcomes.push(playRun(play.random.stream(`run ${run}`), play));
    play.onRun(run + 1);
  }
  const share = (is: (outcome: Outcome) => boolean): number => outcomes.filter(is).length / outcomes.length;
  const days = outcomes.map((each) => each.days).sort((left, right) => left - right);
  const at = (quantile: number): number => days[Math.min(days.length - 1, Math.floor(quantile * days.length))] ?? 0;
  const criteria = [
    ...primaryTexts(play.experiment).map((text) => ({ text, role: 'primary' as const })),
    ...play.experiment.decision.guardrails.map((text) => ({ text, role: 'guardrail' as const })),
  ].flatMap(({ text, role }) => {
    const found = plannedCriterion(text, truth.levels, play);
    return found.kind === 'insufficient' ? [] : [{ text, role, found }];
  });
  const isBroken = criteria.some(
    ({ role, found }) => role === 'guardrail' && distanceInside(found.form, found.value) < -tolerance(found.form.limit),
  );
  const isHarmful = criteria.some(({ role, found }) => role === 'primary' && !found.isTrue && isWorse(found, truth));
  return {
    name: truth.name,
    truth: truth.levels,
    criteria: criteria.map(({ text, role, found }) => ({ text, role, value: found.value, isTrue: found.isTrue })),
    shipRate: share(({ kind }) => kind === 'ship'),
    rollbackRate: share(({ kind }) => kind === 'roll-back'),
    noDifferenceRate: share(({ kind }) => kind === 'no-difference'),
    undecidedRate: share(({ kind }) => kind === 'keep-testing' || kind === 'invalid'),
    naiveShipRate: share(({ isNaiveShip }) => isNaiveShip),
    days: { mean: days.reduce((sum, each) => sum + each, 0) / days.length, median: at(0.5), p90: at(0.9) },
    isShipFalse: criteria.some(({ role, found }) => role === 'primary' && !found.isTrue),
    isRollbackFalse: !isBroken && !isHarmful,
  };
}

const tolerance = (limit: number): number => 1e-9 * Math.max(1, Math.abs(limit));

/** In what the criterion measures the candidate is truly worse than the control. */
function isWorse(
  { form }: { readonly form: { readonly candidate: Readonly<Record<string, number>>; readonly comparison: string } },
  { levels }: Truth,
): boolean {
  const advantage = Object.entries(form.candidate).reduce(
    (sum, [name, weight]) => sum + weight * ((levels.candidate[name] ?? 0) - (levels.control[name] ?? 0)),
    0,
  );
  return (form.comparison.startsWith('>') ? advantage : -advantage) < -1e-9;
}

interface Outcome {
  readonly kind: VerdictKind;
  readonly days: number;
  readonly isNaiveShip: boolean;
}

function playRun(random: Random, { experiment, world, looks, startRun }: Play): Outcome {
  const traffic = plannedTraffic(experiment, world);
  const lastUnits = traffic.end.units;
  const first = Math.min(firstLook, lastUnits / 2);
  const run = startRun(random);
  // Secondary criteria decide nothing.
  const judged: JudgementOptions['experiment'] = {
    ...experiment,
    decision: { ...experiment.decision, secondary: [] },
  };
  let units = 0;
  let isNaiveShip = false;
  let days = 0;
  let kind: VerdictKind = 'keep-testing';
  for (let look = 0; look < looks; look += 1) {
    const isLast = look === looks - 1;
    const upTo = Math.round(first * (lastUnits / first) ** (look / (looks - 1)));
    if (upTo > units) run.add(upTo - units);
    units = Math.max(units, upTo);
    days = isLast ? traffic.end.days : traffic.daysAt(units);
    const { cases, verdict } = judgeExperiment(run.summary(days * dayMs), {
      experiment: judged,
      startedAtMs: 0,
      nowMs: days * dayMs,
      isForecasting: false,
    });
    isNaiveShip ||= cases.some(({ criteria }) =>
      criteria.every(
        ({ entry, missedByEstimate }) =>
          entry.role === 'secondary' || (typeof entry.estimate === 'number' && !missedByEstimate),
      ),
    );
    kind = verdict.kind;
    if (kind !== 'keep-testing' && kind !== 'invalid') break;
  }
  return { kind, days, isNaiveShip };
}
