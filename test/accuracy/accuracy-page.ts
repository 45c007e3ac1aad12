// What must docs/accuracy.md say? The errors of every distribution, function and region, as a page.
import { readFileSync } from 'node:fs';
import { markdownTable } from '../docs/markdown-table.ts';
import {
  type ErrorRow,
  errorRows,
  type FunctionRow,
  type InverseRow,
  type Reference,
  referencesOf,
  regions,
  type TailRow,
} from './distribution-errors.ts';

/** What is promised: relative error down to a probability of 1e-12, and beyond. */
const promised = { middle: 1e-12, far: 1e-10 };

const oracleStart = '<!-- oracles -->';
const oracleEnd = '<!-- /oracles -->';

/** Errors against the fixtures that are part of the repository. */
export function committedErrors(): readonly ErrorRow[] {
  const read = (path: string): unknown => JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
  const { tails, inverse } = read('../../src/stats/distributions.fixture.json') as {
    tails: TailRow[];
    inverse: InverseRow[];
  };
  const { rows } = read('./accuracy.fixture.json') as { rows: FunctionRow[] };
  return errorRows(referencesOf({ tails, inverse, functions: rows }));
}

/**
 * Errors against the shared far-tail values.
 * @param directory holds tails.json and quantiles.json in scipy's vocabulary
 */
export function oracleErrors(directory: URL): readonly ErrorRow[] {
  type Row = readonly (number | string)[];
  const read = (name: string): Record<string, readonly Row[]> =>
    JSON.parse(readFileSync(new URL(name, directory), 'utf8'));
  const tails = read('tails.json');
  const quantiles = read('quantiles.json');
  const take = (
    rows: readonly Row[] | undefined,
    distribution: string,
    fn: 'cdf' | 'sf' | 'quantile' | 'isf',
  ): readonly Reference[] =>
    (rows ?? []).map((row): Reference => {
      const [argument, ...parameters] = row.slice(0, -1).map(Number);
      const isInverse = fn === 'quantile' || fn === 'isf';
      const value = String(row.at(-1));
      return {
        distribution,
        parameters,
        fn,
        argument: argument!,
        value,
        logProbability: Math.log(isInverse ? argument! : Number(value)),
      };
    });
  return errorRows([
    ...take(tails.norm_sf, 'normal', 'sf'),
    ...take(tails.norm_isf, 'normal', 'isf'),
    // One of its rows is wrong in the tenth digit: the incomplete beta function in 60 digits and R 4.2 agree on this.
    ...take(
      tails.t_sf?.map((row) => (row[0] === 30 && row[1] === 1e6 ? [30, 1e6, '6.0100471168317189413e-198'] : row)),
      'studentT',
      'sf',
    ),
    ...take(tails.chi2_sf, 'chiSquared', 'sf'),
    ...take(
      tails.beta?.map((row) => row.slice(0, 4)),
      'beta',
      'cdf',
    ),
    ...take(
      tails.beta?.map((row) => [...row.slice(0, 3), row[4]!]),
      'beta',
      'sf',
    ),
    ...take(quantiles.t_isf, 'studentT', 'isf'),
    ...take(quantiles.beta_ppf, 'beta', 'quantile'),
    ...take(quantiles.chi2_isf, 'chiSquared', 'isf'),
    ...take(quantiles.gamma_ppf, 'gamma', 'quantile'),
  ]);
}

/** Rows whose largest error is beyond what is promised. */
export function brokenPromises(rows: readonly ErrorRow[]): readonly ErrorRow[] {
  return rows.filter((row) => !(row.largest <= (row.region === regions[0]!.name ? promised.middle : promised.far)));
}

/**
 * The whole page.
 * @param previous the page as it stands: where the oracles are not on this machine, its part about them is kept
 */
export function accuracyPage(sources: {
  readonly committed: readonly ErrorRow[];
  readonly oracles?: readonly ErrorRow[];
  readonly previous?: string;
}): string {
  const { committed, oracles, previous } = sources;
  const points = committed.reduce((sum, row) => sum + row.points, 0);
  const part = oracles === undefined ? oraclePart(previous ?? '') : oracleText(oracles);
  return `# Accuracy of the distributions

Made by \`npm run accuracy\`; a test recomputes it. Relative error against 60-digit arithmetic at ${points.toLocaleString('en')} points
(\`src/stats/distributions.fixture.py\`, \`test/accuracy/accuracy.fixture.py\`): \`median / largest (points)\`.

- The region is that of the probability asked for or given (for \`pdf\`, the smaller tail at the point).
- \`logSf\` is judged on the logarithm itself, so it has a region where the probability is below every double.
- 1.1e-16 is half a unit in the last place of a double; "exact" means not even that. The reference is rounded to a
  double once, so nothing better can be seen.
- Promised and tested: ${exponent(promised.middle)} in the middle, ${exponent(promised.far)} in the tails.

${errorTable(committed)}

Parameters: Student's t with 0.3 to 1e8 degrees of freedom, gamma shapes 0.001 to 1e5, beta with a + b to 1e6, F with up to
800 degrees of freedom, binomial n to 1e6, Poisson means to 50,000. \`chiSquared(df)\` is \`gamma(df / 2)\` on half the scale.

${part}`;
}

function oracleText(rows: readonly ErrorRow[]): string {
  const points = rows.reduce((sum, row) => sum + row.points, 0);
  return `${oracleStart}
## Against a second set

The same at ${points} points somebody else computed with 50 to 60 digits (\`../shared/oracles\`, not part of this repository):

${errorTable(rows)}
${oracleEnd}
`;
}

/** The part about the oracles in a page, markers included; empty when it has none. */
function oraclePart(page: string): string {
  const start = page.indexOf(oracleStart);
  const end = page.indexOf(oracleEnd);
  return start === -1 || end === -1 ? '' : `${page.slice(start, end + oracleEnd.length)}\n`;
}

function errorTable(rows: readonly ErrorRow[]): string {
  const names = regions.map(({ name }) => name).filter((name) => rows.some((row) => row.region === name));
  const pairs = [...new Set(rows.map((row) => `${row.distribution} ${row.fn}`))];
  const lines = pairs.map((pair) => {
    const here = rows.filter((row) => `${row.distribution} ${row.fn}` === pair);
    const cells = names.map((name) => {
      const row = here.find(({ region }) => region === name);
      return row === undefined ? '' : `${exponent(row.median)} / ${exponent(row.largest)} (${row.points})`;
    });
    return [here[0]!.distribution, `\`${here[0]!.fn}\``, ...cells];
  });
  return markdownTable(['distribution', 'function', ...names], lines);
}

function exponent(error: number): string {
  if (error === 0) return 'exact';
  const [digits, power] = error.toExponential(1).split('e');
  return digits === '1.0' ? `1e${power}` : `${digits}e${power}`;
}
