// What is the effect? Every metric of every candidate with its interval in digits and drawn to one scale per unit.
import { Fragment, type JSX, lazy, Suspense, useMemo } from 'react';
import { boundsText, differenceText, type FigureUnit, relativeText } from '../../../src/decision/index.ts';
import type { Insufficient, Interval } from '../../../src/stats/index.ts';
import { AxisCell, IntervalCell } from '../parts/interval-cell.tsx';
import { Switch } from '../parts/switch.tsx';
import { Value } from '../parts/value.tsx';
import { VariantName } from '../parts/variant-mark.tsx';
import { saveCsv } from '../save-file.ts';
import { atPointer, valueText } from '../value-text.ts';
import { levelOf, useExperiment, useVariantPlace } from './experiment-context.tsx';
import { FindingList } from './finding-list.tsx';
import { groupRows, isFixedHorizonReached, type MetricGroup, type MetricRow, metricRows } from './metric-rows.ts';
import { Section } from './section.tsx';

const MetricDrawer = lazy(() => import('./metric-drawer.tsx'));

const methodWords = { sequential: 'Sequential', fixed: 'One look', bayes: 'Bayesian' } as const;
const rowWords = { all: 'All', primary: 'Primary', guardrail: 'Guardrails' } as const;
const stateOfOutcome = { met: 'better', 'not-met': 'worse', undecided: 'undecided' } as const;
const stateWords = { better: 'better', worse: 'worse', undecided: 'undecided' } as const;

/** The metric table. */
export function MetricsSection(): JSX.Element {
  const { answer, view, setView, isWithheld, isMarkedInvalid } = useExperiment();
  const rows = useMemo(() => metricRows(answer, { view }), [answer, view]);
  const groups = useMemo(() => groupRows(rows, view.view), [rows, view.view]);
  const isEarly = view.method === 'fixed' && !isFixedHorizonReached(answer);
  const open = rows.find(({ metric }) => metric.name === view.metric);
  return (
    <Section
      id="metrics"
      title="Metrics against the control"
      beside={
        <>
          <Switch
            label="Form"
            value={view.view}
            words={{ absolute: 'Absolute', relative: 'Relative' }}
            onChange={(next) => setView({ view: next })}
          />
          <Switch
            label="Method"
            value={view.method}
            words={methodWords}
            onChange={(next) => setView({ method: next })}
          />
          <Switch label="Rows" value={view.rows} words={rowWords} onChange={(next) => setView({ rows: next })} />
          <button type="button" onClick={() => exportRows()}>
            CSV
          </button>
        </>
      }
    >
      {view.method === 'fixed' && (
        <p className="small quiet">
          {isEarly
            ? 'One look at the end: these intervals hold only for whoever looks once. Shown in grey, without a decision, because this experiment is watched; the verdict does not use them.'
            : 'One look at the end, as planned.'}
        </p>
      )}
      {view.method === 'bayes' && (
        <p className="small quiet">
          Credible intervals under a flat prior, beside P(higher). The verdict does not use them.
        </p>
      )}
      {isMarkedInvalid && !isWithheld && (
        <p>
          <span className="chip invalid">INVALID</span> The split is broken: none of these differences is a conclusion.
        </p>
      )}
      <div className="scroll">
        <table className="cards metrics">
          <thead>
            <tr>
              <th scope="col">Metric</th>
              <th scope="col">Control</th>
              <th scope="col">Candidate</th>
              <th scope="col">
                Difference ({levelOf(answer)}
                {isEarly && ', one look only'})
              </th>
              <th scope="col">
                <span className="spoken">Picture of the difference</span>
              </th>
              <th scope="col">Units</th>
              <th scope="col">Says</th>
            </tr>
          </thead>
          <tbody>
            {groups.map((group) => (
              <Fragment key={group.axisName}>
                <GroupHead group={group} isWithheld={isWithheld} />
                {group.rows.map((row) => (
                  <Row key={`${row.metric.name}/${row.variant}`} row={row} group={group} isEarly={isEarly} />
                ))}
              </Fragment>
            ))}
          </tbody>
        </table>
      </div>
      <FindingList of="metrics" />
      {rows.length === 0 && <p className="quiet">No metric of this role.</p>}
      <Suspense>
        {open !== undefined && <MetricDrawer row={open} onClose={() => setView({ metric: undefined })} />}
      </Suspense>
    </Section>
  );

  function exportRows(): void {
    const marks = [isMarkedInvalid ? 'INVALID' : '', isEarly ? 'looked_early=true' : ''].filter((mark) => mark !== '');
    saveCsv(`${answer.report.experiment}-metrics`, [
      [
        'metric',
        'role',
        'variant',
        'method',
        'control',
        'candidate',
        'difference',
        'lower',
        'upper',
        'relative',
        'relative_lower',
        'relative_upper',
        'units',
        'as_of',
        'digest',
        'marks',
      ],
      ...rows.map((row) => {
        const [control, candidate] = [
          row.metric.variants.find(({ variant }) => variant === answer.report.control),
          row.metric.variants.find(({ variant }) => variant === row.variant),
        ];
        const relative = atPointer(answer, row.relativePath) as Interval | Insufficient | undefined;
        const share = relative?.kind === 'bounded' && !isWithheld ? relative : undefined;
        const bounds = row.interval?.kind === 'bounded' && !isWithheld ? row.interval : undefined;
        return [
          row.metric.name,
          row.metric.role,
          row.variant,
          view.method,
          numberOf(control?.estimate),
          numberOf(candidate?.estimate),
          isWithheld ? 'withheld' : row.difference?.absolute,
          bounds?.lower,
          bounds?.upper,
          isWithheld || row.difference === undefined ? undefined : numberOf(row.difference.relative),
          share?.lower,
          share?.upper,
          candidate?.n,
          answer.asOf,
          answer.digest,
          marks.join(' '),
        ];
      }),
    ]);
  }
}

const numberOf = (value: number | { readonly reason: string } | undefined): number | string | undefined =>
  typeof value === 'object' ? value.reason : value;

function GroupHead({ group, isWithheld }: { readonly group: MetricGroup; readonly isWithheld: boolean }): JSX.Element {
  const { view } = useExperiment();
  const { unit } = group.rows[0]!;
  const text = (tick: number): string =>
    view.view === 'relative'
      ? relativeText(tick).replace(/\srel\.$/, '')
      : differenceText(tick, { unit }).replace(/\.0+(?=\D|$)/, '');
  return (
    <tr className="group-head">
      <td colSpan={4} className="small quiet">
        {group.axisName}
      </td>
      <td className="picture">{!isWithheld && <AxisCell axis={group.axis} text={text} />}</td>
      <td colSpan={2} />
    </tr>
  );
}

function Row(props: { readonly row: MetricRow; readonly group: MetricGroup; readonly isEarly: boolean }): JSX.Element {
  const { row, group, isEarly } = props;
  const { isWithheld, view, setView } = useExperiment();
  const placeOf = useVariantPlace();
  const { metric, unit, variant, drawn, state, format } = row;
  return (
    <tr data-metric={metric.name} data-variant={variant} data-state={isWithheld ? 'withheld' : state}>
      <th scope="row" className="wide">
        <button type="button" className="bare" onClick={() => setView({ metric: metric.name })} aria-haspopup="dialog">
          {metric.name}
        </button>
        <div className="small quiet">
          {metric.role} · <VariantName name={variant} place={placeOf(variant)} />
        </div>
      </th>
      <td data-label="Control">
        <Value path={`${row.controlPath}/estimate`} as="level" unit={unit} interval={`${row.controlPath}/interval`} />
      </td>
      <td data-label="Candidate">
        <Value
          path={`${row.candidatePath}/estimate`}
          as="level"
          unit={unit}
          interval={`${row.candidatePath}/interval`}
        />
      </td>
      {isWithheld ? (
        <td colSpan={2} className="wide">
          <span className="withheld">withheld: the split is broken</span>
        </td>
      ) : (
        <>
          <td className="effect-text wide" data-label="Difference">
            <Effect row={row} isRelative={view.view === 'relative'} isEarly={isEarly} />
          </td>
          <td className="picture wide">
            {drawn !== undefined && (
              <IntervalCell
                axis={group.axis}
                {...drawn}
                state={state}
                place={placeOf(variant)}
                limits={row.limits}
                label={`${metric.name} of ${variant}: ${effectText(drawn, { unit, isRelative: view.view === 'relative' })}`}
              />
            )}
          </td>
        </>
      )}
      <td data-label="Units">
        <Value path={`${row.candidatePath}/n`} as="count" />
      </td>
      <td data-label="Says" className="small">
        {isWithheld ? (
          <span className="quiet">withheld</span>
        ) : row.criteria.length > 0 ? (
          row.criteria.map(({ text, outcome }) => (
            <div key={text} className={isEarly ? 'undecided' : stateOfOutcome[outcome]}>
              <code>{text}</code> {outcome === 'met' ? 'met' : outcome === 'not-met' ? 'not met' : 'open'}
            </div>
          ))
        ) : (
          <span className={state}>
            {stateWords[state]}
            {format?.better === 'unknown' && <span className="quiet"> (no direction declared)</span>}
          </span>
        )}
      </td>
    </tr>
  );
}

function effectText(
  { estimate, interval }: NonNullable<MetricRow['drawn']>,
  { unit, isRelative }: { readonly unit: FigureUnit; readonly isRelative: boolean },
): string {
  const effect = isRelative ? relativeText(estimate) : differenceText(estimate, { unit, interval });
  if (interval === undefined || interval.kind === 'insufficient') return effect;
  return `${effect} (${boundsText(interval, { unit: isRelative ? 'share' : unit })})`;
}

function Effect(props: {
  readonly row: MetricRow;
  readonly isRelative: boolean;
  readonly isEarly: boolean;
}): JSX.Element {
  const { row, isRelative, isEarly } = props;
  const { differencePath, intervalPath, relativePath, unit, difference } = row;
  const { answer, view } = useExperiment();
  const interval = isRelative ? row.drawn?.interval : row.interval;
  if (difference === undefined) return <Value path={differencePath} as="difference" unit={unit} />;
  return (
    <>
      <span className={isEarly ? 'undecided' : row.state}>
        {isRelative ? (
          <Value path={`${differencePath}/relative`} as="relative" interval={relativePath} />
        ) : (
          <Value path={`${differencePath}/absolute`} as="difference" unit={unit} interval={intervalPath} />
        )}
      </span>{' '}
      {interval === undefined || interval.kind === 'insufficient' ? (
        // Without a share of the control the reason stands there already.
        typeof difference.relative === 'number' || !isRelative ? (
          <span className="small quiet">{interval?.reason ?? 'no interval by this method'}</span>
        ) : null
      ) : (
        <span className="nowrap">
          (<Value path={isRelative ? relativePath : intervalPath} as="bounds" unit={isRelative ? 'share' : unit} />)
        </span>
      )}
      {view.method === 'sequential' && (
        // Its line is there before it.
        <div className="small quiet p-line">
          {hasNumber(answer, `${differencePath}/sequential/pValue`) && (
            <>
              at every look: <Value path={`${differencePath}/sequential/pValue`} as="p" />
            </>
          )}
        </div>
      )}
      {view.method === 'fixed' && !isEarly && (
        <div className="small quiet">
          <Value path={`${differencePath}/pValue`} as="p" />
        </div>
      )}
      {view.method === 'bayes' && (
        <div className="small quiet">
          P(higher) <Value path={`${differencePath}/bayes/probabilityHigher`} as="probability" />
        </div>
      )}
    </>
  );
}

function hasNumber(answer: unknown, path: string): boolean {
  return valueText(answer, { path, as: 'p' }).kind === 'shown';
}
