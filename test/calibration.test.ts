import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { calibrationCases } from './calibration/all-cases.ts';
import { type CalibrationPromise, calibrationCase, isSound, runCase } from './calibration/calibration-case.ts';
import { calibrationOf, calibrationSection, withCalibration } from './calibration/calibration-table.ts';

const coin = (share: number, promise: Partial<CalibrationPromise> = {}, rounds = 2000) =>
  calibrationCase({
    setting: `a method that alarms in ${share} of rounds`,
    rounds,
    draw: (random) => random.uniform(),
    checks: [
      {
        method: 'a coin',
        measure: 'false alarms' as const,
        nominal: 0.05,
        ...promise,
        outcome: (value: number) => (value > 0.99 ? null : value / 0.99 < share),
      },
    ],
  });

describe('the calibration harness', () => {
  it('calls a method broken that alarms in 8 % of rounds instead of 5 %, and one that covers 92 %', () => {
    expect(runCase(coin(0.05))[0]!.verdict).toBe('holds');
    expect(runCase(coin(0.08))[0]!.verdict).toBe('BREAKS');
    expect(runCase(coin(0.02))[0]!.verdict).toBe('conservative');
    const coverage = { measure: 'coverage', nominal: 0.95 } as const;
    expect(runCase(coin(0.95, coverage))[0]!.verdict).toBe('holds');
    expect(runCase(coin(0.92, coverage))[0]!.verdict).toBe('BREAKS');
    expect(isSound(runCase(coin(0.08))[0]!)).toBe(false);
  });

  it('wants a warning to stay true', () => {
    const expectedToFail = { from: 0.07, to: 0.1, warning: 'too eager' };
    expect(runCase(coin(0.08, { expectedToFail }))[0]!).toMatchObject({
      verdict: 'fails as warned',
      warning: 'too eager',
    });
    expect(runCase(coin(0.05, { expectedToFail }))[0]!.verdict).toBe('WARNING OUT OF DATE');
    expect(isSound(runCase(coin(0.05, { expectedToFail }))[0]!)).toBe(false);
  });

  it('counts shares of the rounds with an answer, and refuses a method that never has one', () => {
    const [row] = runCase(coin(0.05));
    expect(row!.rounds).toBe(2000);
    expect(row!.answered).toBeLessThan(2000);
    expect(row!.tolerance).toBeCloseTo(3 * Math.sqrt((0.05 * 0.95) / row!.answered), 12);
    const silent = calibrationCase({
      setting: 'silence',
      rounds: 10,
      draw: () => 0,
      checks: [{ method: 'none', measure: 'coverage', nominal: 0.9, outcome: () => null }],
    });
    expect(() => runCase(silent)).toThrow('none on silence answered 0 times, must be at least once');
  });

  it('comes to the same rows again, and to other draws in another setting', () => {
    const some = calibrationCases.find(({ setting }) => setting === '30 and 30 units, p = 0.3')!;
    expect(runCase(some, 0.01)).toEqual(runCase(some, 0.01));
    const renamed = { ...some, setting: 'another seed' };
    expect(runCase(renamed, 0.01).map(({ observed }) => observed)).not.toEqual(
      runCase(some, 0.01).map(({ observed }) => observed),
    );
  });
});

describe('the table in docs/statistics.md', () => {
  const page = readFileSync(new URL('../docs/statistics.md', import.meta.url), 'utf8');
  const section = calibrationOf(page);

  it('has a row for every promise, every one kept or warned of, with its nominal level', () => {
    const lines = (section ?? '').split('\n').filter((line) => line.startsWith('| '));
    const wanted = calibrationCases.flatMap(({ promises }) => promises);
    // The header and the line under it come first.
    expect(lines.slice(2)).toHaveLength(wanted.length);
    for (const [i, promise] of wanted.entries()) {
      const [, , method, measure, nominal, , , verdict, warning] = lines[i + 2]!.split('|').map((cell) => cell.trim());
      expect([method, measure]).toEqual([promise.method, promise.measure]);
      expect(Number.parseFloat(nominal!) / 100).toBeCloseTo(promise.nominal, 10);
      expect(['holds', 'conservative', 'fails as warned']).toContain(verdict);
      expect(warning).toBe(promise.expectedToFail?.warning ?? '');
    }
  });

  it('is what the script makes: a setting played again gives its lines', () => {
    const quick = calibrationCases.filter(({ setting }) => /^12 pairs|^30 and 30 normal units, spread/.test(setting));
    expect(quick).toHaveLength(2);
    const cells = (line: string): string => line.replace(/ +/g, ' ');
    const made = calibrationSection(
      quick.flatMap((each) => runCase(each)),
      'x',
    ).split('\n');
    const lines = made.filter((each) => /^\| (12|30)/.test(each));
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(cells(section ?? '')).toContain(cells(line));
  });

  it('shows a test read at 400 looks failing in 30 to 48 % of tests beside each sequence that holds', () => {
    const peeking = calibrationCases.filter(({ setting }) => setting.startsWith('400 looks, '));
    expect(peeking.length).toBeGreaterThan(2);
    for (const each of peeking) {
      const rows = runCase(each, 0.02);
      const naive = rows.find(({ method }) => method.startsWith('t-test read at every look'));
      expect(naive!.observed, each.setting).toBeGreaterThan(0.15);
      for (const row of rows.filter(({ method, measure }) => measure === 'false alarms' && method !== naive!.method)) {
        expect(isSound(row), `${each.setting}: ${row.method}`).toBe(true);
      }
    }
  });

  it('is replaced where it stands, or put at the end', () => {
    const fresh = '<!-- calibration -->\nnew\n<!-- /calibration -->';
    expect(withCalibration('# A\n', fresh)).toBe(`# A\n\n${fresh}\n`);
    expect(withCalibration(`# A\n\n${fresh.replace('new', 'old')}\n\nafter\n`, fresh)).toBe(
      `# A\n\n${fresh}\n\nafter\n`,
    );
    expect(calibrationOf('# A\n')).toBeUndefined();
  });
});
