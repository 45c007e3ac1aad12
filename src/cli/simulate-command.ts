// `assay simulate`: is this very rule honest, and will it see what is planned?
import { type Scenario, type SimulatedWorld, type Simulation, simulateRule } from '../decision/index.ts';
import { AssayError } from '../errors.ts';
import { createRandom } from '../stats/index.ts';
import { type PlanningOptions, readPlanning } from './power/expectations.ts';
import { createProgress, formatCount, wrapText } from './render/index.ts';
import { say, sayJson, style } from './terminal.ts';

interface SimulateOptions extends PlanningOptions {
  readonly aa?: boolean;
  readonly atBoundary?: boolean;
  readonly effect?: string;
  readonly runs: number;
  readonly looks: number;
  readonly seed: number;
  readonly json?: boolean;
}

/**
 * Plays the rule and prints how often it was wrong.
 * @throws AssayError `usage-invalid`, `input-invalid`, and as `readPlanning`.
 */
export async function simulateCommand(options: SimulateOptions): Promise<void> {
  const scenario = scenarioOf(options);
  const { experiment, expectations, logged } = await readPlanning(options, { takesUnits: true });
  const worlds =
    scenario.kind === 'at-boundary'
      ? Math.max(1, experiment.decision.primary.length) + experiment.decision.guardrails.length
      : 1;
  const progress = createProgress('runs', {
    total: worlds * options.runs,
    stream: process.stderr,
    unicode: style.unicode,
  });
  const simulation = simulateRule(experiment, {
    scenario,
    expectations,
    ...(logged === undefined ? {} : { logged }),
    runs: options.runs,
    looks: options.looks,
    random: createRandom(options.seed),
    onRun: (done) => progress.update(done),
  });
  progress.stop();
  if (simulation.kind === 'insufficient')
    throw new AssayError('input-invalid', `${options.file} cannot be simulated: ${simulation.reason}`, {
      fix:
        logged === undefined
          ? 'Say what is expected in spec.plan.expected, or with --baseline and --difference; or simulate with --aa.'
          : 'Leave out --log to make the traffic up, or log more of the control first.',
    });
  if (options.json) sayJson({ ...simulation, seed: options.seed });
  else for (const line of linesOf(simulation)) say(line);
}

function scenarioOf({ aa, atBoundary, effect }: SimulateOptions): Scenario {
  const given = [aa, atBoundary, effect].filter((each) => each !== undefined).length;
  if (given !== 1)
    throw new AssayError('usage-invalid', `${given} of --aa, --at-boundary and --effect are given, must be one`);
  if (aa) return { kind: 'aa' };
  if (atBoundary) return { kind: 'at-boundary' };
  if (effect === 'planned') return { kind: 'effect', value: 'planned' };
  const value = Number((effect ?? '').replace(/^\s*$/, 'x'));
  if (!Number.isFinite(value))
    throw new AssayError('usage-invalid', `--effect is "${effect}", must be planned or a number`);
  return { kind: 'effect', value };
}

function linesOf(simulation: Simulation): readonly string[] {
  const { runs, looks, alpha } = simulation;
  const wrap = (text: string, indent = 2): readonly string[] => wrapText(text, { width: style.width, indent });
  const sums = [
    rateLine('ships that would be wrong', simulation.falseShipRate, { runs, promise: alpha }),
    rateLine('roll-backs that would be wrong', simulation.falseRollbackRate, { runs, promise: alpha }),
    rateLine('the customary rule on point estimates ships wrongly', simulation.naiveFalseShipRate, { runs }),
    rateLine('ships of the planned effect', simulation.shipRate, { runs }),
    rateLine('planned power', simulation.plannedPower, {}),
  ].flat();
  return [
    ...wrap(
      `${simulation.experiment}: ${formatCount(runs)} runs, each looked at up to ${looks} times, until a verdict fell or the plan was over.`,
    ),
    ...(simulation.logged === undefined
      ? []
      : wrap(
          `Units drawn with replacement from ${formatCount(simulation.logged.drawnFrom)} logged ones of ${simulation.logged.variant}${simulation.logged.drawnFrom < simulation.logged.units ? ` (of ${formatCount(simulation.logged.units)})` : ''}, with all their metrics together.`,
        )),
    '',
    ...simulation.worlds.flatMap((world) => [...worldLines(world), '']),
    ...sums.flatMap((line) => wrap(line, 4)),
    ...wrap(`a run takes ${simulation.expectedDays.toFixed(1)} days on average`, 4),
    ...(simulation.assumed.length === 0
      ? []
      : ['', ...wrap(`Nobody said, so it was assumed: ${simulation.assumed.join('; ')}.`)]),
  ];
}

function worldLines(world: SimulatedWorld): readonly string[] {
  const share = (rate: number): string => `${(100 * rate).toFixed(1)} %`;
  return [
    ...wrapText(
      `Where ${world.name} (${world.criteria.map(({ text, value }) => `${text}: ${Number(value.toPrecision(4))}`).join('; ')})`,
      { width: style.width },
    ),
    ...wrapText(
      `ship ${share(world.shipRate)}, roll-back ${share(world.rollbackRate)}, no-difference ${share(world.noDifferenceRate)}, undecided ${share(world.undecidedRate)}; ${world.days.median.toFixed(1)} days in half of the runs, ${world.days.p90.toFixed(1)} in nine of ten`,
      { width: style.width - 2, indent: 0 },
    ).map((line) => `  ${line}`),
  ];
}

/** A rate with its simulation error, held against what is promised. */
function rateLine(
  label: string,
  rate: number | undefined,
  { runs, promise }: { readonly runs?: number; readonly promise?: number },
): readonly string[] {
  if (rate === undefined) return [];
  const noise = runs === undefined ? 0 : 2 * Math.sqrt((rate * (1 - rate)) / runs);
  const spread = noise === 0 ? '' : ` +- ${(100 * noise).toFixed(1)}`;
  const beside =
    promise === undefined
      ? ''
      : `, at most ${100 * promise} % promised${rate > promise + 3 * Math.sqrt((promise * (1 - promise)) / (runs ?? 1)) ? ': BROKEN' : ''}`;
  return [`${label}: ${(100 * rate).toFixed(1)}${spread} %${beside}`];
}
