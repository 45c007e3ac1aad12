// Which figures follow from a published table's inputs? Each recomputed by its declared formula, beside what was quoted.
import { insufficient } from './absent.ts';
import { pointEstimate } from './effects.ts';
import { numberText } from './number-text.ts';
import type { PublishedDocument, PublishedFactor, PublishedQuote, PublishedStep } from './published-document.ts';
import { publishedSides } from './published-summary.ts';
import type { PublishedFigure } from './report.ts';

/** A figure and the sum it came from. */
export interface RecomputedFigure {
  readonly value: number;
  readonly formula: string;
}

/** Figure name -> value and formula. */
export type RecomputedFigures = ReadonlyMap<string, RecomputedFigure>;

/**
 * Every figure the document's inputs give: `share.VARIANT`, `difference.METRIC`, `term.TERM`, `net_value`, the money
 * model's inputs and steps by name, `expected_loss` of the risk register.
 */
export function recomputeFigures(document: PublishedDocument): RecomputedFigures {
  const figures = new Map<string, RecomputedFigure>();
  const total = document.variants.reduce((sum, variant) => sum + variant.requests, 0);
  for (const variant of document.variants) {
    figures.set(`share.${variant.name}`, {
      value: variant.requests / total,
      formula: `${numberText(variant.requests)} / ${numberText(total)}`,
    });
  }
  addDifferences(figures, document);
  addTerms(figures, document);
  for (const input of document.money?.inputs ?? []) {
    figures.set(input.name, { value: input.value, formula: 'stated' });
  }
  for (const step of document.money?.steps ?? []) {
    const figure = recomputeStep(step, figures);
    if (figure !== undefined) figures.set(step.name, figure);
  }
  if (document.risks !== undefined) figures.set('expected_loss', expectedLoss(document.risks));
  return new Map([...figures].map(([name, figure]) => [name, { ...figure, value: asDecimal(figure.value) }]));
}

/** Published inputs are decimals; 12 digits drop what binary fractions add, so that 1,800 is not 1,799.9999999999998. */
function asDecimal(value: number): number {
  return Number(value.toPrecision(12));
}

function addDifferences(figures: Map<string, RecomputedFigure>, document: PublishedDocument): void {
  const { control, candidate } = publishedSides(document);
  for (const { name } of document.metrics) {
    const left = pointEstimate(control.metrics[name]);
    const right = pointEstimate(candidate.metrics[name]);
    if (left === undefined || right === undefined) continue;
    figures.set(`difference.${name}`, {
      value: right - left,
      formula: `${numberText(right, 4)} - ${numberText(left, 4)}`,
    });
  }
}

function addTerms(figures: Map<string, RecomputedFigure>, document: PublishedDocument): void {
  const terms = document.value?.terms ?? [];
  let net = 0;
  for (const term of terms) {
    const difference = figures.get(`difference.${term.metric}`);
    if (difference === undefined) return;
    const value = (term.coefficient * difference.value) / term.per;
    figures.set(`term.${term.name}`, {
      value,
      formula: `${numberText(term.coefficient)} x (${difference.formula}) / ${numberText(term.per)}`,
    });
    net += value;
  }
  if (terms.length > 0) figures.set('net_value', { value: net, formula: terms.map((term) => term.name).join(' + ') });
}

function recomputeStep(step: PublishedStep, figures: RecomputedFigures): RecomputedFigure | undefined {
  const valueNamed = (name: string): number => figures.get(name)?.value ?? Number.NaN;
  if (step.product !== undefined) {
    return {
      value: step.product.reduce((product, factor) => product * factorValue(factor, figures), 1),
      formula: step.product.map(factorText).join(' x '),
    };
  }
  if (step.sum !== undefined) {
    return {
      value: step.sum.reduce((sum, part) => sum + (part.sign ?? 1) * valueNamed(part.step), 0),
      formula: sumText(step.sum),
    };
  }
  if (step.returnOn !== undefined) {
    const { gain, cost } = step.returnOn;
    return {
      value: (valueNamed(gain) - valueNamed(cost)) / valueNamed(cost),
      formula: `(${gain} - ${cost}) / ${cost}`,
    };
  }
  return step.published === undefined ? undefined : { value: step.published, formula: 'none was published' };
}

/** The number a factor stands for. */
export function factorValue(factor: PublishedFactor, figures: RecomputedFigures): number {
  return 'step' in factor ? (figures.get(factor.step)?.value ?? Number.NaN) : factor.value;
}

function factorText(factor: PublishedFactor): string {
  return 'step' in factor ? factor.step : numberText(factor.value);
}

function sumText(parts: NonNullable<PublishedStep['sum']>): string {
  return parts
    .map((part, index) => {
      const minus = part.sign === -1;
      if (index === 0) return minus ? `-${part.step}` : part.step;
      return `${minus ? '-' : '+'} ${part.step}`;
    })
    .join(' ');
}

function expectedLoss(risks: NonNullable<PublishedDocument['risks']>): RecomputedFigure {
  // A risk that is as likely a gain as a loss moves the spread, not the expectation.
  const oneSided = risks.filter((risk) => risk.twoSided !== true);
  return {
    value: oneSided.reduce((sum, risk) => sum + risk.probability * risk.loss, 0),
    formula: oneSided.map((risk) => `${numberText(risk.probability)} x ${numberText(risk.loss)}`).join(' + ') || '0',
  };
}

/** The quoted figures beside the recomputed ones, in the document's order, unexplained steps last. */
export function comparePublished(document: PublishedDocument, figures: RecomputedFigures): readonly PublishedFigure[] {
  const steps = (document.money?.steps ?? []).flatMap((step): readonly PublishedQuote[] =>
    step.published === undefined ? [] : [{ figure: step.name, value: step.published, where: 'money model' }],
  );
  return [...document.quoted, ...steps].map((quote) => {
    const figure = compareQuote(quote, figures);
    const note = figure.reproduced ? undefined : explainQuote(quote, document, figures);
    return note === undefined ? figure : { ...figure, note };
  });
}

function compareQuote(quote: PublishedQuote, figures: RecomputedFigures): PublishedFigure {
  const figure = figures.get(quote.figure);
  const base = { name: quote.figure, source: quote.where, published: quote.value };
  if (figure === undefined) {
    const reason = `nothing in the document gives ${quote.figure}`;
    return { ...base, recomputed: insufficient(reason), formula: 'none', reproduced: false };
  }
  if (figure.formula === 'none was published') {
    const reason = 'it was published without a formula';
    return { ...base, recomputed: insufficient(reason), formula: 'none', reproduced: false };
  }
  return { ...base, recomputed: figure.value, formula: figure.formula, reproduced: roundsTo(figure.value, quote) };
}

/** True when a value rounds to the quoted figure at the decimals it was quoted with. */
export function roundsTo(value: number, quote: Pick<PublishedQuote, 'value' | 'decimals'>): boolean {
  const half = 0.5 * 10 ** -(quote.decimals ?? decimalsOf(quote.value));
  // A hair more than half, for values such as 0.785 - 0.749 that binary fractions miss by an ulp.
  return Math.abs(value - quote.value) <= half * (1 + 1e-9) + Number.EPSILON * Math.abs(value) * 8;
}

function decimalsOf(value: number): number {
  const text = String(value);
  const point = text.indexOf('.');
  return point < 0 || text.includes('e') ? 0 : text.length - point - 1;
}

/**
 * What else a quoted figure is, when it is not what it claims to be: another figure of the document, or its own sum
 * with some parts left out. Undefined where nothing fits.
 */
export function explainQuote(
  quote: PublishedQuote,
  document: PublishedDocument,
  figures: RecomputedFigures,
): string | undefined {
  for (const [name, figure] of figures) {
    if (name !== quote.figure && roundsTo(figure.value, quote)) return `it is ${name}`;
  }
  const parts = document.money?.steps.find((step) => step.name === quote.figure)?.sum ?? [];
  for (const left of parts) {
    const rest = parts.filter((part) => part !== left);
    const sum = rest.reduce(
      (total, part) => total + (part.sign ?? 1) * (figures.get(part.step)?.value ?? Number.NaN),
      0,
    );
    if (rest.length > 0 && roundsTo(sum, quote)) return `it is the sum without ${left.step}`;
  }
  return undefined;
}
