// How was this number made? The metric's method, both levels, the three kinds of interval, and how to ask for it on the command line.
import { Dialog, DialogDismiss, DialogHeading } from '@ariakit/react';
import type { JSX, ReactNode } from 'react';
import { ScrollBox } from '../parts/scroll-box.tsx';
import { Value } from '../parts/value.tsx';
import { atPointer } from '../value-text.ts';
import { Compliers } from './compliers.tsx';
import { useExperiment } from './experiment-context.tsx';
import type { MetricRow } from './metric-rows.ts';

/** The drawer beside the table. */
export default function MetricDrawer(props: { readonly row: MetricRow; readonly onClose: () => void }): JSX.Element {
  const { row, onClose } = props;
  const { answer, isWithheld } = useExperiment();
  const { metric, unit, variant, controlPath, candidatePath, differencePath } = row;
  const definition = answer.experiment.specification.metrics.find(({ name }) => name === metric.name);
  const has = (path: string): boolean => atPointer(answer, path) !== undefined;
  const { control } = answer.report;
  return (
    <Dialog open modal={false} onClose={onClose} className="drawer" autoFocusOnShow hideOnInteractOutside={false}>
      <div className="section-head">
        <DialogHeading>
          {metric.name}: {variant} against {control}
        </DialogHeading>
        <DialogDismiss className="button">Close</DialogDismiss>
      </div>
      <dl className="pair">
        <Line name="Role">{metric.role}</Line>
        <Line name="One value per">{metric.per ?? 'unit'}</Line>
        <Line name="Method">{metric.method}</Line>
        {has(`${differencePath}/because`) && (
          <Line name="Why">
            <Value path={`${differencePath}/because`} as="text" />
          </Line>
        )}
        {[[control, controlPath] as const, [variant, candidatePath] as const].map(([name, path]) => (
          <Line key={name} name={name}>
            <Value path={`${path}/estimate`} as="level" unit={unit} interval={`${path}/interval`} />{' '}
            {has(`${path}/interval`) && (
              <>
                (<Value path={`${path}/interval`} as="level-bounds" unit={unit} />){' '}
              </>
            )}
            on <Value path={`${path}/n`} as="count" /> units
            {has(`${path}/rows`) && (
              <>
                , <Value path={`${path}/rows`} as="count" /> rows
              </>
            )}
            {has(`${path}/waiting`) && (
              <>
                , <Value path={`${path}/waiting`} as="count" /> waiting
              </>
            )}
          </Line>
        ))}
        {!isWithheld && row.difference !== undefined && (
          <>
            <Line name="Valid at every look">
              <Value path={`${differencePath}/sequential/interval`} as="bounds" unit={unit} />
              <br />
              <span className="small quiet">
                <Value path={`${differencePath}/sequential/method`} as="text" />
              </span>
            </Line>
            <Line name="One look at the end">
              <Value path={`${differencePath}/interval`} as="bounds" unit={unit} />
            </Line>
            <Line name="Bayesian">
              <Value path={`${differencePath}/bayes/interval`} as="bounds" unit={unit} />, P(higher){' '}
              <Value path={`${differencePath}/bayes/probabilityHigher`} as="probability" />
            </Line>
            {has(`${differencePath}/unadjusted`) && (
              <Line name="Without the covariate">
                <Value path={`${differencePath}/unadjusted`} as="difference" unit={unit} />, variance less by{' '}
                <Value path={`${differencePath}/varianceReduction`} as="share" />
              </Line>
            )}
            {has(`${differencePath}/relative`) && (
              <Line name="As a share of the control">
                <Value path={`${differencePath}/relative`} as="relative" interval={row.relativePath} />
                {typeof row.difference.relative === 'number' && (
                  <>
                    {' '}
                    (<Value path={row.relativePath} as="bounds" unit="share" />)
                  </>
                )}
              </Line>
            )}
            {has(`${differencePath}/compliers`) && (
              <Line name="On those who got it">
                <Compliers path={`${differencePath}/compliers`} unit={unit} />
              </Line>
            )}
            {has(`${differencePath}/adjusted`) && (
              <Line name="Judged with the others">
                <Value path={`${differencePath}/adjusted/method`} as="text" /> over{' '}
                <Value path={`${differencePath}/adjusted/comparisons`} as="count" /> comparisons:{' '}
                <Value path={`${differencePath}/adjusted/pValue`} as="p" />
              </Line>
            )}
          </>
        )}
        {metric.capped !== undefined && <Line name="Values ended">{JSON.stringify(metric.capped)}</Line>}
      </dl>
      {definition !== undefined && (
        <div>
          <h2 className="small quiet">Definition</h2>
          <ScrollBox className="file" label={`Definition of ${metric.name}`}>
            <pre>{JSON.stringify(definition, null, 2)}</pre>
          </ScrollBox>
        </div>
      )}
      <p className="small">
        The same on the command line: <code>assay report {answer.report.experiment} --json</code>
      </p>
    </Dialog>
  );
}

function Line({ name, children }: { readonly name: string; readonly children: ReactNode }): JSX.Element {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}
