// What does the file of an experiment look like? Writes the normal form of the control log as a file that `assay apply` takes again.
import { stringify } from 'yaml';
import { defaultResilience, type Experiment, parseExperimentFile, type UnitSource } from '../experiment/index.ts';

/**
 * The experiment as YAML, defaults left out. What a newer version has added, and this writer does not know, makes the normal
 * form the answer, and its first line says so.
 */
export function experimentYaml(experiment: Experiment): string {
  const text = stringify(documentOf(experiment), { lineWidth: 120 });
  return isSame(text, experiment)
    ? text
    : `# The normal form of this experiment; not an experiment file.\n${stringify(experiment, { lineWidth: 120 })}`;
}

function isSame(text: string, experiment: Experiment): boolean {
  try {
    return sorted(parseExperimentFile(text)) === sorted(experiment);
  } catch {
    return false;
  }
}

/** JSON with its keys in order: the same value gives the same text. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    each !== null && typeof each === 'object' && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const units = [
  ['d', dayMs],
  ['h', hourMs],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const;

/** The largest unit that leaves a whole number: `48h` rather than `2d` up to three days, as people say it. */
function duration(ms: number): string {
  const [unit, size] = units.find(([name, each]) => ms % each === 0 && !(name === 'd' && ms < 3 * dayMs)) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}

type Part = Readonly<Record<string, unknown>>;

/** The part without keys that are undefined; undefined where nothing is left. */
function part(value: Part): Part | undefined {
  const kept = Object.entries(value).filter(([, each]) => each !== undefined);
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

const unless = <T>(value: T, standard: T): T | undefined => (value === standard ? undefined : value);
const filled = <T>(list: readonly T[] | undefined): readonly T[] | undefined =>
  list === undefined || list.length === 0 ? undefined : list;

function documentOf(experiment: Experiment): Part {
  const { namespace, name, ramp } = experiment;
  return {
    apiVersion: experiment.apiVersion,
    kind: 'Experiment',
    metadata: part({ name, namespace: unless(namespace, 'default') }),
    spec: part({
      hypothesis: unless(experiment.hypothesis, ''),
      salt: unless(experiment.salt, `${namespace}/${name}`),
      layer: experiment.layer,
      route: withoutKind(experiment.route),
      unit: unitOf(experiment.unit),
      control: experiment.control,
      variants: experiment.variants.map(({ timeoutMs, upstream, ...rest }) => ({
        ...rest,
        upstream: upstream.registered?.given ?? upstream,
        ...(timeoutMs === 30_000 ? {} : { timeoutMs }),
      })),
      coverage: unless(experiment.coverage, ramp?.coverage[0] ?? 1),
      capture: namedPart(experiment.capture, captureOf),
      mirror: experiment.mirror,
      resilience: resilienceOf(experiment.resilience),
      bodyCapture: bodyCaptureOf(experiment.bodyCapture),
      metrics: namedPart(experiment.metrics, metricOf),
      outcomes: namedPart(experiment.outcomes ?? [], outcomeOf),
      value: worthOf(experiment.value),
      decision: decisionOf(experiment.decision),
      ramp:
        ramp === undefined
          ? undefined
          : part({ coverage: ramp.coverage, hold: unless(duration(ramp.holdMs), duration(2 * hourMs)) }),
      plan: part(experiment.plan as Part),
      segments: filled(experiment.segments),
      exclude: filled(experiment.exclude),
      sensitivity: experiment.sensitivity,
      ...rest(experiment),
    }),
  };
}

/** Keys that this writer does not know go through as they are: most newer ones stand in the file as in the normal form. */
function rest(experiment: Experiment): Part {
  return Object.fromEntries(Object.entries(experiment).filter(([key]) => !known.has(key)));
}

const known: ReadonlySet<string> = new Set([
  ...['apiVersion', 'namespace', 'name', 'hypothesis', 'salt', 'layer', 'route', 'unit', 'control', 'variants'],
  ...['coverage', 'capture', 'mirror', 'resilience', 'bodyCapture', 'metrics', 'outcomes', 'value', 'decision', 'ramp'],
  ...['plan', 'segments', 'exclude', 'sensitivity'],
]);

function namedPart<T extends { readonly name: string }>(list: readonly T[], toPart: (each: T) => unknown): unknown {
  return list.length === 0 ? undefined : Object.fromEntries(list.map((each) => [each.name, toPart(each)]));
}

function withoutKind({ kind: _kind, ...value }: { readonly kind: string }): Part {
  return value as Part;
}

function sourceOf(source: UnitSource): Part {
  if (source.kind === 'request') return {};
  return source.kind === 'json' ? { json: source.path } : { [source.kind]: source.name };
}

function unitOf({ sources, orElse }: Experiment['unit']): unknown {
  const [first, ...more] = sources;
  if (first === undefined || first.kind === 'request') return 'request';
  return part({
    ...(more.length === 0 ? sourceOf(first) : { from: sources.map(sourceOf) }),
    orElse: unless(orElse, 'control'),
  });
}

function captureOf({ name, source, from, threshold }: Experiment['capture'][number]): unknown {
  const usual = source.kind === 'tensor' || name === 'prediction' || name === 'confidence' ? 'reply' : 'request';
  return part({
    [source.kind]: source.kind === 'json' ? source.path : source.name,
    from: unless(from, usual),
    threshold,
  });
}

function resilienceOf(resilience: Experiment['resilience']): unknown {
  if (resilience === undefined) return undefined;
  const { ejection, retries, hedgeAfterMs, maxInFlight } = resilience;
  const standard = defaultResilience.ejection;
  const ejected =
    ejection === null
      ? false
      : part(
          Object.fromEntries(
            Object.entries(ejection).map(([key, each]) => [
              key,
              unless(each, (standard as Readonly<Record<string, number>> | null)?.[key] ?? Number.NaN),
            ]),
          ),
        );
  return (
    part({
      ejection: ejected,
      retries: unless(retries, defaultResilience.retries),
      hedgeAfterMs: hedgeAfterMs ?? undefined,
      maxInFlight: unless(maxInFlight, defaultResilience.maxInFlight),
    }) ?? {}
  );
}

function bodyCaptureOf(capture: Experiment['bodyCapture']): unknown {
  if (capture === undefined) return undefined;
  const { share, maxBytes, redact, retentionMs } = capture;
  return part({
    share,
    maxBytes: unless(maxBytes, 65_536),
    redact: filled(redact),
    retention: unless(duration(retentionMs), '7d'),
  });
}

type Metric = Experiment['metrics'][number];

function metricOf({ definition, windowMs, filter, cap, covariate }: Metric): unknown {
  return part({
    ...definitionOf(definition),
    window: definition.kind === 'retention' ? undefined : unless(duration(windowMs), duration(dayMs)),
    filter,
    cap: cap?.kind === 'value' ? cap.upper : undefined,
    winsorize: cap?.kind === 'quantile' ? part({ lower: cap.lower, upper: cap.upper }) : undefined,
    covariate: covariate?.expression ?? undefined,
    cuped: covariate?.expression === null ? true : undefined,
    before: covariate === undefined || covariate.beforeMs === windowMs ? undefined : duration(covariate.beforeMs),
  });
}

function definitionOf(definition: Metric['definition']): Part {
  switch (definition.kind) {
    case 'quantile':
    case 'pinball':
      return { [definition.kind]: definition.expression, q: definition.q };
    case 'calibration':
      return { calibration: definition.expression, label: definition.label, bins: unless(definition.bins, 10) };
    case 'ndcg':
    case 'hit_rate':
      return { [definition.kind]: definition.outcome, k: unless(definition.k, 10) };
    case 'count':
      return { count: definition.of };
    case 'ratio':
      return { ratio: { numerator: totalOf(definition.numerator), denominator: totalOf(definition.denominator) } };
    case 'retention':
      return { retention: definition.of, from: duration(definition.fromMs), to: duration(definition.toMs) };
    default:
      return { [definition.kind]: definition.expression };
  }
}

type Total = Extract<Metric['definition'], { readonly kind: 'ratio' }>['numerator'];

function totalOf(total: Total): Part {
  return total.kind === 'sum' ? { sum: total.expression } : { count: total.of };
}

function outcomeOf({
  name: _name,
  subject,
  attributes,
  ...others
}: NonNullable<Experiment['outcomes']>[number]): unknown {
  const key = { unit: 'unit', prediction: 'predictionId', request: 'requestId' }[subject.kind];
  return part({
    ...others,
    [key]: subject.path,
    attributes: Object.keys(attributes).length === 0 ? undefined : attributes,
  });
}

function worthOf(value: Experiment['value']): unknown {
  if (value === undefined) return undefined;
  const { unit, terms, money } = value;
  return part({
    unit,
    terms: Object.fromEntries(
      terms.map(({ name, metric, coefficient, per, base }) => [
        name,
        part({ [metric]: coefficient, per: unless(per, 1), base }),
      ]),
    ),
    money:
      money === undefined
        ? undefined
        : part({
            ...money,
            worth: guess(money.worth),
            infrastructure: money.infrastructure === undefined ? undefined : guess(money.infrastructure),
            risks: namedPart(money.risks, ({ name: _name, probability, loss, ...others }) => ({
              probability: guess(probability),
              loss: guess(loss),
              ...others,
            })),
          }),
  });
}

type Guess = NonNullable<NonNullable<Experiment['value']>['money']>['worth'];

function guess(value: Guess): unknown {
  return typeof value === 'number' ? value : [value.low, value.likely, value.high];
}

function decisionOf({ minDurationMs, maxDurationMs, levels, ...others }: Experiment['decision']): unknown {
  const isUsual = levels.strong === 2 && levels.recommend === 0.5;
  return part({
    ...others,
    primary: filled(others.primary),
    secondary: filled(others.secondary),
    guardrails: filled(others.guardrails),
    levels: isUsual ? undefined : levels,
    onBreach: unless(others.onBreach, 'roll-back'),
    onShip: unless(others.onShip, 'hold'),
    alpha: unless(others.alpha, 0.05),
    minDuration: unless(duration(minDurationMs), duration(dayMs)),
    maxDuration: unless(duration(maxDurationMs), duration(28 * dayMs)),
  });
}
