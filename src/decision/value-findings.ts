// Do the units of a value model fit together? Bases that have no common sum, shares taken for points, noise left out.
import type { Experiment, ValueModel } from '../experiment/index.ts';
import { zeroOneMetrics } from './constant-rate.ts';
import { numberText } from './number-text.ts';
import type { Finding, ValueEntry } from './report.ts';

/** What a careful reader should notice about the value model itself. */
export function valueFindings(
  values: readonly ValueEntry[],
  { model, zeroOne }: { readonly model: ValueModel | undefined; readonly zeroOne: ReadonlySet<string> },
): readonly Finding[] {
  return [...values.flatMap(omittedNoise), ...(model === undefined ? [] : modelFindings(model, zeroOne))];
}

/** The same as far as the file alone shows it: what to tell whoever loads it, before anything is measured. */
export function valueWarnings({ value, metrics }: Pick<Experiment, 'value' | 'metrics'>): readonly Finding[] {
  return value === undefined ? [] : modelFindings(value, zeroOneMetrics(metrics));
}

function modelFindings(model: ValueModel, zeroOne: ReadonlySet<string>): readonly Finding[] {
  return [...mixedBases(model), ...otherBase(model), ...wholeShares(model, zeroOne)];
}

function omittedNoise(value: ValueEntry): readonly Finding[] {
  if (!('estimate' in value.net) || value.net.omits.length === 0) return [];
  return [
    {
      code: 'noise-unknown',
      text: `The interval of the net value leaves out the noise of ${value.net.omits.join(', ')}, whose spread is unknown; the truth is wider.`,
    },
  ];
}

function mixedBases(model: ValueModel): readonly Finding[] {
  const terms = model.terms.filter(({ base }) => base !== undefined);
  const bases = new Set(terms.map(({ base }) => base));
  if (bases.size < 2) return [];
  return [
    {
      code: 'mixed-bases',
      text: `The net value adds ${terms.map(({ name, base }) => `${name} in ${base}`).join(', ')}: ${bases.size} bases with nothing in common, so their sum is in no unit.`,
      numbers: { bases: bases.size },
    },
  ];
}

/** Money is made of a net value whose terms are counted in something else. */
function otherBase({ terms, money }: ValueModel): readonly Finding[] {
  if (money?.base === undefined) return [];
  return terms.flatMap(({ name, base }): readonly Finding[] =>
    base === undefined || base === money.base || base.endsWith(`of ${money.base}`)
      ? []
      : [
          {
            code: 'base-mismatch',
            text: `${name} is counted in ${base}, but the money model takes the net value as a share of ${money.base}.`,
          },
        ],
  );
}

/** A metric from 0 to 1 whose coefficient holds for a difference of 1, which is a hundred points: 3.6 points are 0.036 there. */
function wholeShares({ terms }: ValueModel, zeroOne: ReadonlySet<string>): readonly Finding[] {
  return terms.flatMap(({ name, metric, coefficient, per }): readonly Finding[] =>
    !zeroOne.has(metric) || per < 1
      ? []
      : [
          {
            code: 'unit-slip',
            text: `${name} counts ${numberText(coefficient)} per ${numberText(per)} of ${metric}, which runs from 0 to 1: a whole ${numberText(100 * per, 1)} points. If one point was meant, write per: 0.01; then the term is ${numberText(100 * per)} times as large.`,
            numbers: { coefficient, per, factor: 100 * per },
          },
        ],
  );
}
