// Does the published money follow from the published numbers? Units, bases, formulas and figures quoted twice.
import { numberText, percentText } from './number-text.ts';
import type { PublishedDocument, PublishedFactor, PublishedStep } from './published-document.ts';
import {
  explainQuote,
  factorValue,
  type RecomputedFigure,
  type RecomputedFigures,
  roundsTo,
} from './published-figures.ts';
import type { Finding } from './report.ts';
import { riskAdjustedReturn } from './risk-register.ts';

type NamedFactor = Extract<PublishedFactor, { readonly name: string }>;

/** Findings about the money model and about what was quoted from it. */
export function moneyFindings(document: PublishedDocument, figures: RecomputedFigures): readonly Finding[] {
  const steps = document.money?.steps ?? [];
  return [
    ...steps.flatMap((step) => unitSlip(step, document, figures)),
    ...steps.flatMap((step) => baseMismatch(step)),
    ...mixedBases(document),
    ...quotedTwice(document, figures),
    ...steps.flatMap((step) => withoutFormula(step, document)),
    ...expectedLossFindings(document, figures),
  ];
}

const named = (step: PublishedStep): readonly NamedFactor[] =>
  (step.product ?? []).filter((factor): factor is NamedFactor => 'name' in factor);

/** A difference entered in another unit than the one its rate is per. */
function unitSlip(step: PublishedStep, document: PublishedDocument, figures: RecomputedFigures): readonly Finding[] {
  const product = step.product ?? [];
  const rate = named(step).find((factor) => factor.perMetric !== undefined);
  const entered = named(step).find((factor) => factor.difference === rate?.perMetric?.metric);
  const difference = figures.get(`difference.${rate?.perMetric?.metric ?? ''}`)?.value;
  if (rate?.perMetric === undefined || entered === undefined || difference === undefined || entered.value === 0)
    return [];
  const right = difference / rate.perMetric.per;
  const factor = right / entered.value;
  // Rounding of a published difference is not a slip of the unit.
  if (factor > 0.9 && factor < 1.1) return [];
  const result = product.reduce((total, part) => total * factorValue(part, figures), 1);
  const unit = document.money?.unit ?? '';
  return [
    {
      code: 'unit-slip',
      text: `${step.name}: ${rate.name} holds per ${numberText(rate.perMetric.per)} of ${rate.perMetric.metric}, so the difference is ${numberText(right)}, but ${numberText(entered.value)} was entered: a factor ${numberText(factor)}. By its own rate the result would be ${numberText(result * factor)} ${unit}, not ${numberText(result)} ${unit}.`,
      numbers: { entered: entered.value, difference: right, factor, result, corrected: result * factor },
    },
  ];
}

function baseMismatch(step: PublishedStep): readonly Finding[] {
  const amount = named(step).find((factor) => factor.base !== undefined);
  const share = named(step).find((factor) => factor.shareOf !== undefined);
  if (amount?.base === undefined || share?.shareOf === undefined || amount.base === share.shareOf) return [];
  return [
    {
      code: 'base-mismatch',
      text: `${step.name}: ${share.name} (${percentText(share.value)}) is a share of ${share.shareOf}, but is applied to ${amount.name}, an amount of ${amount.base} (${numberText(amount.value)}).`,
      numbers: { share: share.value, amount: amount.value, shareOf: share.shareOf, base: amount.base },
    },
  ];
}

function mixedBases(document: PublishedDocument): readonly Finding[] {
  const terms = (document.value?.terms ?? []).filter((term) => term.basis !== undefined);
  const bases = [...new Set(terms.map((term) => term.basis))];
  if (bases.length < 2) return [];
  return [
    {
      code: 'mixed-bases',
      text: `The net value adds ${terms.map((term) => `${term.name} in ${term.basis}`).join(', ')}: ${bases.length} bases with nothing in common, so their sum is in no unit.`,
      numbers: { bases: bases.length },
    },
  ];
}

/** The same figure quoted with values that cannot both be right. */
function quotedTwice(document: PublishedDocument, figures: RecomputedFigures): readonly Finding[] {
  return [...new Set(document.quoted.map((quote) => quote.figure))].flatMap((name): readonly Finding[] => {
    const quotes = document.quoted.filter((quote) => quote.figure === name);
    const figure = figures.get(name);
    if (new Set(quotes.map((quote) => quote.value)).size < 2) {
      return figure === undefined || quotes.every((quote) => roundsTo(figure.value, quote))
        ? []
        : [notReproduced(name, figure, quotes[0]?.value ?? 0)];
    }
    const said = quotes.map((quote) => {
      const holds = figure !== undefined && roundsTo(figure.value, quote);
      const why = holds ? undefined : explainQuote(quote, document, figures);
      const given = figure?.formula === 'stated' ? 'as the money model takes it' : 'which its inputs give';
      const note = holds ? given : (why ?? 'which nothing in the document gives');
      return `${numberText(quote.value)} (${quote.where}; ${note})`;
    });
    return [
      {
        code: 'quoted-twice',
        text: `${name} is quoted as ${said.join(' and as ')}.`,
        numbers: { figure: name, values: quotes.map((quote) => quote.value) },
      },
    ];
  });
}

function notReproduced(name: string, figure: RecomputedFigure, value: number): Finding {
  return {
    code: 'not-reproduced',
    text: `${name} is quoted as ${numberText(value)}, but its inputs give ${numberText(figure.value, 4)} (${figure.formula}).`,
    numbers: { quoted: value, recomputed: figure.value },
  };
}

function withoutFormula(step: PublishedStep, document: PublishedDocument): readonly Finding[] {
  if (step.product !== undefined || step.sum !== undefined || step.returnOn !== undefined) return [];
  if (step.published === undefined) return [];
  return [
    {
      code: 'no-formula',
      text: `${step.name} is given as ${numberText(step.published)} ${document.money?.unit ?? ''} without a formula; nothing in the document leads to it.`,
      numbers: { value: step.published },
    },
  ];
}

/** A risk register whose expected loss the published return leaves out. */
function expectedLossFindings(document: PublishedDocument, figures: RecomputedFigures): readonly Finding[] {
  const loss = figures.get('expected_loss');
  if (loss === undefined || loss.value === 0) return [];
  const unit = document.money?.unit ?? '';
  const said = `The expected loss of the risk register is ${numberText(loss.value)} ${unit} a year (${loss.formula})`;
  const step = document.money?.steps.find(({ returnOn }) => returnOn !== undefined);
  const gain = figures.get(step?.returnOn?.gain ?? '')?.value;
  const cost = figures.get(step?.returnOn?.cost ?? '')?.value;
  const plain = figures.get(step?.name ?? '')?.value;
  if (step === undefined || gain === undefined || cost === undefined || plain === undefined) {
    return [{ code: 'expected-loss-ignored', text: `${said}.`, numbers: { expectedLoss: loss.value } }];
  }
  const adjusted = (gain - loss.value - cost) / cost;
  const spread = riskAdjustedReturn(document.risks ?? [], { gain, cost });
  return [
    {
      code: 'expected-loss-ignored',
      text: `${said}; with it ${step.name} is ${wholePercent(adjusted)}, not ${wholePercent(plain)}.`,
      numbers: { expectedLoss: loss.value, adjusted, published: plain },
    },
    {
      code: 'return-spread',
      text: `${step.name} is no one number: over the years the risk register allows it lies between ${wholePercent(spread.p5)} and ${wholePercent(spread.p95)} (nine years of ten), and in ${percentText(spread.worse, 0)} of them below ${wholePercent(plain)}.`,
      numbers: { ...spread },
    },
  ];
}

function wholePercent(share: number): string {
  return `${numberText(Math.round(share * 100))} %`;
}
