// What has each experiment brought? Its net value as measured and drawn to the mean of all, on one axis per unit.
import { Fragment, type JSX } from 'react';
import { Link } from 'wouter';
import { levelText, type Portfolio, type PortfolioEntry } from '../../../src/decision/index.ts';
import { axisOf, type IntervalAxis } from '../interval-axis.ts';
import { AxisCell, IntervalCell } from '../parts/interval-cell.tsx';
import { Value } from '../parts/value.tsx';
import { VerdictChip } from '../parts/verdict-chip.tsx';
import { pageOf } from '../server/page-paths.ts';

/** The table, one group of rows per unit, in the order in which the experiments were made. */
export function EffectTable(props: { readonly answer: Portfolio; readonly namespace: string }): JSX.Element {
  const { answer, namespace } = props;
  const units = [...new Set(answer.experiments.map(({ unit }) => unit))];
  return (
    <section className="card" aria-labelledby="effects">
      <h2 id="effects">Net value of each</h2>
      <p className="small quiet">
        As measured: one look at the end. Freed from luck: drawn to the mean of all by as much as it is noise; it takes
        four experiments of one unit. The dark line is no difference.
      </p>
      <div className="scroll">
        <table className="cards">
          <thead>
            <tr>
              <th scope="col">Experiment</th>
              <th scope="col">State</th>
              <th scope="col">Verdict</th>
              <th scope="col">As measured</th>
              <th scope="col">Freed from luck</th>
              <th scope="col">
                <span className="spoken">Picture of both, as measured above</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {units.map((unit) => {
              const rows = answer.experiments.filter((each) => each.unit === unit);
              const drawn = rows.flatMap(({ net, shrunken }) =>
                [net, shrunken].flatMap((each) => ('kind' in each ? [] : [each])),
              );
              const axis = drawn.length === 0 ? undefined : axisOf(drawn);
              return (
                <Fragment key={unit}>
                  {axis !== undefined && (
                    <tr className="group-head">
                      <td colSpan={5} className="small quiet">
                        {unit}
                      </td>
                      <td className="picture">
                        <AxisCell
                          axis={axis}
                          text={(tick) => levelText(tick, { unit: 'number' }).replace(/\.0+$/, '')}
                        />
                      </td>
                    </tr>
                  )}
                  {rows.map((entry) => (
                    <Row
                      key={entry.name}
                      entry={entry}
                      path={`/experiments/${answer.experiments.indexOf(entry)}`}
                      href={pageOf({ namespace, name: entry.name })}
                      axis={axis}
                    />
                  ))}
                </Fragment>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Row(props: {
  readonly entry: PortfolioEntry;
  readonly path: string;
  readonly href: string;
  readonly axis: IntervalAxis | undefined;
}): JSX.Element {
  const { entry, path, href, axis } = props;
  const { name, state, verdict, net, shrunken } = entry;
  return (
    <tr data-experiment={name}>
      <th scope="row" className="wide">
        <Link href={href} className="name">
          {name}
        </Link>
      </th>
      <td data-label="State">{state}</td>
      <td data-label="Verdict">
        {verdict.kind === 'insufficient' ? (
          <span className="quiet small">{verdict.reason}</span>
        ) : (
          <span title={verdict.headline}>
            <VerdictChip display={verdict.kind} />
          </span>
        )}
      </td>
      <td data-label="As measured">
        <Effect effect={net} path={`${path}/net`} />
      </td>
      <td data-label="Freed from luck">
        <Effect effect={shrunken} path={`${path}/shrunken`} />
      </td>
      <td className="picture wide">
        {axis !== undefined &&
          [net, shrunken].map((effect, at) =>
            'kind' in effect ? null : (
              <IntervalCell
                // biome-ignore lint/suspicious/noArrayIndexKey: always these two, in this order.
                key={at}
                axis={axis}
                estimate={effect.estimate}
                interval={effect.interval}
                state="undecided"
                place={at === 0 ? 0 : 1}
                label={`${name}, ${at === 0 ? 'as measured' : 'freed from luck'}`}
              />
            ),
          )}
      </td>
    </tr>
  );
}

function Effect({ effect, path }: { readonly effect: PortfolioEntry['net']; readonly path: string }): JSX.Element {
  if ('kind' in effect) return <Value path={path} as="difference" />;
  return (
    <>
      <Value path={`${path}/estimate`} as="difference" interval={`${path}/interval`} />{' '}
      <span className="nowrap">
        (<Value path={`${path}/interval`} as="bounds" />)
      </span>
    </>
  );
}
