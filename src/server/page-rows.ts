// What does the page show of an experiment at a glance? Reads lists, health and formats off a report; it decides nothing anew.
import type {
  HealthItem,
  ListRow,
  ListVerdict,
  MetricFormat,
  OverviewAnswer,
  StepOffer,
  VerdictDisplay,
} from '../api/index.ts';
import type { ControlLogEntry, ExperimentState } from '../control/index.ts';
import { metricUnits, type Report, shareText, type Verdict } from '../decision/index.ts';
import { type Experiment, hasEnded, type TransitionName, transitions, transitionsFrom } from '../experiment/index.ts';

/** How a report's verdict looks at a glance; `no-verdict` without a report. */
export function displayOf(report: Report | undefined): VerdictDisplay {
  if (report === undefined) return 'no-verdict';
  const { kind } = report.verdict;
  if (kind !== 'keep-testing') return kind;
  const primary = report.criteria.filter(({ role }) => role === 'primary');
  const isBlind = primary.length > 0 && primary.every(({ estimate }) => typeof estimate !== 'number');
  return isBlind || report.variants.every(({ units }) => units === 0) ? 'not-enough-data' : kind;
}

/** One row of the list. */
export function listRow(
  state: ExperimentState,
  {
    standing,
    version,
    nowMs,
  }: {
    readonly standing: { readonly report: Report; readonly madeMs: number } | undefined;
    readonly version: number;
    readonly nowMs: number;
  },
): ListRow {
  const { experiment, startedAtMs, endedAtMs } = state;
  const report = standing?.report;
  const none = {
    kind: 'insufficient',
    reason: state.state === 'draft' ? 'it has not started' : 'its first report is being made',
  } as const;
  return {
    namespace: experiment.namespace,
    name: experiment.name,
    ...(experiment.hypothesis === '' ? {} : { hypothesis: experiment.hypothesis }),
    state: state.state,
    revision: state.revision,
    epoch: state.epoch,
    coverage: state.coverage,
    ...(startedAtMs === null ? {} : { startedAt: new Date(startedAtMs).toISOString() }),
    ...(endedAtMs === null ? {} : { endedAt: new Date(endedAtMs).toISOString() }),
    ...(startedAtMs === null ? {} : { ageMs: Math.max(0, Math.round((endedAtMs ?? nowMs) - startedAtMs)) }),
    control: experiment.control,
    split:
      report === undefined
        ? none
        : report.variants
            .map(({ name, units, share, expectedShare }) => ({
              variant: name,
              isControl: name === experiment.control,
              units,
              share,
              expectedShare,
            }))
            .toSorted((a, b) => Number(b.isControl) - Number(a.isControl)),
    verdict: report === undefined || state.state === 'draft' ? none : listVerdict(report),
    value: report === undefined ? none : listValue(report),
    health: report === undefined ? none : countHealth(healthItems(report)),
    ...(state.proposal === null ? {} : { proposal: proposalText(state.proposal) }),
    attention: attentionOf(state, report),
    ...(standing === undefined ? {} : { asOf: new Date(standing.madeMs).toISOString() }),
    version,
  };
}

function listVerdict(report: Report): ListVerdict {
  const { verdict } = report;
  return {
    kind: verdict.kind,
    display: displayOf(report),
    variant: verdict.variant,
    recommendation: verdict.recommendation,
    headline: verdict.headline,
    code: verdict.reasons[0]?.code ?? verdict.kind,
  };
}

/** Why effects are not told; undefined where they are. */
export function withheldBecause({ kind, reasons }: Verdict): string | undefined {
  const isBroken = kind === 'invalid' || reasons.some(({ code }) => code === 'sample-ratio-mismatch');
  return isBroken ? 'withheld: the split is broken' : undefined;
}

function listValue({ verdict, values, value }: Report): ListRow['value'] {
  const withheld = withheldBecause(verdict);
  if (withheld !== undefined) return { kind: 'insufficient', reason: withheld };
  const { net, unit, variant } = values.find((each) => each.variant === verdict.variant) ?? value;
  if (!('estimate' in net)) return net;
  const sequential =
    net.sequential !== undefined && net.sequential.kind !== 'insufficient' ? net.sequential : undefined;
  return {
    variant,
    unit,
    estimate: net.estimate,
    interval: sequential ?? net.interval,
    threshold: net.threshold,
    probabilityAbove: net.probabilityAbove,
  };
}

/** Titles of the checks, in the order in which they are read. A check that is not named here keeps its own name and comes last. */
const checkTitles: Readonly<Record<string, string>> = {
  sampleRatio: 'split',
  segmentRatio: 'split by segment',
  severalVariants: 'one variant per unit',
  outcomeJoin: 'outcomes joined',
  joinRates: 'joined alike',
  orphans: 'outcomes with a home',
  covariates: 'covariates',
  maturity: 'truth',
  minDuration: 'minimum duration',
  wholeWeeks: 'whole weeks',
  peeking: 'looks',
  fallback: 'fallback',
  gaps: 'no gaps',
  planUnchanged: 'plan unchanged',
  modelUsed: 'model as named',
  variantServed: 'variant as reported',
  uncleanShutdown: 'clean shutdowns',
  expired: 'evidence kept',
  allocations: 'allocations',
};

/** Checks that only time mends. */
const waitingChecks: readonly string[] = ['minDuration', 'wholeWeeks', 'maturity', 'peeking'];

/** The checks of a report in reading order. */
export function healthItems({ checks }: Report): readonly HealthItem[] {
  const order = Object.keys(checkTitles);
  const place = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length);
  return Object.entries(checks)
    .toSorted(([a], [b]) => place(a) - place(b))
    .map(([name, { ok, text, fix, blocks }]) => ({
      name,
      title: checkTitles[name] ?? name,
      state: ok
        ? 'ok'
        : waitingChecks.includes(name)
          ? 'waiting'
          : name === 'sampleRatio' || blocks === true
            ? 'veto'
            : 'warning',
      text,
      ...(fix === undefined ? {} : { fix }),
    }));
}

function countHealth(items: readonly HealthItem[]): { ok: number; total: number; vetoes: number } {
  const having = (state: HealthItem['state']): number => items.filter((each) => each.state === state).length;
  return { ok: having('ok'), total: items.length, vetoes: having('veto') };
}

/** 0 invalid, 1 breached, 2 decided but not acted on, 3 undecidable, 4 running, 5 paused, 6 draft, 7 done. */
function attentionOf({ state, proposal }: ExperimentState, report: Report | undefined): number {
  if (state === 'draft') return 6;
  if (hasEnded(state)) return 7;
  const kind = report?.verdict.kind;
  if (kind === 'invalid') return 0;
  if (kind === 'roll-back') return 1;
  if (kind === 'ship' || kind === 'no-difference' || proposal !== null) return 2;
  if (report?.verdict.reasons.some(({ code }) => code === 'max-duration')) return 3;
  return state === 'paused' ? 5 : 4;
}

/** How the metrics of an experiment are written and drawn. */
export function metricFormats(experiment: Experiment, report: Report): { readonly [metric: string]: MetricFormat } {
  return Object.fromEntries(report.metrics.map(({ name }) => [name, formatOf(experiment, { name, report })] as const));
}

function formatOf(
  experiment: Experiment,
  { name, report }: { readonly name: string; readonly report: Report },
): MetricFormat {
  const kind = unitKind(experiment, name);
  const criteria = report.criteria.filter(({ text }) => mentions(text, name));
  const better = criteria.map(({ text }) => directionOf(text)).find((direction) => direction !== 'unknown');
  return {
    kind,
    axis: kind === 'share' ? 'pp' : kind === 'milliseconds' ? 'ms' : name,
    better: better ?? 'unknown',
    limits: [
      ...new Map(
        criteria.flatMap(({ text, limit, role, aim }) =>
          typeof limit !== 'number'
            ? []
            : [
                [
                  text,
                  {
                    text,
                    on: aim === 'limit' || !text.includes('control.') ? 'level' : 'difference',
                    value: limit,
                    role,
                  },
                ] as const,
              ],
        ),
      ).values(),
    ],
  };
}

/** The page's word for a metric's unit. */
function unitKind(experiment: Experiment, name: string): MetricFormat['kind'] {
  const unit = metricUnits(experiment)[name] ?? 'number';
  return unit === 'ms' ? 'milliseconds' : unit;
}

function mentions(text: string, name: string): boolean {
  return new RegExp(`(^|[^\\w.])${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}($|[^\\w])`).test(text);
}

function directionOf(text: string): MetricFormat['better'] {
  if (/^abs|==/.test(text)) return 'unknown';
  return text.includes('>') ? 'higher' : text.includes('<') ? 'lower' : 'unknown';
}

type Proposal = NonNullable<ExperimentState['proposal']>;

/** What a proposed step is, in words that follow "to". */
export function proposalText(proposal: Proposal): string {
  return proposal.step === 'ramp' ? `ramp to ${shareText(proposal.coverage)} of units` : `promote ${proposal.variant}`;
}

/** The step that waits for approval, when and why it was proposed; undefined while none does. */
export function proposalEntry(
  { proposal }: ExperimentState,
  history: readonly ControlLogEntry[],
): OverviewAnswer['proposal'] {
  // State and history are read one after the other: a withdrawal in between is not why the step was proposed.
  const entry = history.findLast(({ event }) => event.kind === 'propose' && event.proposal !== null);
  if (proposal === null || entry === undefined) return undefined;
  const { timeMs, event } = entry;
  return { ...proposal, text: proposalText(proposal), at: new Date(timeMs).toISOString(), reason: event.reason };
}

/** Every step of the lifecycle, whether it may be taken now, and what it would do; the one that waits for approval first. */
export function stepOffers(state: ExperimentState, report: Report | undefined): readonly StepOffer[] {
  const allowed = transitionsFrom(state.state);
  const verdict = report?.verdict;
  const offer = (name: TransitionName): StepOffer => {
    const isAllowed = allowed.includes(name);
    const needed = transitions.find((each) => each.name === name)?.from ?? [];
    return {
      action: name,
      isAllowed,
      ...(isAllowed ? {} : { refusal: `it is ${state.state}; ${name} needs ${needed.join(' or ')}` }),
      effect: effectOf(name, state),
      agreement: agreementOf(name, verdict),
    };
  };
  const { proposal } = state;
  return [
    ...(proposal === null
      ? []
      : [{ ...offer(proposal.step), action: 'approve', effect: approvalEffect(proposal, state) } as const]),
    ...transitions.map(({ name }) => offer(name)),
  ];
}

function approvalEffect(proposal: Proposal, { coverage }: ExperimentState): string {
  return proposal.step === 'ramp'
    ? `${shareText(proposal.coverage)} of units take part from then on, now ${shareText(coverage)}; nobody who is in changes.`
    : `Ends the test; within a second ${proposal.variant} answers everybody.`;
}

function effectOf(step: TransitionName, { experiment, coverage, allocation, split }: ExperimentState): string {
  const { control } = experiment;
  const total = experiment.variants.reduce((sum, { weight }) => sum + weight, 0);
  const others = experiment.variants
    .filter(({ name, weight }) => name !== control && weight > 0)
    .map(({ name, weight }) => `${shareText((weight / total) * coverage)} of units ${name}`)
    .join(', ');
  const now = allocation.kind === 'fixed' || split.length > 0 ? others : 'no units';
  switch (step) {
    case 'start':
    case 'resume':
      return `Within a second ${others} answers; ${control} answers the rest.`;
    case 'pause':
      return `Within a second ${control} answers everybody; every unit gets its variant back on resume. Now: ${now}.`;
    case 'ramp':
      return `Changes the share of units that take part, now ${shareText(coverage)}.`;
    case 'promote':
      return `Ends the test; within a second the promoted variant answers everybody.`;
    case 'roll-back':
      return `Ends the test; within a second ${control} answers everybody. Now: ${now}.`;
    case 'stop':
      return `Ends the test without a winner; within a second ${control} answers everybody.`;
  }
}

function agreementOf(step: TransitionName, verdict: Verdict | undefined): StepOffer['agreement'] {
  if (step === 'promote') return verdict?.kind === 'ship' ? 'with' : 'against';
  if (step === 'roll-back')
    return verdict?.kind === 'roll-back' ? 'with' : verdict?.kind === 'ship' ? 'against' : 'neutral';
  if (step === 'ramp' || step === 'start' || step === 'resume')
    return verdict?.kind === 'roll-back' || (step === 'ramp' && verdict?.kind === 'invalid') ? 'against' : 'neutral';
  return 'neutral';
}
