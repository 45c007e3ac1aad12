// How is the verdict said in one sentence? The same words for page, terminal, JSON, webhook and CI.
import type { Metric } from '../experiment/index.ts';
import type { AssessedCriterion } from './criteria.ts';
import { criterionNames } from './criterion-form.ts';
import { boundsText, countText, differenceText, type FigureUnit, levelText, probabilityText } from './figure-text.ts';
import { durationText } from './number-text.ts';
import type { Report, Verdict } from './report.ts';
import type { BareVerdict, VerdictCase } from './verdict.ts';

/** What the sentence is made of. */
export interface HeadlineInput {
  readonly verdict: BareVerdict;
  readonly checks: Report['checks'];
  /** The candidate the verdict speaks of. */
  readonly spoken: VerdictCase;
  readonly metrics: readonly Metric[];
  /** Names of the metrics that are shares of units or of rows. */
  readonly shares: ReadonlySet<string>;
}

/** The verdict in words: what was found, at most two reasons, at most one reservation, and what to do. */
export type VerdictWords = Pick<Verdict, 'headline' | 'because' | 'but' | 'next'>;

/** Says the verdict. */
export function sayVerdict(input: HeadlineInput): VerdictWords {
  const { verdict, checks, spoken } = input;
  const of = (role: AssessedCriterion['entry']['role']): readonly AssessedCriterion[] =>
    spoken.criteria.filter(({ entry }) => entry.role === role);
  const say = (criterion: AssessedCriterion): string => criterionPhrase(criterion, input);
  const primary = of('primary');
  const guardrails = of('guardrail');
  const held = guardrails.filter(({ entry }) => entry.outcome === 'met');
  const broken = guardrails.filter(({ entry }) => entry.outcome === 'not-met');
  const missedToo = of('secondary').filter(({ entry }) => entry.outcome !== 'met');
  const holding = guardrails.length > 0 && held.length === guardrails.length ? [holdText(guardrails.length)] : [];
  switch (verdict.kind) {
    case 'ship':
      return {
        headline: `${verdict.variant} meets ${listText(primary.map(({ entry }) => entry.text))}.`,
        because: [...primary.map(say), ...holding].slice(0, 2),
        ...(missedToo[0] === undefined ? {} : { but: say(missedToo[0]) }),
        next: 'Promote it, or let the ramp go on.',
      };
    case 'roll-back': {
      const [worst, ...rest] = broken.length > 0 ? broken : primary.filter(({ harmful }) => harmful);
      const what = worst === undefined ? '' : worst.entry.text;
      return {
        headline:
          broken.length > 0
            ? `${verdict.variant} breaks the guardrail ${what}.`
            : `${verdict.variant} is worse than the control in what ${what} measures.`,
        because: [worst, ...rest].flatMap((each) => (each === undefined ? [] : say(each))).slice(0, 2),
        ...(checks.sampleRatio.ok ? {} : { but: checks.sampleRatio.text }),
        next: 'Let the control answer, read what failed; a mended candidate is a new experiment.',
      };
    }
    case 'invalid':
      return {
        headline: 'The split is broken, so no conclusion holds.',
        because: [checks.sampleRatio.text],
        next: checks.sampleRatio.fix ?? 'Find out which units were lost or added, mend it, and start again.',
      };
    case 'no-difference': {
      const missed = primary.filter(({ entry }) => entry.outcome === 'not-met');
      const [first] = [...missed, ...primary];
      const isEquivalent = primary.length > 0 && primary.every(({ entry }) => entry.outcome === 'met');
      return {
        headline: isEquivalent
          ? `${verdict.variant} and the control do not differ by what matters.`
          : missed.length > 0
            ? `${verdict.variant} does not reach ${first?.entry.text ?? 'what was asked'}.`
            : `The plan is over, and ${first?.entry.text ?? 'a difference'} was not shown for ${verdict.variant}.`,
        because: (missed.length > 0 ? missed : primary).map(say).slice(0, 2),
        next: verdict.reasons.find(({ code }) => code === 'choose-cheaper')?.text ?? 'Choose the cheaper model.',
      };
    }
    case 'keep-testing':
      return keepTesting(input, { primary, say });
  }
}

function keepTesting(
  { verdict, checks, spoken }: HeadlineInput,
  {
    primary,
    say,
  }: { readonly primary: readonly AssessedCriterion[]; readonly say: (criterion: AssessedCriterion) => string },
): VerdictWords {
  const open = primary.filter(({ entry }) => entry.outcome !== 'met');
  const isBlind = open.length > 0 && open.every(({ entry }) => entry.interval.kind === 'insufficient');
  const blocked = Object.values(checks).find(({ ok, blocks }) => !ok && blocks === true);
  const early = checks.minDuration;
  const carrier = carrierText(spoken);
  const headline = isBlind
    ? `Not enough is known of ${verdict.variant} yet.`
    : open.length > 0
      ? `${verdict.variant} is not yet shown to meet ${listText(open.map(({ entry }) => entry.text))}.`
      : `${verdict.variant} meets what was asked, but may not ship yet.`;
  return {
    headline,
    because: [...open.map(say), ...(carrier === undefined ? [] : [carrier])].slice(0, 2),
    ...(blocked !== undefined ? { but: blocked.text } : early?.ok === false ? { but: early.text } : {}),
    next: waitText(verdict, early),
  };
}

/** Which term of the value carries most of what is not known. */
function carrierText({ value }: VerdictCase): string | undefined {
  const [largest] = value.terms
    .flatMap(({ name, varianceShare }) => (typeof varianceShare === 'number' ? [{ name, varianceShare }] : []))
    .sort((left, right) => right.varianceShare - left.varianceShare);
  return largest === undefined || value.terms.length < 2 || largest.varianceShare < 0.6
    ? undefined
    : `${Math.round(100 * largest.varianceShare)} % of the uncertainty of the net value comes from ${largest.name}.`;
}

function waitText({ outlook }: BareVerdict, early: Report['checks'][string] | undefined): string {
  const at = outlook?.decidedAt;
  if (at === undefined || 'kind' in at) {
    return early?.ok === false ? 'Wait for the end of the planned duration.' : 'Let it run; more units will help.';
  }
  const days = at.days === undefined ? '' : `, ${durationText(at.days * 86_400_000)} after the start at this traffic`;
  return `Let it run: a decision is expected at about ${countText(Math.ceil(at.units))} units${days}.`;
}

const holdText = (count: number): string => (count === 1 ? 'Its guardrail holds.' : `All ${count} guardrails hold.`);

function listText(texts: readonly string[]): string {
  return texts.length < 2 ? (texts[0] ?? 'what was asked') : `${texts.slice(0, -1).join(', ')} and ${texts.at(-1)}`;
}

/** `net_value > 2: +3.9 points (95 %: -4.6 … +12.4), probability 0.67.` */
function criterionPhrase({ entry, level }: AssessedCriterion, input: HeadlineInput): string {
  const { text, estimate, interval, probability, aim } = entry;
  if (typeof estimate !== 'number') return `${text}: ${estimate.reason}.`;
  const unit = unitOf(text, input);
  const isLevel = aim === 'limit' && !criterionNames(text).includes('net_value');
  const figure = (isLevel ? levelText : differenceText)(estimate, { unit, interval });
  const bounds =
    interval.kind === 'insufficient'
      ? `no interval: ${interval.reason}`
      : `${Math.round(1000 * level) / 10} %: ${boundsText(interval, { unit, isLevel })}`;
  const chance = typeof probability === 'number' ? `, probability ${probabilityText(probability)}` : '';
  return `${text}: ${figure} (${bounds})${chance}.`;
}

/** The unit that all metrics of a criterion share; plain numbers where they have none. */
function unitOf(text: string, { spoken, metrics, shares }: HeadlineInput): FigureUnit {
  const names = criterionNames(text);
  if (names.includes('net_value')) return spoken.value.unit;
  if (names.every((name) => shares.has(name))) return 'share';
  const isTime = (name: string): boolean => {
    const definition = metrics.find((metric) => metric.name === name)?.definition;
    return definition !== undefined && 'expression' in definition && /^\w+_ms$/.test(definition.expression.trim());
  };
  return names.length > 0 && names.every(isTime) ? 'ms' : 'number';
}
