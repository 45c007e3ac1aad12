import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { accuracyPage, brokenPromises, committedErrors, oracleErrors } from './accuracy/accuracy-page.ts';
import { type ErrorRow, errorRows } from './accuracy/distribution-errors.ts';

const page = readFileSync(new URL('../docs/accuracy.md', import.meta.url), 'utf8');
const committed = committedErrors();

describe('docs/accuracy.md', () => {
  // Errors of the last bits may differ between engines: those are compared in size, everything else by the letter.
  const cell = /(exact|\d(?:\.\d)?e-\d+)/g;
  const sizes = (text: string): number[] =>
    (text.match(cell) ?? []).map((each) => (each === 'exact' ? 0 : Number(each)));

  it('is what the script makes of the committed fixtures', () => {
    const made = accuracyPage({ committed, previous: page });
    const text = (whole: string): string => whole.replace(cell, '#').replace(/ +/g, ' ').replace(/-{3,}/g, '---');
    expect(text(made)).toBe(text(page));
    const said = sizes(page);
    const apart = sizes(made).filter(
      (error, i) => Math.max(error, said[i]!) > 1e-15 && !(error <= 2 * said[i]! && said[i]! <= 2 * error),
    );
    expect(apart).toEqual([]);
  });

  it('shows no error beyond what is promised, with every function of every distribution in it', () => {
    expect(brokenPromises(committed)).toEqual([]);
    const shown = new Set(committed.map((row) => `${row.distribution}.${row.fn}`));
    for (const name of ['normal', 'studentT', 'gamma', 'beta', 'fisherF', 'binomial', 'poisson']) {
      for (const fn of ['pdf', 'cdf', 'sf', 'logSf', 'quantile', 'isf']) expect(shown).toContain(`${name}.${fn}`);
    }
  });

  it('would show a wrong digit: a reference off by 1e-9 breaks the promise', () => {
    const reference = { distribution: 'normal', parameters: [], fn: 'sf', argument: 1, logProbability: -2 } as const;
    const rows = (value: string): readonly ErrorRow[] => brokenPromises(errorRows([{ ...reference, value }]));
    expect(rows('1.5865525393145705142e-1')).toEqual([]);
    expect(rows('1.5865525409011230e-1')).toHaveLength(1);
  });
});

const oracles = new URL('../../shared/oracles/', import.meta.url);
const isThere = existsSync(oracles);
if (!isThere) console.log('skipped: the far-tail oracles (../shared/oracles) are not on this machine');

describe.skipIf(!isThere)('the second set of references', () => {
  it('is kept to as well', () => {
    const rows = oracleErrors(oracles);
    expect(rows.length).toBeGreaterThan(10);
    expect(brokenPromises(rows)).toEqual([]);
  });
});
