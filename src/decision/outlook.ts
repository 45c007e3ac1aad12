// What would make the verdict another one, and when will it be one that lasts?
import { insufficient } from './absent.ts';
import type { AssessedCriterion } from './criteria.ts';
import { intervalText, numberText } from './number-text.ts';
import type { Finding, Outlook, ValueEntry, VerdictKind } from './report.ts';

/** What the outlook is read off. */
export interface OutlookInput {
  readonly kind: VerdictKind;
  readonly criteria: readonly AssessedCriterion[];
  /** Units of all variants expected per day; undefined where it is not known. */
  readonly unitsPerDay: number | undefined;
  /** Sentences of the checks that stand in the way. */
  readonly obstacles: readonly string[];
}

/** The outlook of one candidate's verdict. */
export function outlookOf({ kind, criteria, unitsPerDay, obstacles }: OutlookInput): Outlook {
  const primary = criteria.filter(({ entry }) => entry.role === 'primary');
  const guardrails = criteria.filter(({ entry }) => entry.role === 'guardrail');
  const needed = primary.flatMap(({ unitsNeeded }) => unitsNeeded ?? []);
  const units = Math.max(...needed.map((each) => each.withPower80 ?? each.atEstimate));
  const decidedAt: Outlook['decidedAt'] =
    kind !== 'keep-testing'
      ? insufficient('it is decided')
      : needed.length === 0
        ? insufficient('no primary criterion has an estimate and a spread from which it could be told')
        : {
            units,
            ...(unitsPerDay === undefined || unitsPerDay <= 0 ? {} : { days: units / unitsPerDay }),
          };
  return {
    wouldChange: changesOf(kind, { primary, guardrails, obstacles }),
    changes: [...primary, ...guardrails].map(({ entry, unitsNeeded }) => {
      const at = unitsNeeded?.withPower80 ?? unitsNeeded?.atEstimate;
      return {
        criterion: entry.text,
        now: entry.outcome,
        probability: entry.probability,
        limit: entry.limit,
        interval: entry.interval,
        ...(at === undefined ? {} : { units: at }),
        ...(at === undefined || unitsPerDay === undefined || unitsPerDay <= 0 ? {} : { days: at / unitsPerDay }),
      };
    }),
    decidedAt,
  };
}

function changesOf(
  kind: VerdictKind,
  {
    primary,
    guardrails,
    obstacles,
  }: {
    readonly primary: readonly AssessedCriterion[];
    readonly guardrails: readonly AssessedCriterion[];
    readonly obstacles: readonly string[];
  },
): readonly string[] {
  const broken = guardrails.filter(({ entry }) => entry.outcome === 'not-met');
  switch (kind) {
    case 'invalid':
      return ['A split that is as declared: mend what loses or adds units, and start anew.'];
    case 'roll-back':
      return broken.length > 0
        ? [`Nothing in this experiment: ${texts(broken)} is broken. A mended candidate is a new experiment.`]
        : ['Nothing in this experiment: the candidate is worse. A better candidate is a new experiment.'];
    case 'no-difference':
      return ['A candidate with a larger effect, or a smaller limit declared before a new start.'];
    case 'ship':
      return [
        ...primary.map(({ entry }) => `${entry.text} losing its interval${wholeText(entry)} on the right side.`),
        ...(guardrails.length === 0 ? [] : [`A breach of ${texts(guardrails)}.`]),
      ];
    case 'keep-testing': {
      const open = primary.filter(({ entry }) => entry.outcome !== 'met');
      return [
        ...obstacles,
        ...open.map(
          ({ entry }) => `${entry.text} with its whole interval${wholeText(entry)} on one side of ${limitText(entry)}.`,
        ),
        ...(guardrails.length === 0 ? [] : [`A breach of ${texts(guardrails)}.`]),
      ];
    }
  }
}

const texts = (criteria: readonly AssessedCriterion[]): string => criteria.map(({ entry }) => entry.text).join(' or ');

const limitText = ({ limit, aim }: AssessedCriterion['entry']): string =>
  typeof limit !== 'number' ? 'its limit' : `${aim === 'equivalence' ? '+-' : ''}${numberText(limit)}`;

const wholeText = ({ interval }: AssessedCriterion['entry']): string =>
  interval.kind === 'insufficient' ? '' : ` (now ${intervalText(interval)})`;

/** Which of two models without a difference that matters is the cheaper one, as far as the value model knows. */
export function cheaperReason(variant: string, value: ValueEntry): Finding {
  const { net } = value;
  if (!('estimate' in net)) {
    return {
      code: 'choose-cheaper',
      text: 'Choose the model that costs less to run; the experiment declares no value model that would say which.',
    };
  }
  return {
    code: 'choose-cheaper',
    text: `Choose the cheaper model: by the value model ${net.estimate > 0 ? variant : 'the control'} is, with a net value of ${numberText(net.estimate)} ${value.unit} for ${variant} (${intervalText(net.interval)}).`,
    numbers: { net: net.estimate },
  };
}
