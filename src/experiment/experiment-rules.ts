// What does one key of an experiment file mean for another? Looks at every sound part, even of a file that has faults elsewhere.
import { namesIn, splitCriterion } from '../expression/index.ts';
import { builtInFields, type Capture, openAiFields } from './experiment.ts';
import { type SpecForm, specParts } from './experiment-schema.ts';
import { expressionFault, expressionFaults, recordType, reservedWords } from './expression-faults.ts';
import { breach, type Fault, faultAt, suggest } from './faults.ts';
import { builtInSegments, type Metric } from './metric.ts';
import { mappingFaults, metricFaults } from './metric-rules.ts';

type SoundParts = { readonly [key in keyof SpecForm]?: SpecForm[key] };

/** Every broken rule between the parts of a raw document. A part that breaks its own schema is left to the schema. */
export function findRuleFaults(raw: unknown): readonly Fault[] {
  const spec = entryOf(raw, 'spec');
  if (spec === undefined) return [];
  const parts: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(specParts)) {
    const result = schema.safeParse(entryOf(spec, key));
    if (result.success) parts[key] = result.data;
  }
  const sound = parts as SoundParts;
  return [
    ...variantFaults(sound),
    ...controlFaults(sound, entryOf(spec, 'variants')),
    ...coverageFaults(sound, entryOf(spec, 'coverage')),
    ...captureFaults(sound),
    ...mirrorFaults(sound, entryOf(spec, 'variants')),
    ...metricFaults(sound.metrics ?? [], [...(sound.capture ?? []), ...protocolCaptures(sound)]),
    ...mappingFaults(sound.outcomes ?? []),
    ...valueFaults(sound),
    ...planFaults(sound),
    ...criterionFaults(sound),
    ...contextFaults(sound),
  ];
}

function entryOf(raw: unknown, key: string): unknown {
  return raw !== null && typeof raw === 'object' && Object.hasOwn(raw, key)
    ? (raw as Record<string, unknown>)[key]
    : undefined;
}

function* variantFaults({ variants }: SoundParts): Iterable<Fault> {
  if (variants === undefined) return;
  const names = variants.map((variant) => variant.name);
  for (const [index, name] of names.entries())
    if (names.indexOf(name) !== index)
      yield breach(['spec', 'variants', index, 'name'], {
        value: name,
        rule: 'unlike the names of the variants before it',
      });
  const speaksGrpc = variants.some(({ upstream }) => upstream.grpcUrl !== undefined);
  for (const [index, { upstream }] of variants.entries())
    if (speaksGrpc && upstream.grpcUrl === undefined)
      yield faultAt(
        ['spec', 'variants', index, 'upstream', 'grpcUrl'],
        'is missing, must be given because another variant names one: a call by gRPC may be assigned to any of them',
      );
  if (variants.every((variant) => variant.weight === 0))
    yield faultAt(['spec', 'variants'], 'have weights that are all 0, at least one must be > 0');
}

/** Looks at the names as written: a fault elsewhere in a variant must not hide a wrong control. */
function* controlFaults({ control }: SoundParts, variants: unknown): Iterable<Fault> {
  if (control === undefined || !Array.isArray(variants)) return;
  const names = variants.map((variant) => entryOf(variant, 'name')).filter((name) => typeof name === 'string');
  if (!names.includes(control))
    yield faultAt(
      ['spec', 'control'],
      `is ${JSON.stringify(control)}, which is no variant, ${suggest(control, names)}`,
    );
}

/** A shadow is nobody's variant: units it also answered would be seen by it twice. */
function* mirrorFaults({ mirror, control }: SoundParts, variants: unknown): Iterable<Fault> {
  if (mirror === undefined || !Array.isArray(variants)) return;
  const path = ['spec', 'mirror', 'variant'];
  const found = variants.findIndex((variant) => entryOf(variant, 'name') === mirror.variant);
  const names = variants.map((variant) => entryOf(variant, 'name')).filter((name) => typeof name === 'string');
  if (found < 0)
    yield faultAt(path, `is ${JSON.stringify(mirror.variant)}, which is no variant, ${suggest(mirror.variant, names)}`);
  else if (mirror.variant === control)
    yield breach(path, { value: mirror.variant, rule: 'another variant than the control' });
  else if (entryOf(variants[found], 'weight') !== 0)
    yield breach(['spec', 'variants', found, 'weight'], {
      value: entryOf(variants[found], 'weight'),
      rule: '0, because spec.mirror names this variant',
    });
}

/** What the gateway itself reads from replies of this experiment's protocols. */
function protocolCaptures({ variants = [] }: SoundParts): readonly Capture[] {
  if (!variants.some(({ upstream }) => upstream.protocol === 'openai')) return [];
  return openAiFields.map((name) => ({ name, from: 'reply', source: { kind: 'json', path: `$.${name}` } }));
}

function* coverageFaults({ coverage, ramp }: SoundParts, written: unknown): Iterable<Fault> {
  const first = ramp?.coverage[0];
  if (written !== undefined && coverage !== undefined && first !== undefined && coverage !== first)
    yield breach(['spec', 'coverage'], {
      value: coverage,
      rule: `absent or ${first}, the first step of spec.ramp.coverage`,
    });
}

function* captureFaults({ capture = [] }: SoundParts): Iterable<Fault> {
  for (const { name, source, from } of capture) {
    const path = ['spec', 'capture', name];
    if (builtInFields.includes(name)) yield faultAt(path, 'is the name of a built-in field, must be another');
    else if (reservedWords.has(name) || builtInSegments.includes(name))
      yield faultAt(path, 'is a reserved word, must be another name');
    if (name === 'items' && from === 'request')
      yield breach([...path, 'from'], { value: from, rule: 'reply, because items are what the model recommends' });
    if (from === 'request' && (name === 'prediction' || name === 'confidence'))
      yield breach([...path, 'from'], { value: from, rule: `reply, because ${name} is what the model said` });
    if (source.kind === 'header' && from === 'reply' && source.name.startsWith('x-assay-'))
      yield breach([...path, 'header'], { value: source.name, rule: 'a header that the gateway does not set itself' });
  }
}

function* valueFaults({ value, metrics }: SoundParts): Iterable<Fault> {
  if (value === undefined || metrics === undefined) return;
  const names = metrics.map((metric) => metric.name);
  for (const term of value.terms)
    if (!names.includes(term.metric))
      yield faultAt(
        ['spec', 'value', 'terms', term.name, term.metric],
        `names no metric, ${suggest(term.metric, names)}`,
      );
  if (value.terms.length === 0)
    yield breach(['spec', 'value', 'terms'], { value: {}, rule: 'a mapping of at least one term' });
}

function* planFaults({ plan, metrics }: SoundParts): Iterable<Fault> {
  if (plan?.expected === undefined || metrics === undefined) return;
  const names = metrics.map((metric) => metric.name);
  for (const name of Object.keys(plan.expected))
    if (!names.includes(name))
      yield faultAt(['spec', 'plan', 'expected', name], `names no metric, ${suggest(name, names)}`);
}

function* criterionFaults({ decision, metrics, value }: SoundParts): Iterable<Fault> {
  if (decision === undefined || metrics === undefined) return;
  const known = criterionNames(metrics, value !== undefined);
  for (const role of ['primary', 'secondary', 'guardrails'] as const)
    for (const [index, text] of decision[role].entries()) {
      const path = ['spec', 'decision', role, index];
      const parsed = yield* expressionFaults(text, {
        path,
        known,
        type: (word) => (known.includes(word) ? 'number' : undefined),
        accepts: ['boolean'],
      });
      if (parsed === undefined) continue;
      const criterion = splitCriterion(parsed);
      if (criterion.kind === 'error') {
        yield expressionFault(path, { text, message: criterion.message });
        continue;
      }
      if (namesIn(parsed).length === 0)
        yield expressionFault(path, { text, message: 'a criterion must name a metric' });
    }
}

function criterionNames(metrics: readonly Metric[], hasValue: boolean): readonly string[] {
  const names = metrics.map((metric) => metric.name);
  return [...names, ...names.map((name) => `control.${name}`), ...(hasValue ? ['net_value'] : [])];
}

/** Segments and exclusions may only use what was known before any variant had a say; anything else biases the comparison. */
function* contextFaults({ segments = [], exclude = [], capture }: SoundParts): Iterable<Fault> {
  const captures = capture ?? [];
  const context = captures.filter((each) => each.from === 'request').map((each) => each.name);
  for (const [index, name] of segments.entries()) {
    const path = ['spec', 'segments', index];
    if (segments.indexOf(name) !== index) yield breach(path, { value: name, rule: 'unlike the segments before it' });
    else if (captures.some((each) => each.name === name && each.from === 'reply'))
      yield breach(path, { value: name, rule: 'captured from the request, because a reply depends on the variant' });
    else if (!context.includes(name) && !builtInSegments.includes(name))
      yield faultAt(
        path,
        `is ${JSON.stringify(name)}, which is not captured from the request, ${suggest(name, [...context, ...builtInSegments])}`,
      );
  }
  for (const [index, text] of exclude.entries())
    yield* expressionFaults(text, {
      path: ['spec', 'exclude', index],
      known: context,
      type: (word) => (context.includes(word) ? recordType(word, captures) : undefined),
      accepts: ['boolean', 'number', 'any'],
    });
}
