// What would a run look like if units came in as those that were logged? Whole units are drawn, with all their metrics together.
import type { LoggedUnits, VariantSummary } from '../evidence/index.ts';
import type { Insufficient, Random } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import { criterionNames } from './criterion-form.ts';
import { type DrawnRun, drawCount, splitUnits, summaryOfRun } from './drawn-run.ts';
import { countPool, levelOf, metricsNamed, type Pool, poolAt, whyUnreachable } from './logged-pool.ts';
import { pilotOfVariant } from './pilot.ts';
import { primaryTexts } from './plan-power.ts';
import type { TrueLevels } from './planned-criterion.ts';
import { type Expectations, type PlannedExperiment, type PlannedWorld, variantSummary } from './planned-world.ts';

/** Fewer units than this say little of the traffic they stand for. */
const fewestUnits = 50;

/** Names of the metrics the rule reads: those of primary criteria, guardrails and the value model. */
function judgedNames(experiment: PlannedExperiment): ReadonlySet<string> {
  const texts = [...primaryTexts(experiment), ...experiment.decision.guardrails];
  const valued = experiment.value?.terms.map(({ metric }) => metric) ?? [];
  return new Set([...texts.flatMap(criterionNames).filter((name) => name !== 'net_value'), ...valued]);
}

/** Level, noise and likeness of the metrics, as the logged units show them; insufficient where they do not show one the rule reads. */
export function expectationsOfUnits(
  logged: LoggedUnits,
  experiment: PlannedExperiment,
): Pick<Expectations, 'pilot' | 'correlation'> | Insufficient {
  if (logged.size < fewestUnits) {
    return insufficient(
      `the log holds ${logged.size} units of ${logged.variant} with an exposure, drawing from them takes ${fewestUnits}`,
    );
  }
  const names = judgedNames(experiment);
  const metrics = metricsNamed(logged, names);
  for (const name of names) {
    const metric = metrics.find((each) => each.name === name);
    if (metric === undefined || levelOf(metric) === undefined)
      return insufficient(`no logged unit of ${logged.variant} has a value of ${name}`);
  }
  const counts = countPool(poolAt(metrics, { size: logged.size, levels: {} }), logged.size);
  for (let unit = 0; unit < logged.size; unit += 1) counts.add(unit, 1);
  return pilotOfVariant({ metrics: counts.metrics(), joint: counts.joint() });
}

/** What keeps the log from showing these levels; undefined where nothing does. */
export function whyNotLogged(
  logged: LoggedUnits,
  levels: TrueLevels,
  experiment: PlannedExperiment,
): Insufficient | undefined {
  for (const metric of metricsNamed(logged, judgedNames(experiment))) {
    for (const side of [levels.control, levels.candidate]) {
      const why = whyUnreachable(metric, side[metric.name] ?? levelOf(metric) ?? 0);
      if (why !== undefined) return insufficient(why);
    }
  }
  return undefined;
}

/** Runs whose units are drawn with replacement from the logged ones, moved to these levels; each call begins one. */
export function drawLogged(
  logged: LoggedUnits,
  levels: TrueLevels,
  { experiment, world }: { readonly experiment: PlannedExperiment; readonly world: PlannedWorld },
): (random: Random) => DrawnRun {
  const metrics = metricsNamed(logged, judgedNames(experiment));
  const { size } = logged;
  const control = preparePool(poolAt(metrics, { size, levels: levels.control }));
  const candidate = preparePool(poolAt(metrics, { size, levels: levels.candidate }));
  const names = [world.control, ...world.candidates];
  return (random) => {
    const runs = names.map((_, variant) => {
      const source = variant === 0 ? control : candidate;
      return { source, counts: countPool(source.pool, size) };
    });
    const summaryOf = (name: string, variant: number): VariantSummary => {
      const { counts } = runs[variant]!;
      const { requestsPerUnit } = world;
      const whole = variantSummary(name, {
        ...{ units: counts.units(), requestsPerUnit },
        metrics: Object.entries(counts.metrics()),
      });
      return { ...whole, joint: counts.units() < 2 ? null : counts.joint() };
    };
    return {
      add: (count) => {
        splitUnits(world, random, count).forEach((own, variant) => {
          const { source, counts } = runs[variant]!;
          source.draw(random, own, counts.add);
        });
      },
      summary: (toMs) => summaryOfRun(world, { toMs, variants: names.map(summaryOf) }),
    };
  };
}

interface PreparedPool {
  readonly pool: Pool;
  /** Draws so many entries and tells which, each with how often. */
  draw(random: Random, count: number, tell: (entry: number, times: number) => void): void;
}

/** From so many units an entry on, counts of entries are drawn instead of units. */
const manyPerEntry = 30;

/** @see Walker 1977, ACM TOMS 3 (alias method) */
function preparePool(pool: Pool): PreparedPool {
  const { chances } = pool;
  const size = chances.length;
  const times = new Int32Array(size);
  const keeps = new Float64Array(size).fill(1);
  const alias = new Int32Array(size);
  const scaled = chances.map((chance) => chance * size);
  const small: number[] = [];
  const large: number[] = [];
  scaled.forEach((chance, entry) => {
    (chance < 1 ? small : large).push(entry);
  });
  while (small.length > 0 && large.length > 0) {
    const less = small.pop()!;
    const more = large.at(-1)!;
    keeps[less] = scaled[less]!;
    alias[less] = more;
    scaled[more]! -= 1 - scaled[less]!;
    if (scaled[more]! < 1) small.push(large.pop()!);
  }
  const drawOne = (random: Random): number => {
    const place = random.uniform() * size;
    const entry = Math.floor(place);
    return place - entry < keeps[entry]! ? entry : alias[entry]!;
  };
  return {
    pool,
    draw(random, count, tell) {
      if (count < manyPerEntry * size) {
        const drawn: number[] = [];
        for (let i = 0; i < count; i += 1) {
          const entry = drawOne(random);
          if (times[entry] === 0) drawn.push(entry);
          times[entry]! += 1;
        }
        for (const entry of drawn) {
          tell(entry, times[entry]!);
          times[entry] = 0;
        }
        return;
      }
      let left = count;
      let rest = 1;
      chances.forEach((chance, entry) => {
        const often = entry === size - 1 ? left : drawCount(random, left, Math.min(1, chance / rest));
        left -= often;
        rest -= chance;
        if (often > 0) tell(entry, often);
      });
    },
  };
}
