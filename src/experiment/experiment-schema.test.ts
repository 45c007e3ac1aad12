import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { makeExperimentSchema, parseExperimentFile } from './index.ts';

const schemaUrl = new URL('../../schema/experiment.schema.json', import.meta.url);
const guideUrl = new URL('../../docs/experiment-file.md', import.meta.url);

type Node = { readonly [key: string]: unknown };

/** Every node of a JSON document. */
function* nodesOf(value: unknown): Iterable<Node> {
  if (value === null || typeof value !== 'object') return;
  if (!Array.isArray(value)) yield value as Node;
  for (const inner of Object.values(value)) yield* nodesOf(inner);
}

describe('the JSON Schema for editors', () => {
  test('the published file is what scripts/make-schema.ts makes today', () => {
    expect(JSON.parse(readFileSync(schemaUrl, 'utf8'))).toEqual(JSON.parse(JSON.stringify(makeExperimentSchema())));
  });

  test('an editor is told of unknown keys and of exclusive ones', () => {
    const schema = JSON.parse(JSON.stringify(makeExperimentSchema())) as Node;
    const mappings = [...nodesOf(schema)].filter((node) => node.type === 'object' && node.properties !== undefined);
    expect(mappings.length).toBeGreaterThan(10);
    for (const mapping of mappings) expect(mapping.additionalProperties).toBe(false);
    expect([...nodesOf(schema)].filter((node) => node.oneOf !== undefined).length).toBe(9);
  });
});

describe('docs/experiment-file.md', () => {
  const guide = existsSync(guideUrl) ? readFileSync(guideUrl, 'utf8') : '';
  const snippets = [...guide.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1]!);

  test('every YAML snippet is an experiment, whole or put into a small one', () => {
    expect(snippets.length).toBeGreaterThan(8);
    for (const snippet of snippets) {
      const whole = snippet.includes('apiVersion:') ? snippet : complete(snippet);
      expect(() => parseExperimentFile(whole), whole).not.toThrow();
    }
  });

  test('every key of the schema is explained', () => {
    const keys = new Set(
      [...nodesOf(makeExperimentSchema())].flatMap((node) => Object.keys((node.properties as Node) ?? {})),
    );
    expect([...keys].filter((key) => !guide.includes(`\`${key}\``))).toEqual([]);
  });

  /** A snippet holds keys of `spec`; what it does not say is added. */
  function complete(snippet: string): string {
    const base: Record<string, string> = {
      route: '{path: /v1/predict}',
      unit: '{header: x-user-id}',
      control: 'baseline',
      variants:
        '[{name: baseline, weight: 1, upstream: {url: "http://a"}}, {name: enhanced, weight: 1, upstream: {url: "http://b"}}]',
      capture: '{prediction: {json: $.y}, isNew: {header: x-new-user}, page: {json: $.page}}',
      metrics:
        '{accuracy: {mean: "prediction == outcome.label"}, latency: {mean: attempt_ms}, latency_p95: {quantile: attempt_ms, q: 0.95}, error_rate: {mean: failed}}',
      value: '{terms: {lift: {accuracy: 1}}}',
    };
    const missing = Object.keys(base).filter((key) => !new RegExp(`^${key}:`, 'm').test(snippet));
    const spec = `${snippet}\n${missing.map((key) => `${key}: ${base[key]}`).join('\n')}`.replace(/^/gm, '  ');
    return `apiVersion: assay.dev/v1alpha1\nkind: Experiment\nmetadata: {name: snippet}\nspec:\n${spec}\n`;
  }
});
