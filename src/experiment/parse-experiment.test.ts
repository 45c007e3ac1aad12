import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AssayError } from '../errors.ts';
import { parseExperimentFile, parseExperimentFiles } from './index.ts';

const exampleUrl = new URL('../../examples/financial-forecast/experiment.yaml', import.meta.url);
const example = readFileSync(exampleUrl, 'utf8');

/** The least a file must say; `extra` joins under spec, indented by two. */
const small = (extra = '', variants = ''): string => `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: {name: small}
spec:
  route: {path: /v1/predict}
  unit: request
  control: a
  variants:
    - {name: a, weight: 1, upstream: {url: "http://127.0.0.1:1"}}
    - {name: b, weight: 1, upstream: {url: "http://127.0.0.1:2"}}
${variants}${extra}`;

const lineOf = (words: string): number => example.split('\n').findIndex((line) => line.includes(words)) + 1;

function refusalOf(text: string, file?: string): AssayError {
  try {
    parseExperimentFiles(text, file === undefined ? {} : { file });
  } catch (error) {
    if (error instanceof AssayError) return error;
    throw error;
  }
  throw new Error('the text was accepted');
}

const faultsOf = (text: string): readonly string[] => refusalOf(text).issues.map((issue) => issue.text);

describe('a good file', () => {
  test('the published example is read with its defaults filled in', () => {
    const experiment = parseExperimentFile(example);
    expect(experiment).toMatchObject({
      name: 'financial-forecast',
      namespace: 'default',
      salt: 'default/financial-forecast',
      route: { kind: 'model', model: 'forecast' },
      unit: { sources: [{ kind: 'header', name: 'x-user-id' }], orElse: 'control' },
      coverage: 0.05,
      decision: { minDurationMs: 172_800_000, maxDurationMs: 2_419_200_000, alpha: 0.05, onBreach: 'roll-back' },
      ramp: { coverage: [0.05, 0.2, 0.5, 1], holdMs: 7_200_000 },
      segments: ['isNew', 'page'],
    });
    expect(experiment.variants.map((variant) => variant.timeoutMs)).toEqual([30_000, 500]);
    expect(experiment.capture.map(({ name, from }) => `${name} ${from}`)).toEqual([
      'prediction reply',
      'isNew request',
      'page request',
    ]);
    expect(experiment.value?.terms[0]).toEqual({
      name: 'revenue_lift',
      metric: 'accuracy',
      coefficient: 0.5,
      per: 0.01,
    });
    expect(experiment.metrics[2]?.definition).toEqual({ kind: 'quantile', expression: 'attempt_ms', q: 0.95 });
  });

  test('the smallest file gets every default', () => {
    const experiment = parseExperimentFile(small());
    expect(experiment).toEqual({
      apiVersion: 'assay.dev/v1alpha1',
      namespace: 'default',
      name: 'small',
      hypothesis: '',
      salt: 'default/small',
      route: { kind: 'path', path: '/v1/predict' },
      unit: { sources: [{ kind: 'request' }], orElse: 'request' },
      control: 'a',
      variants: ['a', 'b'].map((name, index) => ({
        name,
        weight: 1,
        upstream: { url: `http://127.0.0.1:${index + 1}`, protocol: 'json' },
        timeoutMs: 30_000,
      })),
      coverage: 1,
      capture: [],
      metrics: [],
      decision: {
        primary: [],
        secondary: [],
        guardrails: [],
        levels: { strong: 2, recommend: 0.5 },
        minDurationMs: 86_400_000,
        maxDurationMs: 2_419_200_000,
        onBreach: 'roll-back',
        onShip: 'hold',
        alpha: 0.05,
      },
      plan: {},
      segments: [],
      exclude: [],
    });
  });

  test('JSON is read like YAML', () => {
    const document = {
      apiVersion: 'assay.dev/v1alpha1',
      kind: 'Experiment',
      metadata: { name: 'small' },
      spec: {
        route: { path: '/v1/predict' },
        unit: 'request',
        control: 'a',
        variants: [
          { name: 'a', weight: 1, upstream: { url: 'http://127.0.0.1:1' } },
          { name: 'b', weight: 1, upstream: { url: 'http://127.0.0.1:2' } },
        ],
      },
    };
    expect(parseExperimentFile(JSON.stringify(document))).toEqual(parseExperimentFile(small()));
    expect(parseExperimentFile(JSON.stringify(document, null, 2))).toEqual(parseExperimentFile(small()));
  });

  test('a file of several documents gives each experiment', () => {
    const both = `${small()}\n---\n${small().replace('name: small', 'name: other')}\n---\n`;
    expect(parseExperimentFiles(both).map((each) => each.name)).toEqual(['small', 'other']);
    expect(() => parseExperimentFile(both)).toThrow('the file holds 2 experiments, must hold one');
  });

  test('a byte order mark and Windows line ends change nothing', () => {
    expect(parseExperimentFile(`\uFEFF${small().replaceAll('\n', '\r\n')}`)).toEqual(parseExperimentFile(small()));
  });

  test.each([
    ['{header: X-User-ID}', { sources: [{ kind: 'header', name: 'x-user-id' }], orElse: 'control' }],
    ['{cookie: uid, orElse: request}', { sources: [{ kind: 'cookie', name: 'uid' }], orElse: 'request' }],
    ['{session: sid}', { sources: [{ kind: 'session', name: 'sid' }], orElse: 'control' }],
    ['{json: $.user.id}', { sources: [{ kind: 'json', path: '$.user.id' }], orElse: 'control' }],
    [
      '{from: [{header: x-user-id}, {cookie: uid}]}',
      {
        sources: [
          { kind: 'header', name: 'x-user-id' },
          { kind: 'cookie', name: 'uid' },
        ],
        orElse: 'control',
      },
    ],
  ])('unit %s is understood', (written, unit) => {
    expect(parseExperimentFile(small().replace('unit: request', `unit: ${written}`)).unit).toEqual(unit);
  });

  test.each([
    ['500ms', 500],
    ['90s', 90_000],
    ['30m', 1_800_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
  ])('the duration %s is %d milliseconds', (written, windowMs) => {
    const text = small(`  metrics: {errors: {mean: failed, window: ${written}}}\n`);
    expect(parseExperimentFile(text).metrics[0]?.windowMs).toBe(windowMs);
  });

  test('what is captured comes from the reply for prediction, confidence and tensors, else from the request', () => {
    const text = small(
      '  capture: {prediction: {json: $.label}, confidence: {json: $.score}, raw: {tensor: out}, page: {json: $.page}, model_used: {header: x-model, from: reply}}\n',
    );
    expect(parseExperimentFile(text).capture.map(({ name, from }) => `${name} ${from}`)).toEqual([
      'prediction reply',
      'confidence reply',
      'raw reply',
      'page request',
      'model_used reply',
    ]);
  });

  test('coverage starts at the first step of the ramp, which may also be written out', () => {
    const ramp = '  ramp: {coverage: [0.1, 1]}\n';
    expect(parseExperimentFile(small(ramp)).coverage).toBe(0.1);
    expect(parseExperimentFile(small(`${ramp}  coverage: 0.1\n`)).coverage).toBe(0.1);
    expect(parseExperimentFile(small('  coverage: 0\n')).coverage).toBe(0);
  });
});

describe('a bad file', () => {
  test('the message names file, line, place, value and rule', () => {
    const error = refusalOf(example.replace('weight: 30', 'weight: -3'), 'experiment.yaml');
    expect(error.code).toBe('experiment-invalid');
    expect(error.message).toBe(
      `experiment.yaml:${lineOf('weight: 30')}: spec.variants[1].weight is -3, must be an integer >= 0`,
    );
    expect(error.issues).toEqual([
      {
        place: 'spec.variants[1].weight',
        text: 'spec.variants[1].weight is -3, must be an integer >= 0',
        line: lineOf('weight: 30'),
      },
    ]);
  });

  test('all faults are told at once, in the order of their lines, of schema and meaning alike', () => {
    const text = example
      .replace('weight: 30', 'weight: 2.5')
      .replace('control: baseline', 'control: baselin')
      .replace('outcome.label', 'outcom.label')
      .replace('[isNew, page]', '[isNew, pag]');
    expect(refusalOf(text).message).toContain('(and 3 more)');
    expect(refusalOf(text).issues.map(({ line, place }) => [line, place])).toEqual([
      [lineOf('control: baseline'), 'spec.control'],
      [lineOf('weight: 30'), 'spec.variants[1].weight'],
      [lineOf('outcome.label'), 'spec.metrics.accuracy.mean'],
      [lineOf('[isNew, page]'), 'spec.segments[1]'],
    ]);
  });

  test('a missing key is told where the mapping begins', () => {
    const error = refusalOf(small().replace('  control: a\n', ''));
    expect(error.issues).toEqual([
      { place: 'spec.control', text: 'spec.control is missing, must be the name of one variant', line: 4 },
    ]);
  });

  test.each<[string, string, string]>([
    [
      'an unknown key gets a hint',
      small('  guardrail: []\n').replace('guardrail', 'metrcs'),
      'spec.metrcs is an unknown key, did you mean "metrics"?',
    ],
    [
      'an unknown key far from all lists them',
      small().replace('metadata: {', 'metadata: {zzz: 1, '),
      'metadata.zzz is an unknown key, must be one of: name, namespace, labels, annotations',
    ],
    [
      'a control that is no variant',
      small().replace('control: a', 'control: c'),
      'spec.control is "c", which is no variant, must be one of: a, b',
    ],
    [
      'two variants of one name',
      small().replace('name: b', 'name: a'),
      'spec.variants[1].name is "a", must be unlike the names of the variants before it',
    ],
    [
      'one variant',
      small().replace(/ {4}- \{name: b.*\n/, ''),
      'spec.variants is a list of 1, must be a list of 2 to 100 variants',
    ],
    [
      'weights that are all 0',
      small().replaceAll('weight: 1', 'weight: 0'),
      'spec.variants have weights that are all 0, at least one must be > 0',
    ],
    [
      'a huge weight',
      small().replace('weight: 1', 'weight: 1000001'),
      'spec.variants[0].weight is 1000001, must be an integer <= 1000000',
    ],
    [
      'a weight that is text',
      small().replace('weight: 1', 'weight: "70%"'),
      'spec.variants[0].weight is "70%", must be an integer >= 0',
    ],
    [
      'a name that cannot be a label',
      small().replace('name: small', 'name: Small_One'),
      'metadata.name is "Small_One", must be a name of 1 to 63 lower-case letters, digits and inner dashes',
    ],
    [
      'credentials in a url',
      small().replace('http://127.0.0.1:1', 'http://me:secret@127.0.0.1:1'),
      'spec.variants[0].upstream.url is "http://me:secret@127.0.0.1:1", must be an http or https URL without credentials, query or fragment, or a registered model: models:/NAME@ALIAS or models:/NAME/VERSION',
    ],
    [
      'a query in a url',
      small().replace('http://127.0.0.1:1', 'http://127.0.0.1:1/?token=1'),
      'spec.variants[0].upstream.url is "http://127.0.0.1:1/?token=1", must be an http or https URL without credentials, query or fragment, or a registered model: models:/NAME@ALIAS or models:/NAME/VERSION',
    ],
    [
      'another scheme',
      small().replace('http://127.0.0.1:1', 'grpc://127.0.0.1:1'),
      'spec.variants[0].upstream.url is "grpc://127.0.0.1:1", must be an http or https URL without credentials, query or fragment, or a registered model: models:/NAME@ALIAS or models:/NAME/VERSION',
    ],
    [
      'oip without a model',
      small().replace('127.0.0.1:1"', '127.0.0.1:1", protocol: oip'),
      'spec.variants[0].upstream.model is missing, must be the model name at the upstream, because protocol is oip',
    ],
    [
      'a timeout of 0',
      small().replace('weight: 1', 'timeoutMs: 0, weight: 1'),
      'spec.variants[0].timeoutMs is 0, must be an integer >= 1',
    ],
    [
      'two routes',
      small().replace('{path: /v1/predict}', '{path: /v1, model: m}'),
      'spec.route is {path, model}, must be a mapping with exactly one of: model, path, host',
    ],
    [
      'a path with a query',
      small().replace('/v1/predict', '/v1?x=1'),
      'spec.route.path is "/v1?x=1", must be a path that begins with / and has no query, such as /v1/recommend',
    ],
    [
      'an unknown unit word',
      small().replace('unit: request', 'unit: user'),
      'spec.unit is "user", must be request, or a mapping with exactly one of: header, cookie, session, json, from',
    ],
    [
      'a unit of two sources',
      small().replace('unit: request', 'unit: {header: x, cookie: y}'),
      'spec.unit is {header, cookie}, must be a mapping with exactly one of: header, cookie, session, json, from',
    ],
    [
      'a bad key within a unit',
      small().replace('unit: request', 'unit: {header: x, orelse: control}'),
      'spec.unit.orelse is an unknown key, did you mean "orElse"?',
    ],
    [
      'a unit from credentials',
      small().replace('unit: request', 'unit: {header: Authorization}'),
      'spec.unit.header is "Authorization", must be a header that carries no credentials',
    ],
    [
      'a captured cookie',
      small('  capture: {who: {header: cookie}}\n'),
      'spec.capture.who.header is "cookie", must be a header that carries no credentials',
    ],
    [
      'a prediction from the request',
      small('  capture: {prediction: {json: $.y, from: request}}\n'),
      'spec.capture.prediction.from is "request", must be reply, because prediction is what the model said',
    ],
    [
      'a redefined built-in',
      small('  capture: {failed: {json: $.y}}\n'),
      'spec.capture.failed is the name of a built-in field, must be another',
    ],
    [
      'a reserved metric name',
      small('  metrics: {net_value: {mean: failed}}\n'),
      'spec.metrics.net_value is a reserved word, must be another name',
    ],
    [
      'a misnamed metric',
      small('  metrics: {error-rate: {mean: failed}}\n'),
      'spec.metrics.error-rate is misnamed, must be a name of letters, digits and underscores that begins with a letter',
    ],
    [
      'a quantile without q',
      small('  metrics: {p: {quantile: attempt_ms}}\n'),
      'spec.metrics.p.q is missing, must be a number in (0, 1), because the metric is a quantile',
    ],
    [
      'a quantile of 95',
      small('  metrics: {p: {quantile: attempt_ms, q: 95}}\n'),
      'spec.metrics.p.q is 95, must be a number in (0, 1)',
    ],
    [
      'a mean with q',
      small('  metrics: {p: {mean: attempt_ms, q: 0.5}}\n'),
      'spec.metrics.p.q is 0.5, must be absent unless the metric is a quantile',
    ],
    [
      'a duration without unit',
      small('  metrics: {p: {mean: failed, window: 24}}\n'),
      'spec.metrics.p.window is 24, must be a duration such as 500ms, 30m, 24h or 7d',
    ],
    [
      'a window of nothing',
      small('  metrics: {p: {mean: failed, window: 0h}}\n'),
      'spec.metrics.p.window is "0h", must be a duration such as 500ms, 30m, 24h or 7d, above zero and at most ten years',
    ],
    [
      'a term of no metric',
      small('  metrics: {err: {mean: failed}}\n  value: {terms: {t: {er: 1}}}\n'),
      'spec.value.terms.t.er names no metric, did you mean "err"?',
    ],
    [
      'a term of two metrics',
      small('  metrics: {err: {mean: failed}}\n  value: {terms: {t: {err: 1, lat: 2}}}\n'),
      'spec.value.terms.t is {err, lat}, must be a mapping of one metric to its coefficient, and per',
    ],
    [
      'a term per 0',
      small('  metrics: {err: {mean: failed}}\n  value: {terms: {t: {err: 1, per: 0}}}\n'),
      'spec.value.terms.t.per is 0, must be a number > 0',
    ],
    [
      'a ramp that falls',
      small('  ramp: {coverage: [0.5, 0.2]}\n'),
      'spec.ramp.coverage is a list of 2, must be a list of 1 to 50 rising shares in (0, 1]',
    ],
    [
      'a ramp beyond 1',
      small('  ramp: {coverage: [0.5, 2]}\n'),
      'spec.ramp.coverage[1] is 2, must be a number in (0, 1]',
    ],
    [
      'coverage against the ramp',
      small('  ramp: {coverage: [0.5, 1]}\n  coverage: 1\n'),
      'spec.coverage is 1, must be absent or 0.5, the first step of spec.ramp.coverage',
    ],
    [
      'durations that cross',
      small('  decision: {minDuration: 2d, maxDuration: 1d}\n'),
      'spec.decision.minDuration is "2d", must be at most maxDuration',
    ],
    [
      'levels that cross',
      small('  decision: {levels: {strong: 1, recommend: 2}}\n'),
      'spec.decision.levels is {strong, recommend}, must be levels with strong >= recommend',
    ],
    [
      'an unknown choice',
      small('  decision: {onBreach: rollback}\n'),
      'spec.decision.onBreach is "rollback", must be one of: roll-back, pause, notify',
    ],
    [
      'a segment from the reply',
      small('  capture: {prediction: {json: $.y}}\n  segments: [prediction]\n'),
      'spec.segments[0] is "prediction", must be captured from the request, because a reply depends on the variant',
    ],
    [
      'an empty value',
      small().replace('unit: request', 'unit:'),
      'spec.unit is null, must be request, or a mapping with exactly one of: header, cookie, session, json, from',
    ],
    [
      'another kind',
      small().replace('kind: Experiment', 'kind: Deployment'),
      'kind is "Deployment", must be "Experiment"',
    ],
    [
      'a text instead of a mapping',
      'hello',
      'the file is "hello", must be a mapping with apiVersion, kind, metadata, spec',
    ],
  ])('%s', (_, text, sentence) => {
    expect(faultsOf(text)).toEqual([sentence]);
  });

  test.each<[string, string]>([
    ['mean: "prediction == outcome.label"', "name 'prediction' is not known"],
    ['mean: "attempt_ms +"', 'expected'],
    ['mean: "outcome.TYPE"', "name 'outcome.TYPE' is not known"],
    ['mean: "\'text\'"', 'it gives text, must give number'],
  ])('the metric {%s} is refused by its expression', (metric, words) => {
    const [fault] = faultsOf(small(`  metrics: {m: {${metric}}}\n`));
    expect(fault).toContain('spec.metrics.m.mean is ');
    expect(fault).toContain(words);
  });

  test.each<[string, string]>([
    ['err', 'it gives number, must give boolean'],
    ['err == 0', 'a criterion is one comparison'],
    ['err > 0 and err < 1', 'a criterion is one comparison'],
    ['1 < 2', 'a criterion must name a metric'],
    ['eror < 0.1', "name 'eror' is not known"],
    ['net_value > 2', "name 'net_value' is not known"],
    ['control.lat < 1', "name 'control.lat' is not known"],
  ])('the criterion "%s" is refused', (criterion, words) => {
    const [fault, ...more] = faultsOf(
      small(`  metrics: {err: {mean: failed}}\n  decision: {guardrails: ["${criterion}"]}\n`),
    );
    expect(more).toEqual([]);
    expect(fault).toContain('spec.decision.guardrails[0] is ');
    expect(fault).toContain(words);
  });

  test('exclusions may only look at what was known before any variant had a say', () => {
    const captures = '  capture: {bot: {header: x-bot}, prediction: {json: $.y}}\n';
    expect(parseExperimentFile(small(`${captures}  exclude: ["bot == 'yes'"]\n`)).exclude).toEqual(["bot == 'yes'"]);
    for (const name of ['failed', 'prediction', 'outcome.click'])
      expect(faultsOf(small(`${captures}  exclude: ["${name} == 1"]\n`))[0]).toContain(`name '${name}' is not known`);
  });

  test.each<[string, string, string, number]>([
    ['tabs', 'apiVersion: x\n\tkind: y', 'the file is not YAML: ', 2],
    ['an open bracket', 'a: 1\nb: [1, 2', 'the file is not YAML: ', 2],
    ['a key given twice', 'a: 1\nb: 2\na: 3', 'the file is not YAML: a key appears twice in one mapping', 3],
    ['nothing', '', 'the file is empty, must hold an experiment', 1],
    ['only a comment', '# nothing here', 'the file is empty, must hold an experiment', 1],
    ['an unknown tag', 'a: !!js/function "x"', 'the file is not YAML: ', 1],
    ['an alias of nothing', 'a: *b', 'the file cannot be expanded: ', 1],
    ['a wall of brackets', '['.repeat(200_000), 'the file is nested more than 64 levels deep, must be flatter', 1],
    ['too much', `# ${'x'.repeat(300_000)}`, 'the file is 300002 characters long, must be at most 262144', 1],
  ])('%s gives one clear message', (_, text, start, line) => {
    const [issue, ...more] = refusalOf(text).issues;
    expect(more).toEqual([]);
    expect(issue?.text.startsWith(start), issue?.text).toBe(true);
    expect(issue?.line).toBe(line);
  });

  test('an alias bomb is refused before it expands', () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) => `l${i + 1}: &l${i + 1} [${Array(10).fill(`*l${i}`).join(', ')}]`,
    );
    expect(faultsOf(`l0: &l0 [x]\n${levels.join('\n')}`)[0]).toContain('the file cannot be expanded: ');
  });

  test('a fault behind an alias is told where the anchor stands', () => {
    const text = small()
      .replace('upstream: {url: "http://127.0.0.1:1"}', 'upstream: &up {url: "ftp://x"}')
      .replace('upstream: {url: "http://127.0.0.1:2"}', 'upstream: *up');
    expect(refusalOf(text).issues.map(({ place, line }) => [place, line])).toEqual([
      ['spec.variants[0].upstream.url', 9],
      ['spec.variants[1].upstream.url', 9],
    ]);
  });

  test('a Seldon Core experiment is refused as not yet readable', () => {
    const text =
      'apiVersion: mlops.seldon.io/v1alpha1\nkind: Experiment\nmetadata: {name: x}\nspec: {candidates: []}\n';
    expect(faultsOf(text)).toEqual([
      'apiVersion is "mlops.seldon.io/v1alpha1", must be "assay.dev/v1alpha1": take a Seldon Core experiment over with `assay import seldon`',
    ]);
  });

  test('faults of every document are told, and a name given twice is one', () => {
    const error = refusalOf(`${small()}---\n${small()}---\n${small().replace('weight: 1', 'weight: x')}`);
    expect(error.issues.map(({ line, text }) => [line, text])).toEqual([
      [14, 'metadata.name is "small", which an earlier document already has'],
      [31, 'spec.variants[0].weight is "x", must be an integer >= 0'],
    ]);
  });

  test('a key named like an inherited property is only an unknown key', () => {
    for (const key of ['__proto__', 'constructor', 'toString'])
      expect(faultsOf(small(`  ${key}: {}\n`))[0]).toContain(`spec.${key} is an unknown key`);
  });
});

describe('any file', () => {
  const grammar = /^[^ ].* (is|are|have|holds|names|cannot be) .+/s;

  test('whatever one node of a good file is replaced by, the answer is an experiment or sentences in our grammar', () => {
    const document = JSON.parse(JSON.stringify(toDocument())) as unknown;
    const places = pathsOf(document);
    const junk = fc.oneof(
      fc.constantFrom(
        null,
        true,
        -1,
        0.5,
        1e9,
        Number.MAX_SAFE_INTEGER,
        '',
        'x',
        '0h',
        'request',
        [],
        {},
        [[]],
        { mean: 'failed' },
        { header: 'x', cookie: 'y' },
      ),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fc.constantFrom(...places), junk, (path, value) => {
        const text = JSON.stringify(replaceAt(document, path, value));
        try {
          expect(parseExperimentFile(text).variants.length).toBeGreaterThan(1);
        } catch (error) {
          if (!(error instanceof AssayError)) throw error;
          expect(error.issues.length).toBeGreaterThan(0);
          for (const issue of error.issues) {
            expect(issue.text).toMatch(grammar);
            expect(issue.text).not.toMatch(/Invalid|expected .* received|undefined|\[object/);
            expect(issue.line).toBe(1);
          }
        }
      }),
      { numRuns: 500, seed: 17 },
    );
  });

  test('whatever text is given, the answer is an experiment or an AssayError', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      '- ',
      '\n',
      '  ',
      '&a ',
      '*a',
      '!',
      '|',
      '>',
      '"',
      "'",
      '#',
      '%',
      '---\n',
      'spec',
      'x',
      '\t',
      '\0',
      '\u2028',
      '?',
      '<<',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        expect(refusalOf(pieces.join('')).code).toBe('experiment-invalid');
      }),
      { numRuns: 800, seed: 18 },
    );
  });

  function toDocument(): object {
    return {
      apiVersion: 'assay.dev/v1alpha1',
      kind: 'Experiment',
      metadata: { name: 'any' },
      spec: {
        hypothesis: 'h',
        route: { model: 'm' },
        unit: { from: [{ header: 'x' }, { json: '$.a' }], orElse: 'control' },
        control: 'a',
        variants: ['a', 'b'].map((name) => ({
          name,
          weight: 1,
          upstream: { url: 'http://h', protocol: 'oip', model: 'm' },
        })),
        capture: { prediction: { tensor: 'up', threshold: 0.5 }, page: { json: '$.page' } },
        metrics: {
          acc: { mean: 'prediction == outcome.label', window: '1h' },
          p95: { quantile: 'attempt_ms', q: 0.95 },
        },
        value: { terms: { t: { acc: 1, per: 0.01 } } },
        decision: {
          primary: ['net_value > 2'],
          guardrails: ['p95 < 200'],
          levels: { strong: 2, recommend: 1 },
          minDuration: '1h',
        },
        ramp: { coverage: [0.1, 1], hold: '1h' },
        plan: { requestsPerDay: 10 },
        segments: ['page'],
        exclude: ["page == 'test'"],
      },
    };
  }

  function pathsOf(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
    if (value === null || typeof value !== 'object') return [path];
    const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
    return [path, ...entries.flatMap(([key, inner]) => pathsOf(inner, [...path, key]))];
  }

  function replaceAt(value: unknown, path: readonly (string | number)[], by: unknown): unknown {
    const [key, ...rest] = path;
    if (key === undefined) return by;
    if (Array.isArray(value)) return value.map((inner, index) => (index === key ? replaceAt(inner, rest, by) : inner));
    const record = value as Record<string, unknown>;
    return { ...record, [key]: replaceAt(record[key], rest, by) };
  }
});
