// What does a metric count? Read off its expression, so that shares are printed as percent and times as milliseconds.
import type { Experiment } from '../experiment/index.ts';
import { checkTypes, parseExpression } from '../expression/index.ts';

const times: readonly string[] = ['attempt_ms', 'caller_ms'];
const flags: readonly string[] = ['failed', 'caller_failed', 'fallback'];

/** What a metric's figures count; `number` where nothing is known. */
export type MetricUnit = 'share' | 'ms' | 'number';

/** Unit of every metric of an experiment, by name: yes-or-no questions are shares, the built-in times milliseconds. */
export function metricUnits(experiment: Experiment): Readonly<Record<string, MetricUnit>> {
  return Object.fromEntries(experiment.metrics.map(({ name, definition }) => [name, unitOfKind(definition)] as const));
}

function unitOfKind(definition: Experiment['metrics'][number]['definition']): MetricUnit {
  switch (definition.kind) {
    case 'proportion':
    case 'retention':
    case 'hit_rate':
      return 'share';
    case 'mean':
    case 'quantile':
    case 'rmse':
    case 'mae':
      return unitOf(definition.expression);
    default:
      return 'number';
  }
}

function unitOf(expression: string): MetricUnit {
  if (times.includes(expression.trim())) return 'ms';
  if (flags.includes(expression.trim())) return 'share';
  const parsed = parseExpression(expression);
  if (parsed.kind !== 'parsed') return 'number';
  const checked = checkTypes(parsed.expression, () => 'any');
  return checked.kind === 'typed' && checked.type === 'boolean' ? 'share' : 'number';
}
