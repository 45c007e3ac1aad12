// What should a careful reader notice beside the verdict? Broken checks, thin numbers, noise left out, rules that disagree.
import type { ExperimentSummary } from '../evidence/index.ts';
import { compareProportions } from '../stats/index.ts';
import { numberText } from './number-text.ts';
import type { Finding, Report, ValueEntry } from './report.ts';
import { pointRuleFinding, type VerdictCase } from './verdict.ts';

/** What findings are read off. */
export interface FindingsInput {
  readonly summary: ExperimentSummary;
  readonly checks: Report['checks'];
  readonly cases: readonly VerdictCase[];
  readonly verdict: Report['verdict'];
  readonly alpha: number;
}

/** Every finding of a report, broken checks first. */
export function collectFindings({ summary, checks, cases, verdict, alpha }: FindingsInput): readonly Finding[] {
  const broken = Object.entries(checks).flatMap(([name, check]): readonly Finding[] =>
    check.ok
      ? []
      : [
          {
            code: checkCode(name),
            text: check.text,
            ...(check.numbers === undefined ? {} : { numbers: check.numbers }),
          },
        ],
  );
  const spoken = cases.find(({ variant }) => variant === verdict.variant)?.value;
  const differs = spoken === undefined ? undefined : pointRuleFinding(verdict, spoken);
  return [
    ...broken,
    ...rareEvents(summary, alpha),
    ...cases.flatMap(({ value }) => omittedNoise(value)),
    ...mixedBases(cases[0]?.value),
    ...(cases.length > 1 ? [severalCandidates(cases.length, alpha)] : []),
    ...(differs === undefined ? [] : [differs]),
  ];
}

const checkCodes: { readonly [check: string]: string } = {
  minDuration: 'min-duration',
  maturity: 'outcomes-waiting',
  fallback: 'fallback-frequent',
  planUnchanged: 'plan-changed',
  severalVariants: 'units-in-several-variants',
  outcomeJoin: 'outcomes-not-joined',
  orphans: 'outcomes-orphaned',
  modelUsed: 'model-used-differs',
  variantServed: 'variant-served-differs',
  uncleanShutdown: 'unclean-shutdown',
  expired: 'evidence-expired',
  segmentRatio: 'segment-ratio-mismatch',
  covariates: 'covariates-imbalanced',
  joinRates: 'join-rates-differ',
  wholeWeeks: 'partial-week',
  peeking: 'peeking',
  gaps: 'instrumentation-gaps',
  sampleRatio: 'sample-ratio-mismatch',
};

/** The finding's code of a check that does not hold. */
export function checkCode(name: string): string {
  return checkCodes[name] ?? name;
}

function rareEvents(summary: ExperimentSummary, alpha: number): readonly Finding[] {
  const control = summary.variants.find(({ variant }) => variant === summary.control);
  if (control === undefined) return [];
  return summary.variants.flatMap((candidate) =>
    Object.entries(candidate.metrics).flatMap(([name, right]): readonly Finding[] => {
      const left = control.metrics[name];
      if (candidate === control || left?.kind !== 'proportion' || right.kind !== 'proportion') return [];
      const test = compareProportions(left, right, { alpha });
      if (test.kind === 'insufficient' || test.exactPValue === undefined) return [];
      const counts = [Math.round(left.successes), Math.round(right.successes)] as const;
      return [
        {
          code: 'rare-events',
          text: `${name} rests on ${counts[0]} of ${numberText(left.n, 1)} against ${counts[1]} of ${numberText(right.n, 1)}: too few for the normal approximation, so the test is Fisher's mid-p; Fisher's exact p is ${numberText(test.exactPValue)}.`,
          numbers: { control: counts[0], candidate: counts[1], fisherPValue: test.exactPValue },
        },
      ];
    }),
  );
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

function mixedBases(value: ValueEntry | undefined): readonly Finding[] {
  const terms = value?.terms.filter(({ base }) => base !== undefined) ?? [];
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

function severalCandidates(count: number, alpha: number): Finding {
  return {
    code: 'several-candidates',
    text: `${count} candidates are compared with one control: primary and secondary criteria are decided at ${numberText(alpha / count)} instead of ${numberText(alpha)} (Bonferroni); the intervals of metrics are per comparison.`,
    numbers: { candidates: count, alpha: alpha / count },
  };
}
