import { describe, expect, it } from 'vitest';
import { openAiFields } from './experiment.ts';
import { parseExperimentFile } from './parse-experiment.ts';

const file = (protocol: string, expression: string): string => `
apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: { name: assistant }
spec:
  route: { path: /v1 }
  unit: { json: $.user }
  control: large
  variants:
    - { name: large, weight: 1, upstream: { url: "http://127.0.0.1:9001", protocol: ${protocol} } }
    - { name: small, weight: 1, upstream: { url: "http://127.0.0.1:9002", protocol: ${protocol} } }
  metrics:
    measured: { mean: '${expression}' }
  decision: { primary: [measured - control.measured < 0] }
`;

describe('tokens, cost and time to first token', () => {
  it.each(openAiFields)('%s stands in a metric of an openai experiment without a capture', (name) => {
    const { metrics } = parseExperimentFile(file('openai', `exists(${name})`), { file: 'e.yaml' });
    expect(metrics[0]!.name).toBe('measured');
  });

  it('are unknown where no variant speaks openai', () => {
    expect(() => parseExperimentFile(file('json', 'cost'), { file: 'e.yaml' })).toThrow(/cost/);
  });
});
