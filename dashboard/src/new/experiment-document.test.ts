import { describe, expect, it } from 'vitest';
import { parseExperimentFile } from '../../../src/experiment/index.ts';
import { firstFile, keysAt, listAt, readDocument, textAt, withChange } from './experiment-document.ts';

describe('the document of a new experiment', () => {
  it('begins as a file the command line takes', () => {
    expect(parseExperimentFile(firstFile, { file: 'first.yaml' }).name).toBe('my-experiment');
  });

  it('keeps comments, order and the rest of the text when a field changes', () => {
    const changed = withChange(firstFile, ['spec', 'variants', 1, 'weight'], '30');
    const before = firstFile.split('\n');
    const after = changed.split('\n');
    expect(after.length).toBe(before.length);
    expect(after.filter((line, at) => line !== before[at])).toEqual([
      '    - {name: candidate, weight: 30, upstream: {url: "http://127.0.0.1:9002", protocol: json}}',
    ]);
  });

  it('reads fields, keys and lists, and takes an emptied field out', () => {
    const document = readDocument(firstFile)!;
    expect(textAt(document, ['spec', 'unit', 'header'])).toBe('x-user-id');
    expect(keysAt(document, ['spec', 'metrics'])).toEqual(['latency', 'error_rate']);
    expect(listAt(document, ['spec', 'decision', 'guardrails'])).toEqual(['error_rate < 0.02']);
    expect(withChange(firstFile, ['spec', 'hypothesis'], '')).not.toContain('hypothesis');
  });

  it('waits while the text is no YAML', () => {
    expect(readDocument('a: [1')).toBeUndefined();
    expect(withChange('a: [1', ['a'], 'b')).toBe('a: [1');
  });
});
