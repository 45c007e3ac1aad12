// What should be done? One of five verdicts per experiment, with reasons; docs/verdict.md tells the same on one page.
import type { Interval } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import type { AssessedCriterion } from './criteria.ts';
import { aboutText, chanceText, durationText, intervalText, lowerEnd, numberText, percentText } from './number-text.ts';
import { cheaperReason, outlookOf } from './outlook.ts';
import type { CheckEntry, Finding, NetValue, Recommendation, ValueEntry, Verdict, VerdictKind } from './report.ts';

/** One candidate before the court. */
export interface VerdictCase {
  readonly variant: string;
  readonly criteria: readonly AssessedCriterion[];
  readonly value: ValueEntry;
}

/** The verdict before it is put into words. */
export type BareVerdict = Omit<Verdict, 'headline' | 'because' | 'but' | 'next'>;

/** What holds for the experiment as a whole. */
export interface VerdictContext {
  readonly sampleRatio: CheckEntry;
  /** Checks without which nothing is shipped, and the codes they are found by; never a roll-back's business. */
  readonly blocking: readonly { readonly code: string; readonly check: CheckEntry }[];
  /** Undefined where no duration was planned. */
  readonly minDuration: CheckEntry | undefined;
  /** Undefined where no end was planned, or no time is known. */
  readonly maxDuration: { readonly elapsedMs: number; readonly maxDurationMs: number } | undefined;
  /** Undefined where no value model was declared. */
  readonly levels: { readonly strong: number; readonly recommend: number } | undefined;
  /** Units expected per day; undefined where it is not known. */
  readonly unitsPerDay: number | undefined;
}

interface Ruling {
  readonly kind: VerdictKind;
  readonly reasons: readonly Finding[];
  /** True for a roll-back that a guardrail demands, which nothing outweighs. */
  readonly isBreach: boolean;
}

/**
 * Judges the candidates and speaks of the one that matters most: a breach comes first, then a candidate to ship,
 * then one still open; an experiment rolls back or ends without a difference only when no candidate is left.
 */
export function judge(cases: readonly VerdictCase[], context: VerdictContext): BareVerdict {
  const rulings = cases.map((candidate) => ({ candidate, ruling: rule(candidate, context) }));
  const order: readonly ((ruling: Ruling) => boolean)[] = [
    (ruling) => ruling.isBreach,
    (ruling) => ruling.kind === 'invalid',
    (ruling) => ruling.kind === 'ship',
    (ruling) => ruling.kind === 'keep-testing',
    (ruling) => ruling.kind === 'no-difference',
    () => true,
  ];
  for (const matters of order) {
    const chosen = rulings.filter(({ ruling }) => matters(ruling)).sort(byNetValue)[0];
    if (chosen === undefined) continue;
    return {
      kind: chosen.ruling.kind,
      variant: chosen.candidate.variant,
      recommendation: recommend(chosen.ruling.kind, chosen.candidate.value, context.levels),
      pointRule: pointRule(chosen.candidate.value, context.levels),
      reasons: chosen.ruling.reasons,
      outlook: outlookOf({
        kind: chosen.ruling.kind,
        criteria: chosen.candidate.criteria,
        unitsPerDay: context.unitsPerDay,
        obstacles: [
          ...(context.minDuration === undefined || context.minDuration.ok ? [] : [context.minDuration.text]),
          ...context.blocking.map(({ check }) => check.text),
        ],
      }),
    };
  }
  throw new RangeError('cases is empty, must hold at least one candidate');
}

function byNetValue(left: { readonly candidate: VerdictCase }, right: { readonly candidate: VerdictCase }): number {
  const net = ({ candidate }: { readonly candidate: VerdictCase }): number =>
    'estimate' in candidate.value.net ? candidate.value.net.estimate : Number.NEGATIVE_INFINITY;
  // Equal ones (also two without a value) keep their order in the file.
  return net(left) === net(right) ? 0 : net(right) - net(left);
}

function rule(candidate: VerdictCase, context: VerdictContext): Ruling {
  const of = (role: AssessedCriterion['entry']['role']): readonly AssessedCriterion[] =>
    candidate.criteria.filter((criterion) => criterion.entry.role === role);
  const primary = of('primary');
  const guardrails = of('guardrail');
  const secondary = of('secondary').map((criterion) => criterionReason(criterion));
  const primaryReasons = primary.flatMap((criterion) => primaryReason(criterion, context));
  const ruling = (kind: VerdictKind, ...reasons: readonly (readonly Finding[])[]): Ruling => ({
    kind,
    reasons: reasons.flat(),
    isBreach: false,
  });

  const cheaper = [cheaperReason(candidate.variant, candidate.value)];
  const broken = context.sampleRatio.ok ? [] : [sampleRatioReason(context.sampleRatio)];
  const early = context.minDuration === undefined || context.minDuration.ok ? [] : [earlyReason(context.minDuration)];
  const breached = guardrails.filter((criterion) => criterion.entry.outcome === 'not-met');
  if (breached.length > 0) {
    const breaches = breached.map((criterion) => criterionReason(criterion));
    return { ...ruling('roll-back', breaches, broken, primaryReasons, secondary), isBreach: true };
  }
  if (broken.length > 0) return ruling('invalid', broken, early, primaryReasons, guardrails.map(criterionReason));
  if (early.length > 0)
    return ruling('keep-testing', early, primaryReasons, guardrails.map(criterionReason), secondary);

  const open = guardrails.filter(isOpen);
  const rest = [...guardrails.map(criterionReason), ...secondary];
  if (primary.length > 0 && primary.every((criterion) => criterion.entry.outcome === 'met')) {
    if (context.blocking.length > 0) {
      return ruling('keep-testing', context.blocking.map(blockingReason), primaryReasons, rest);
    }
    if (open.length === 0 && primary.every(({ entry }) => entry.aim === 'equivalence')) {
      return ruling('no-difference', primary.map(equivalentReason), cheaper, rest);
    }
    return open.length === 0
      ? ruling('ship', primaryReasons, rest)
      : ruling('keep-testing', open.map(criterionReason), primaryReasons, secondary);
  }
  const harmful = primary.filter((criterion) => criterion.entry.outcome !== 'met' && criterion.harmful);
  if (harmful.length > 0) {
    const others = primary.filter((criterion) => !harmful.includes(criterion));
    return ruling('roll-back', harmful.map(harmReason), others.map(criterionReason), rest);
  }
  const missed = primary.filter((criterion) => criterion.entry.outcome === 'not-met');
  if (missed.length > 0) return ruling('no-difference', missed.map(criterionReason), cheaper, rest);
  const over = context.maxDuration;
  if (over !== undefined && over.elapsedMs >= over.maxDurationMs) {
    return ruling('no-difference', [overdueReason(over)], primaryReasons, cheaper, rest);
  }
  return ruling('keep-testing', primaryReasons, rest);
}

/** A guardrail that cannot be passed yet: nothing is known of it, or the estimate itself is on the wrong side. */
function isOpen(guardrail: AssessedCriterion): boolean {
  return (
    guardrail.entry.outcome === 'undecided' &&
    (typeof guardrail.entry.estimate !== 'number' || guardrail.missedByEstimate)
  );
}

const saying = { met: 'is met', 'not-met': 'is not met', undecided: 'is undecided' } as const;

function criterionReason(criterion: AssessedCriterion): Finding {
  const { entry, level, constantUnits } = criterion;
  const code =
    entry.role === 'guardrail'
      ? { met: 'guardrail-holds', 'not-met': 'guardrail-breached', undecided: 'guardrail-undecided' }[entry.outcome]
      : `${entry.role}-${entry.outcome}`;
  const subject = entry.role === 'guardrail' ? 'Guardrail' : entry.role === 'primary' ? 'Primary' : 'Secondary';
  const verb = entry.role === 'guardrail' && entry.outcome === 'not-met' ? 'is broken' : saying[entry.outcome];
  if (typeof entry.estimate !== 'number') {
    return { code, text: `${subject} ${entry.text} ${verb} for ${entry.variant}: ${entry.estimate.reason}.` };
  }
  const known = entry.interval.kind !== 'insufficient';
  const spread =
    entry.interval.kind === 'insufficient'
      ? `no interval, ${entry.interval.reason}`
      : constantUnits === undefined
        ? `${numberText(level * 100)} % interval ${intervalText(entry.interval)}${watchedText(entry)}`
        : `the same in every row of ${numberText(constantUnits, 1)} units; exact ${numberText(level * 100)} % interval by unit ${intervalText(entry.interval)}`;
  const chance = typeof entry.probability === 'number' ? `, probability ${chanceText(entry.probability)}` : '';
  return {
    code,
    text: `${subject} ${entry.text} ${verb} for ${entry.variant}: ${numberText(entry.estimate)} (${spread}${chance}).`,
    numbers: {
      estimate: entry.estimate,
      ...(typeof entry.limit === 'number' ? { limit: entry.limit } : {}),
      ...(known && entry.interval.kind === 'bounded'
        ? { lower: entry.interval.lower, upper: entry.interval.upper }
        : {}),
      ...(typeof entry.probability === 'number' ? { probability: entry.probability } : {}),
    },
  };
}

/** What one look at the end would have said is named where it says something else. */
function watchedText({ fixedHorizon, outcome }: AssessedCriterion['entry']): string {
  if (fixedHorizon === undefined) return '';
  const once = fixedHorizon.interval;
  return fixedHorizon.outcome === outcome || once.kind === 'insufficient'
    ? ' at every look'
    : ` at every look; for one look at the end it would be ${intervalText(once)}, ${fixedHorizon.outcome}`;
}

function primaryReason(criterion: AssessedCriterion, context: VerdictContext): readonly Finding[] {
  const reason = criterionReason(criterion);
  const needed = criterion.unitsNeeded;
  if (needed === undefined) return [reason];
  const total = needed.withPower80 ?? needed.atEstimate;
  const days = context.unitsPerDay === undefined || context.unitsPerDay <= 0 ? undefined : total / context.unitsPerDay;
  const pace =
    days === undefined
      ? ''
      : `; at ${numberText(context.unitsPerDay ?? 0, 1)} a day that is ${durationText(days * 86_400_000)}`;
  const units = aboutText(needed.atEstimate);
  return [
    reason,
    {
      code: 'units-needed',
      text:
        needed.withPower80 === undefined
          ? `If every row stays the same, ${criterion.entry.text} will be decided at about ${units} units${pace}.`
          : `With this estimate and this spread ${criterion.entry.text} would be decided at about ${units} units, with 80 % power at about ${aboutText(needed.withPower80)}${pace}.`,
      numbers: {
        units: needed.atEstimate,
        ...(needed.withPower80 === undefined ? {} : { unitsWithPower80: needed.withPower80 }),
        ...(days === undefined ? {} : { days }),
      },
    },
  ];
}

function equivalentReason(criterion: AssessedCriterion): Finding {
  const reason = criterionReason(criterion);
  return { ...reason, code: 'equivalent', text: `No difference that matters was left possible. ${reason.text}` };
}

function harmReason(criterion: AssessedCriterion): Finding {
  const reason = criterionReason(criterion);
  return {
    ...reason,
    code: 'worse-than-control',
    text: `${criterion.entry.variant} is worse than the control in what ${criterion.entry.text} measures, and not by chance. ${reason.text}`,
  };
}

function sampleRatioReason(check: CheckEntry): Finding {
  return {
    code: 'sample-ratio-mismatch',
    text: `${check.text} Find out which units were lost or added, mend it, and start again.`,
    ...(check.numbers === undefined ? {} : { numbers: check.numbers }),
  };
}

function blockingReason({ code, check }: VerdictContext['blocking'][number]): Finding {
  return {
    code,
    text: `No ship while this does not hold: ${check.text}${check.fix === undefined ? '' : ` ${check.fix}`}`,
    ...(check.numbers === undefined ? {} : { numbers: check.numbers }),
  };
}

function earlyReason(check: CheckEntry): Finding {
  return { code: 'min-duration', text: check.text, ...(check.numbers === undefined ? {} : { numbers: check.numbers }) };
}

function overdueReason(over: NonNullable<VerdictContext['maxDuration']>): Finding {
  return {
    code: 'max-duration',
    text: `The experiment ran ${durationText(over.elapsedMs)}, its plan ends at ${durationText(over.maxDurationMs)}, and the primary criterion is still undecided: a difference that matters was not shown.`,
    numbers: { elapsedMs: over.elapsedMs, maxDurationMs: over.maxDurationMs },
  };
}

function recommend(kind: VerdictKind, value: ValueEntry, levels: VerdictContext['levels']): Recommendation {
  if (kind === 'roll-back') return 'reject';
  if (kind !== 'ship') return 'continue-testing';
  const net = value.net;
  // An interval that leaves noise out may not carry the strongest word.
  const isStrong =
    levels !== undefined &&
    'estimate' in net &&
    net.omits.length === 0 &&
    lowerEnd(decidingInterval(net)) > levels.strong;
  return isStrong ? 'strong-recommend' : 'recommend';
}

/** The interval that is valid the way the numbers are looked at; none where nothing is known at every look. */
function decidingInterval({ interval, sequential }: NetValue): Interval {
  if (sequential === undefined) return interval;
  return sequential.kind === 'insufficient' ? { kind: 'unbounded' } : sequential;
}

/** The customary rule: the point estimate of the net value against two levels, noise ignored. */
function pointRule(value: ValueEntry, levels: VerdictContext['levels']): Verdict['pointRule'] {
  const net = value.net;
  if (!('estimate' in net)) return net;
  if (levels === undefined) return insufficient('the experiment declares no levels');
  if (net.estimate > levels.strong) return 'strong-recommend';
  return net.estimate > levels.recommend ? 'recommend' : 'continue-testing';
}

/** Says where the customary rule and the verdict part; undefined where they agree or the rule has no answer. */
export function pointRuleFinding(verdict: BareVerdict, value: ValueEntry): Finding | undefined {
  if (typeof verdict.pointRule !== 'string' || verdict.pointRule === verdict.recommendation) return undefined;
  const net = 'estimate' in value.net ? value.net : undefined;
  const chance =
    net !== undefined && typeof net.probabilityAbove === 'number'
      ? `; the probability that it exceeds ${numberText(net.threshold)} is ${percentText(net.probabilityAbove, 0)}`
      : '';
  return {
    code: 'point-rule-differs',
    text: `The customary rule on point estimates says ${verdict.pointRule}, because it sees a net value of ${numberText(net?.estimate ?? 0)} and no noise${chance}. The verdict is ${verdict.kind}, the recommendation ${verdict.recommendation}.`,
    ...(net === undefined ? {} : { numbers: { net: net.estimate } }),
  };
}
