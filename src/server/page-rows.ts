// What does the page show of an experiment at a glance? Reads lists, health and formats off a report; it decides nothing anew.
import type { HealthItem, ListRow, ListVerdict, MetricFormat, StepOffer, VerdictDisplay } from '../api/index.ts';
import type { ExperimentState } from '../control/index.ts';
import { type Report, shareText, type Verdict } from '../decision/index.ts';
import { type Experiment, hasEnded, type TransitionName, transitions, transitionsFrom } from '../experiment/index.ts';
import { checkTypes, parseExpression } from '../expression/index.ts';

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

function listValue({ verdict, values, value }: Report): ListRow['value'] {
  const broken = verdict.reasons.find(({ code }) => code === 'sample-ratio-mismatch');
  if (verdict.kind === 'invalid' || broken !== undefined)
    return { kind: 'insufficient', reason: 'withheld: the split is broken' };
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
function attentionOf({ state }: ExperimentState, report: Report | undefined): number {
  if (state === 'draft') return 6;
  if (hasEnded(state)) return 7;
  const kind = report?.verdict.kind;
  if (kind === 'invalid') return 0;
  if (kind === 'roll-back') return 1;
  if (kind === 'ship' || kind === 'no-difference') return 2;
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

const times: readonly string[] = ['attempt_ms', 'caller_ms'];
const flags: readonly string[] = ['failed', 'caller_failed', 'fallback'];

/** Yes-or-no questions are shares, the built-in times milliseconds; of all else nothing is known. */
function unitKind({ metrics }: Experiment, name: string): MetricFormat['kind'] {
  const { definition } = metrics.find((each) => each.name === name) ?? {};
  switch (definition?.kind) {
    case 'proportion':
    case 'retention':
    case 'hit_rate':
      return 'share';
    case 'mean':
    case 'quantile':
    case 'rmse':
    case 'mae':
      return kindOfExpression(definition.expression.trim());
    default:
      return 'number';
  }
}

function kindOfExpression(expression: string): MetricFormat['kind'] {
  if (times.includes(expression)) return 'milliseconds';
  if (flags.includes(expression)) return 'share';
  const parsed = parseExpression(expression);
  if (parsed.kind !== 'parsed') return 'number';
  const checked = checkTypes(parsed.expression, () => 'any');
  return checked.kind === 'typed' && checked.type === 'boolean' ? 'share' : 'number';
}

function mentions(text: string, name: string): boolean {
  return new RegExp(`(^|[^\\w.])${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}($|[^\\w])`).test(text);
}

function directionOf(text: string): MetricFormat['better'] {
  if (/^abs|==/.test(text)) return 'unknown';
  return text.includes('>') ? 'higher' : text.includes('<') ? 'lower' : 'unknown';
}

/** Every step of the lifecycle, whether it may be taken now, and what it would do. */
export function stepOffers(state: ExperimentState, report: Report | undefined): readonly StepOffer[] {
  const allowed = transitionsFrom(state.state);
  const verdict = report?.verdict;
  return transitions.map(({ name, from }) => {
    const isAllowed = allowed.includes(name);
    return {
      action: name,
      isAllowed,
      ...(isAllowed ? {} : { refusal: `it is ${state.state}; ${name} needs ${from.join(' or ')}` }),
      effect: effectOf(name, state),
      agreement: agreementOf(name, verdict),
    };
  });
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
