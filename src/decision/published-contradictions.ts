// Which faults of a published document can no schema see? Names that nothing bears, counts above their totals, two formulas.
import type { PublishedDocument } from './published-document.ts';

/** One fault, its place and its sentence. */
export interface DocumentIssue {
  readonly place: string;
  readonly text: string;
}

/** What a schema cannot see: names that nothing bears, counts that exceed their totals. */
export function contradictions(document: PublishedDocument): readonly DocumentIssue[] {
  const issues: DocumentIssue[] = [];
  const variants = document.variants.map((variant) => variant.name);
  const require = (place: string, value: string, known: readonly string[]): void => {
    if (known.includes(value)) return;
    issues.push({ place, text: `${place} is "${value}", must be one of ${known.join(', ') || '(none is declared)'}` });
  };
  require('control', document.control, variants);
  if (new Set(variants).size < variants.length) {
    issues.push({ place: 'variants', text: `variants is ${variants.join(', ')}, must be two different names` });
  }
  if (document.variants.every((variant) => variant.weight === 0)) {
    issues.push({ place: 'variants[0].weight', text: 'variants[0].weight is 0, must be above 0 for one variant' });
  }
  document.variants.forEach((variant, index) => {
    if ((variant.successes ?? 0) > variant.requests) {
      const place = `variants[${index}].successes`;
      issues.push({ place, text: `${place} is ${variant.successes}, must be <= requests (${variant.requests})` });
    }
  });
  const rates = Object.keys(document.variants[0]?.rates ?? {}).filter((rate) =>
    document.variants.every((variant) => rate in variant.rates),
  );
  document.metrics.forEach((metric, index) => {
    if ((metric.rate === undefined) === (metric.latency === undefined)) {
      const place = `metrics[${index}]`;
      issues.push({ place, text: `${place} is ${JSON.stringify(metric)}, must name either a rate or a latency` });
    }
    if (metric.rate !== undefined) require(`metrics[${index}].rate`, metric.rate, rates);
  });
  if (document.failure !== undefined) {
    require('failure.rate', document.failure.rate, rates);
    if (document.failure.complement !== undefined) require('failure.complement', document.failure.complement, rates);
  }
  const metrics = document.metrics.map((metric) => metric.name);
  document.value?.terms.forEach((term, index) => {
    require(`value.terms[${index}].metric`, term.metric, metrics);
  });
  return [...issues, ...moneyContradictions(document, metrics)];
}

function moneyContradictions(document: PublishedDocument, metrics: readonly string[]): readonly DocumentIssue[] {
  const issues: DocumentIssue[] = [];
  const known = (document.money?.inputs ?? []).map((input) => input.name);
  const require = (place: string, value: string, names: readonly string[]): void => {
    if (names.includes(value)) return;
    issues.push({ place, text: `${place} is "${value}", must be one of ${names.join(', ') || '(none is declared)'}` });
  };
  document.money?.steps.forEach((step, index) => {
    const place = `money.steps[${index}]`;
    const formulas = [step.product, step.sum, step.returnOn].filter((formula) => formula !== undefined).length;
    if (formulas > 1 || (formulas === 0 && step.published === undefined)) {
      issues.push({ place, text: `${place} has ${formulas} formulas, must have one, or a published result` });
    }
    step.product?.forEach((part, at) => {
      if ('step' in part) require(`${place}.product[${at}].step`, part.step, known);
      else {
        if (part.difference !== undefined) require(`${place}.product[${at}].difference`, part.difference, metrics);
        if (part.perMetric !== undefined) {
          require(`${place}.product[${at}].perMetric.metric`, part.perMetric.metric, metrics);
        }
      }
    });
    step.sum?.forEach((part, at) => {
      require(`${place}.sum[${at}].step`, part.step, known);
    });
    if (step.returnOn !== undefined) {
      require(`${place}.returnOn.gain`, step.returnOn.gain, known);
      require(`${place}.returnOn.cost`, step.returnOn.cost, known);
    }
    if (known.includes(step.name)) {
      issues.push({ place: `${place}.name`, text: `${place}.name is "${step.name}", must be used once only` });
    }
    known.push(step.name);
  });
  return issues;
}
