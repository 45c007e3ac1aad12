// Who would get which variant, and what proves it? Decides units again in the open, one or a thousand at a time.
import type { Hono } from 'hono';
import { type PlaygroundAnswer, type PlaygroundUnit, paths } from '../api/index.ts';
import { bucketCount, decide, prepareAssignment } from '../assignment/index.ts';
import type { ExperimentService } from '../control/index.ts';
import { AssayError } from '../errors.ts';
import { explain } from './explain.ts';

const mostUnits = 1_000;
const longestUnit = 1_000;

/** Mounts `POST /api/v1/playground`. */
export function mountPlayground(app: Hono, { service }: { readonly service: ExperimentService }): void {
  app.post(paths.playground, async (context) =>
    context.json(playground(service, readQuestion(await context.req.json().catch(() => undefined)))),
  );
}

interface Question {
  readonly name: string;
  readonly namespace: string;
  readonly units: readonly string[];
}

function playground(service: ExperimentService, { name, namespace, units }: Question): PlaygroundAnswer {
  const state = service.get(name, namespace);
  const routed = service.snapshot().experiments;
  const own = routed.find((each) => each.name === name && each.namespace === namespace);
  if (own === undefined)
    throw new AssayError(
      'experiment-unknown',
      `experiment "${name}" is not routed at present: another one owns its route`,
    );
  const prepared = prepareAssignment(own);
  const { coverage, salt, allocation } = own;
  const answerOf = (unit: string): PlaygroundUnit => {
    const { variant, reason, propensity, splitBucket, coverageBucket } = decide(prepared, request(unit));
    return {
      unit,
      variant,
      reason,
      propensity,
      ...(splitBucket === null
        ? {}
        : { splitHash: splitBucket.toString(16).padStart(8, '0'), splitAt: splitBucket / bucketCount }),
      ...(coverageBucket === null ? {} : { coverageAt: coverageBucket / bucketCount }),
      isCovered: coverageBucket !== null && coverageBucket < prepared.coverageLimit,
      text: explain(service, { name, namespace, unit }).text,
      others:
        units.length > 1
          ? []
          : routed
              .filter((each) => each !== own && each.namespace === namespace)
              .map((each) => {
                const theirs = decide(prepareAssignment(each), request(unit));
                return { experiment: each.name, variant: theirs.variant, reason: theirs.reason };
              }),
    };
  };
  return {
    experiment: name,
    namespace,
    state: state.state,
    salt,
    coverage,
    ranges:
      allocation.kind === 'fixed'
        ? allocation.ranges.map(({ variant, from, to }) => ({
            variant,
            from: from / bucketCount,
            to: to / bucketCount,
          }))
        : [],
    units: units.map(answerOf),
  };
}

const request = (unit: string): { readonly unit: string; readonly forced: null; readonly random: () => number } => ({
  unit,
  forced: null,
  random: () => 0,
});

function readQuestion(body: unknown): Question {
  const { experiment, namespace = 'default', units } = (body ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof experiment !== 'string' || experiment === '')
    throw invalid('experiment', experiment, 'the name of an experiment');
  if (typeof namespace !== 'string') throw invalid('namespace', namespace, 'a text');
  if (!Array.isArray(units) || units.length === 0 || units.length > mostUnits)
    throw invalid('units', Array.isArray(units) ? units.length : units, `a list of 1 to ${mostUnits} unit ids`);
  for (const [index, unit] of units.entries())
    if (typeof unit !== 'string' || unit === '' || unit.length > longestUnit)
      throw invalid(`units[${index}]`, unit, `a text of 1 to ${longestUnit} characters`);
  return { name: experiment, namespace, units: units as readonly string[] };
}

function invalid(place: string, value: unknown, rule: string): AssayError {
  const shown = value === undefined ? 'missing' : JSON.stringify(value).slice(0, 60);
  return new AssayError('request-invalid', `${place} is ${shown}, must be ${rule}`);
}
