import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { analyzePublished, parsePublished } from './index.ts';

const folder = new URL('../../examples/verdicts/', import.meta.url);
const documentOf = (name: string) => parsePublished(JSON.parse(readFileSync(new URL(name, folder), 'utf8')));

describe('examples/verdicts', () => {
  it('holds one example per verdict', () => {
    expect(readdirSync(folder).sort()).toEqual(
      ['invalid', 'keep-testing', 'no-difference', 'roll-back', 'ship'].map((kind) => `${kind}.json`),
    );
  });

  it.each([
    ['ship', 'primary-met', 'strong-recommend'],
    ['roll-back', 'guardrail-breached', 'reject'],
    ['keep-testing', 'primary-undecided', 'continue-testing'],
    ['invalid', 'sample-ratio-mismatch', 'continue-testing'],
    ['no-difference', 'equivalent', 'continue-testing'],
  ])('%s.json is %s first of all by %s', (kind, code, recommendation) => {
    const document = documentOf(`${kind}.json`);
    const { verdict } = analyzePublished(document);
    expect(verdict).toMatchObject({ kind, recommendation, variant: 'new' });
    expect(verdict.reasons[0]?.code).toBe(code);
    expect(verdict.outlook?.wouldChange.length).toBeGreaterThan(0);
    expect(document.about?.split(/\. |\.$/).filter((sentence) => sentence !== '')).toHaveLength(2);
  });

  it('name the cheaper model where there is no difference, and the units where more are needed', () => {
    expect(analyzePublished(documentOf('no-difference.json')).verdict.reasons[1]).toMatchObject({
      code: 'choose-cheaper',
      text: expect.stringContaining('by the value model new is'),
    });
    // (1.96 + 0.84)^2 (0.7 x 0.3 + 0.72 x 0.28) / 0.02^2 a side; the score interval is a little wider.
    expect(analyzePublished(documentOf('keep-testing.json')).verdict.outlook?.decidedAt).toMatchObject({
      units: expect.closeTo(2 * 8_078, -3),
    });
  });
});
