// What is it worth? The terms that add up, how sure the sum is, and which term carries the doubt.
import { Fragment, type JSX } from 'react';
import type { OverviewAnswer } from '../../../src/api/index.ts';
import { levelText } from '../../../src/decision/index.ts';
import type { Insufficient, Interval } from '../../../src/stats/index.ts';
import { effectState } from '../effect-state.ts';
import { axisOf, type IntervalAxis, placeOn } from '../interval-axis.ts';
import { AxisCell, IntervalCell } from '../parts/interval-cell.tsx';
import { ScrollBox } from '../parts/scroll-box.tsx';
import { Value } from '../parts/value.tsx';
import { VariantName } from '../parts/variant-mark.tsx';
import { saveCsv } from '../save-file.ts';
import { atPointer } from '../value-text.ts';
import { levelOf, useExperiment, useVariantPlace } from './experiment-context.tsx';
import { FindingList } from './finding-list.tsx';
import { MoneyPanel } from './money-panel.tsx';
import { Section } from './section.tsx';

type PageValue = OverviewAnswer['values'][number];

/** The value of every candidate. */
export function ValueSection(): JSX.Element {
  const { answer, isWithheld } = useExperiment();
  const hasModel = answer.experiment.specification.value !== undefined;
  return (
    <Section
      id="value"
      title="Value"
      beside={
        hasModel &&
        !isWithheld && (
          <button type="button" onClick={() => exportValue(answer.report.experiment, answer.values)}>
            CSV
          </button>
        )
      }
    >
      {!hasModel && (
        <p className="quiet">
          The file has no value model. <code>spec.value</code> turns differences into money or points.
        </p>
      )}
      {hasModel && isWithheld && <span className="withheld">withheld: the split is broken</span>}
      {hasModel &&
        !isWithheld &&
        answer.values.map((value, at) => (
          <Fragment key={value.variant}>
            <ValuePanel value={value} path={`/values/${at}`} />
            {value.money !== undefined && <MoneyPanel money={value.money} path={`/values/${at}/money`} />}
          </Fragment>
        ))}
      {hasModel && <FindingList of="value" />}
    </Section>
  );
}

function ValuePanel({ value, path }: { readonly value: PageValue; readonly path: string }): JSX.Element {
  const { answer } = useExperiment();
  const placeOf = useVariantPlace();
  const { net, terms, unit } = value;
  if ('kind' in net)
    return (
      <p className="quiet">
        <VariantName name={value.variant} place={placeOf(value.variant)} />: {net.reason}
      </p>
    );
  const hasSequential = hasWatched(net);
  const netInterval = `${path}/net/${hasSequential ? 'sequential' : 'interval'}`;
  const interval = atPointer(answer, netInterval) as Interval;
  let sum = 0;
  const bars = terms.map(({ estimate }) => {
    const from = sum;
    if (typeof estimate === 'number') sum += estimate;
    return [from, sum] as const;
  });
  const barAxis = axisOf([...bars.flat(), net.estimate].map((estimate) => ({ estimate })));
  const sureAxis = axisOf(
    [
      ...terms.flatMap(({ estimate, interval: own }) =>
        typeof estimate === 'number' ? [{ estimate, interval: own }] : [],
      ),
      { estimate: net.estimate, interval },
    ],
    [net.threshold],
  );
  const tick = (number: number): string => levelText(number, { unit: 'number' }).replace(/\.0+$/, '');
  return (
    <div className="two">
      <ScrollBox className="scroll" label={`Terms of the net value of ${value.variant}`}>
        <table className="value" data-variant={value.variant}>
          <caption className="spoken">Terms of the net value of {value.variant}</caption>
          <thead>
            <tr>
              <th scope="col">
                <VariantName name={value.variant} place={placeOf(value.variant)} />, {unit}
              </th>
              <th scope="col" className="picture">
                Adds up
                <AxisCell axis={barAxis} text={tick} />
              </th>
              <th scope="col" className="number">
                Estimate
              </th>
              <th scope="col" className="picture">
                How sure ({levelOf(answer)})
                <AxisCell axis={sureAxis} text={tick} />
              </th>
              <th scope="col" className="number">
                Share of variance
              </th>
            </tr>
          </thead>
          <tbody>
            {terms.map((term, at) => {
              const termPath = `${path}/terms/${at}`;
              return (
                <tr key={term.name} data-term={term.name}>
                  <th scope="row">
                    {term.name.replaceAll('_', ' ')} <span className="quiet small">{term.metric}</span>
                  </th>
                  <td className="picture">
                    {typeof term.estimate === 'number' && <Bar axis={barAxis} ends={bars[at]!} />}
                  </td>
                  <td className="number">
                    <Value path={`${termPath}/estimate`} as="difference" interval={`${termPath}/interval`} />
                    {typeof term.estimate === 'number' && (
                      <div className="small quiet">
                        <Value path={`${termPath}/interval`} as="bounds" />
                      </div>
                    )}
                  </td>
                  <td className="picture">
                    {typeof term.estimate === 'number' && (
                      <IntervalCell
                        axis={sureAxis}
                        estimate={term.estimate}
                        interval={term.interval}
                        state="undecided"
                        place={placeOf(value.variant)}
                        label={`${term.name}, from zero`}
                      />
                    )}
                  </td>
                  <td className="number">
                    <Value path={`${termPath}/varianceShare`} as="share" />
                  </td>
                </tr>
              );
            })}
            <tr data-term="net">
              <th scope="row">
                <strong>net</strong>
              </th>
              <td className="picture">
                <Bar axis={barAxis} ends={[0, net.estimate]} isSum />
              </td>
              <td className="number">
                <strong>
                  <Value path={`${path}/net/estimate`} as="difference" interval={netInterval} />
                </strong>
              </td>
              <td className="picture">
                <IntervalCell
                  axis={sureAxis}
                  estimate={net.estimate}
                  interval={interval}
                  state={effectState({ interval, criteria: netCriteria(answer, value.variant), better: 'higher' })}
                  place={placeOf(value.variant)}
                  limits={[net.threshold]}
                  label="net value and the threshold"
                />
              </td>
              <td className="number" />
            </tr>
          </tbody>
        </table>
      </ScrollBox>
      <dl className="pair">
        <dt>Net value</dt>
        <dd>
          <strong>
            <Value path={`${path}/net/estimate`} as="difference" unit={unit} interval={netInterval} />
          </strong>{' '}
          <span className="nowrap">
            (<Value path={netInterval} as="bounds" />)
          </span>
          <div className="small quiet">{hasSequential ? 'valid at every look' : 'one look at the end'}</div>
        </dd>
        <dt>
          P(net &gt; <Value path={`${path}/net/threshold`} as="level" />)
        </dt>
        <dd>
          <Value path={`${path}/net/probabilityAbove`} as="probability" />
        </dd>
        {net.expectedLoss !== undefined && !('kind' in net.expectedLoss) && (
          <>
            <dt>Expected loss of shipping</dt>
            <dd>
              <Value path={`${path}/net/expectedLoss/candidate`} as="level" unit={unit} />
            </dd>
            <dt>Expected loss of keeping</dt>
            <dd>
              <Value path={`${path}/net/expectedLoss/control`} as="level" unit={unit} />
            </dd>
          </>
        )}
        {net.omits.length > 0 && (
          <>
            <dt>Without the noise of</dt>
            <dd>{net.omits.join(', ')}</dd>
          </>
        )}
      </dl>
    </div>
  );
}

function netCriteria(
  answer: ReturnType<typeof useExperiment>['answer'],
  variant: string,
): readonly { outcome: 'met' | 'not-met' | 'undecided' }[] {
  return answer.report.criteria.filter((each) => each.variant === variant && each.text.includes('net_value'));
}

function Bar(props: {
  readonly axis: IntervalAxis;
  readonly ends: readonly [number, number];
  readonly isSum?: boolean;
}): JSX.Element {
  const { axis, ends, isSum = false } = props;
  const [from, to] = [placeOn(axis, Math.min(...ends)), placeOn(axis, Math.max(...ends))];
  const zero = placeOn(axis, 0);
  return (
    <svg className="interval-cell" aria-hidden="true">
      <line x1={`${zero}%`} x2={`${zero}%`} y1="0" y2="24" stroke="var(--control)" strokeWidth="1.5" />
      <rect
        x={`${from}%`}
        width={`${Math.max(0.6, to - from)}%`}
        y="5"
        height="14"
        fill={isSum ? 'var(--control)' : ends[1] < ends[0] ? 'var(--card)' : 'var(--undecided)'}
        stroke={isSum ? 'var(--control)' : 'var(--undecided)'}
        strokeWidth="2"
      />
    </svg>
  );
}

type Net = Exclude<PageValue['net'], Insufficient>;

/** True where the net value has an interval that is valid at every look. */
function hasWatched(net: Net): net is Net & { readonly sequential: Interval } {
  return net.sequential !== undefined && net.sequential.kind !== 'insufficient';
}

function boundsOf(interval: Interval | Insufficient): readonly [number | undefined, number | undefined] {
  return ['lower' in interval ? interval.lower : undefined, 'upper' in interval ? interval.upper : undefined];
}

function exportValue(experiment: string, values: readonly PageValue[]): void {
  saveCsv(`${experiment}-value`, [
    ['variant', 'unit', 'term', 'metric', 'estimate', 'lower', 'upper', 'variance_share'],
    ...values.flatMap(({ variant, unit, terms, net }) => [
      ...terms.map((term) => [
        variant,
        unit,
        term.name,
        term.metric,
        typeof term.estimate === 'number' ? term.estimate : term.estimate.reason,
        ...boundsOf(term.interval),
        typeof term.varianceShare === 'number' ? term.varianceShare : term.varianceShare.reason,
      ]),
      [
        variant,
        unit,
        'net',
        '',
        'kind' in net ? net.reason : net.estimate,
        ...boundsOf('kind' in net ? net : hasWatched(net) ? net.sequential : net.interval),
        '',
      ],
    ]),
  ]);
}
