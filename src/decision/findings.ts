// What should a careful reader notice beside the verdict? Broken checks, thin numbers, noise left out, rules that disagree.
import type { ExperimentSummary } from '../evidence/index.ts';
import type { ValueModel } from '../experiment/index.ts';
import { compareProportions } from '../stats/index.ts';
import { numberText } from './number-text.ts';
import type { Finding, Report } from './report.ts';
import { valueFindings } from './value-findings.ts';
import { type BareVerdict, pointRuleFinding, type VerdictCase } from './verdict.ts';

/** What findings are read off. */
export interface FindingsInput {
  readonly summary: ExperimentSummary;
  readonly checks: Report['checks'];
  readonly cases: readonly VerdictCase[];
  readonly verdict: BareVerdict;
  readonly alpha: number;
  readonly model: ValueModel | undefined;
  /** Names of the metrics whose rows are 0 or 1 whatever the evidence holds. */
  readonly zeroOne: ReadonlySet<string>;
}

/** Every finding of a report, broken checks first. */
export function collectFindings({
  summary,
  checks,
  cases,
  verdict,
  alpha,
  model,
  zeroOne,
}: FindingsInput): readonly Finding[] {
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
    ...valueFindings(
      cases.map(({ value }) => value),
      { model, zeroOne },
    ),
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

function severalCandidates(count: number, alpha: number): Finding {
  return {
    code: 'several-candidates',
    text: `${count} candidates are compared with one control: primary and secondary criteria are decided at ${numberText(alpha / count)} instead of ${numberText(alpha)} (Bonferroni); the intervals of metrics are per comparison.`,
    numbers: { candidates: count, alpha: alpha / count },
  };
}
