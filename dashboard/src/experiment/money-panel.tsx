// What is the net value in money, a year, and how far may that miss? Every amount is the API's.
import type { JSX } from 'react';
import type { OverviewAnswer } from '../../../src/api/index.ts';
import { Value } from '../parts/value.tsx';

type Money = NonNullable<OverviewAnswer['values'][number]['money']>;

/** The year in money; `path` leads to it. */
export function MoneyPanel({ money, path }: { readonly money: Money; readonly path: string }): JSX.Element {
  if ('reason' in money) return <p className="quiet">In money: {money.reason}</p>;
  const { currency } = money;
  const isKnown = (part: Money | object): boolean => !('reason' in part);
  return (
    <div className="money" data-currency={currency}>
      <h3>In money, {currency} a year</h3>
      <dl className="pair">
        <dt>Gain</dt>
        <dd>
          <Value path={`${path}/gain`} as="difference" unit={currency} interval={`${path}/gainInterval`} />{' '}
          {isKnown(money.gainInterval) && (
            <span className="nowrap">
              (<Value path={`${path}/gainInterval`} as="bounds" unit={currency} />)
            </span>
          )}
          <div className="small quiet">noise of the net value, one look at the end</div>
        </dd>
        <dt>Running it costs more by</dt>
        <dd>
          <Value path={`${path}/infrastructure`} as="level" unit={currency} />
        </dd>
        <dt>Left</dt>
        <dd>
          <strong>
            <Value path={`${path}/net`} as="difference" unit={currency} interval={`${path}/gainInterval`} />
          </strong>
        </dd>
        <dt>Return on that cost</dt>
        <dd>
          <Value path={`${path}/returnOnCost`} as="share" />{' '}
          {isKnown(money.returns) && (
            <span className="small quiet">
              nine years of ten between <Value path={`${path}/returns/p5`} as="share" /> and{' '}
              <Value path={`${path}/returns/p95`} as="share" />
            </span>
          )}
        </dd>
        <dt>Mean loss of the stated risks</dt>
        <dd>
          <Value path={`${path}/expectedLoss`} as="level" unit={currency} />
        </dd>
        <dt>Nine years of ten</dt>
        <dd>
          {isKnown(money.years) ? (
            <>
              <Value path={`${path}/years/p5`} as="difference" unit={currency} /> …{' '}
              <Value path={`${path}/years/p95`} as="difference" unit={currency} />
              <div className="small quiet">
                P(a year of loss) <Value path={`${path}/years/negative`} as="probability" />; noise, ranges and risks
                together
              </div>
            </>
          ) : (
            <Value path={`${path}/years`} as="text" />
          )}
        </dd>
        {isKnown(money.choices) && (
          <>
            <dt>Expected loss, if wrong</dt>
            <dd>
              of shipping <Value path={`${path}/choices/candidate`} as="level" unit={currency} />, of keeping{' '}
              <Value path={`${path}/choices/control`} as="level" unit={currency} />
            </dd>
          </>
        )}
      </dl>
    </div>
  );
}
