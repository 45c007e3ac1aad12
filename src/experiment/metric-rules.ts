// Do the metrics and outcome mappings of a file make sense beside its captures? What each expression may read, kind by kind.
import { type Expression, parseExpression, type ValueType } from '../expression/index.ts';
import { builtInFields, type Capture } from './experiment.ts';
import { expressionFault, expressionFaults, recordType, reservedWords } from './expression-faults.ts';
import { breach, type Fault, faultAt, type Path } from './faults.ts';
import { countedSource, type Metric, namePrefixes, type RowSource, rowSourceOf, type UnitTotal } from './metric.ts';
import type { OutcomeMapping } from './outcome-mapping.ts';

type Faults = Generator<Fault, void>;
const values: readonly ValueType[] = ['number', 'boolean', 'any'];

/** Every fault of `spec.metrics` beside `spec.capture`. */
export function* metricFaults(metrics: readonly Metric[], captures: readonly Capture[]): Faults {
  for (const metric of metrics) {
    const path = ['spec', 'metrics', metric.name];
    if (builtInFields.includes(metric.name)) yield faultAt(path, 'is the name of a built-in field, must be another');
    else if (reservedWords.has(metric.name)) yield faultAt(path, 'is a reserved word, must be another name');
    const hasItems = captures.some(({ name, from }) => name === 'items' && from === 'reply');
    if (!hasItems && readsItems(metric)) {
      yield faultAt(path, 'reads recommended items, so spec.capture must have items, captured from the reply');
    }
    yield* definitionFaults(metric, { path, captures });
    yield* covariateFaults(metric, { path, captures });
  }
}

interface Place {
  readonly path: Path;
  readonly captures: readonly Capture[];
}

function* definitionFaults({ definition, filter }: Metric, at: Place): Faults {
  const { path } = at;
  switch (definition.kind) {
    case 'mean':
    case 'quantile':
    case 'rmse':
    case 'mae':
    case 'pinball':
    case 'calibration':
      yield* predictionFaults(definition.expression, { ...at, path: [...path, definition.kind] });
      if (definition.kind === 'calibration')
        yield* predictionFaults(definition.label, { ...at, path: [...path, 'label'] });
      break;
    case 'ndcg':
    case 'hit_rate':
      break;
    case 'proportion':
    case 'sum':
      yield* rowsFaults(definition.expression, { ...at, path: [...path, definition.kind] });
      break;
    case 'count':
    case 'retention':
      break;
    case 'ratio':
      for (const side of ['numerator', 'denominator'] as const) {
        const total = definition[side];
        if (total.kind === 'sum') yield* rowsFaults(total.expression, { ...at, path: [...path, 'ratio', side, 'sum'] });
      }
  }
  if (filter === undefined) return;
  const filterAt = { ...at, path: [...path, 'filter'] };
  const sources = sourcesOf(definition);
  if (sources === undefined) yield* predictionFaults(filter, filterAt);
  else for (const source of sources) yield* filterFaults(filter, source, filterAt);
}

/** The rows a filter is computed for; undefined where it may read the outcomes of a prediction too. */
function sourcesOf(definition: Metric['definition']): readonly RowSource[] | undefined {
  const ofText = (text: string): readonly RowSource[] => {
    const parsed = parseExpression(text);
    if (parsed.kind === 'error') return [];
    const source = rowSourceOf(parsed.expression);
    return source.kind === 'fault' ? [] : [source];
  };
  const ofTotal = (total: UnitTotal): readonly RowSource[] =>
    total.kind === 'sum' ? ofText(total.expression) : [countedSource(total.of)];
  switch (definition.kind) {
    case 'proportion':
    case 'sum':
      return ofText(definition.expression);
    case 'count':
    case 'retention':
      return [countedSource(definition.of)];
    case 'ratio':
      return [...ofTotal(definition.numerator), ...ofTotal(definition.denominator)];
    case 'ndcg':
    case 'hit_rate':
      return [{ kind: 'prediction' }];
    default:
      return undefined;
  }
}

function* predictionFaults(text: string, { path, captures }: Place): Generator<Fault, Expression | undefined> {
  return yield* expressionFaults(text, {
    path,
    known: [...builtInFields, ...captures.map((each) => each.name), 'outcome.TYPE'],
    type: (word) => (isOf(word, namePrefixes.outcome) ? 'any' : recordType(word, captures)),
    accepts: values,
  });
}

function* rowsFaults(text: string, { path, captures }: Place): Generator<Fault, Expression | undefined> {
  const expression = yield* expressionFaults(text, {
    path,
    known: [...builtInFields, ...captures.map((each) => each.name), 'outcome.TYPE', 'attribute.NAME', 'item.NAME'],
    type: (word) =>
      Object.values(namePrefixes).some((prefix) => isOf(word, prefix)) ? 'any' : recordType(word, captures),
    accepts: values,
  });
  if (expression === undefined) return undefined;
  const source = rowSourceOf(expression);
  if (source.kind === 'fault') yield expressionFault(path, { text, message: source.message });
  return expression;
}

function* filterFaults(text: string, source: RowSource, { path, captures }: Place): Faults {
  if (source.kind === 'prediction') {
    yield* expressionFaults(text, {
      path,
      known: [...builtInFields, ...captures.map((each) => each.name)],
      type: (word) => recordType(word, captures),
      accepts: values,
    });
    return;
  }
  const own = source.kind === 'outcome' ? `outcome.${source.type}` : undefined;
  yield* expressionFaults(text, {
    path,
    known: [...(own === undefined ? [] : [own, 'attribute.NAME']), 'item.NAME'],
    type: (word) =>
      word === own || isOf(word, namePrefixes.item) || (own !== undefined && isOf(word, namePrefixes.attribute))
        ? 'any'
        : undefined,
    accepts: values,
  });
}

function* covariateFaults({ definition, covariate }: Metric, { path, captures }: Place): Faults {
  if (covariate === undefined) return;
  if (covariate.expression === null) {
    const [source] = sourcesOf(definition) ?? [];
    if (source !== undefined && source.kind !== 'outcome') {
      yield breach([...path, 'cuped'], {
        value: true,
        rule: 'absent unless the metric adds up outcomes: predictions begin with the experiment; use covariate',
      });
    }
    return;
  }
  const context = captures.filter((each) => each.from === 'request');
  const text = covariate.expression;
  const at = [...path, 'covariate'];
  const expression = yield* expressionFaults(text, {
    path: at,
    known: [...context.map((each) => each.name), 'outcome.TYPE', 'attribute.NAME'],
    type: (word) =>
      isOf(word, namePrefixes.outcome) || isOf(word, namePrefixes.attribute) ? 'any' : recordType(word, context),
    accepts: values,
  });
  if (expression === undefined) return;
  const source = rowSourceOf(expression);
  if (source.kind === 'fault') yield expressionFault(at, { text, message: source.message });
  else if (source.kind === 'prediction' && usesBuiltIn(text)) {
    yield expressionFault(at, { text, message: 'it reads what happened after the assignment, must be known before' });
  }
}

/** Every fault of `spec.outcomes`. */
export function* mappingFaults(mappings: readonly OutcomeMapping[]): Faults {
  for (const { name, when } of mappings) {
    if (when === undefined) continue;
    yield* expressionFaults(when, {
      path: ['spec', 'outcomes', name, 'when'],
      known: [],
      type: () => 'any',
      accepts: values,
    });
  }
}

function readsItems({ definition, filter }: Metric): boolean {
  if (definition.kind === 'ndcg' || definition.kind === 'hit_rate') return true;
  if ((sourcesOf(definition) ?? []).some(({ kind }) => kind === 'item')) return true;
  const totals = definition.kind === 'ratio' ? [definition.numerator, definition.denominator] : [definition];
  const texts = totals.flatMap((each) => ('expression' in each ? [each.expression] : []));
  return [...texts, ...(filter === undefined ? [] : [filter])].some((text) => /\bitem\./.test(text));
}

function usesBuiltIn(text: string): boolean {
  return builtInFields.some((field) => new RegExp(`\\b${field}\\b`).test(text));
}

function isOf(word: string, prefix: string): boolean {
  return word.startsWith(prefix) && !['TYPE', 'NAME'].includes(word.slice(prefix.length));
}
