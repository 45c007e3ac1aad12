// What have all experiments brought? Win rate, what the shipped ones are worth once luck is taken off, and each one's effect.
import { type JSX, useEffect } from 'react';
import { Link, useSearch } from 'wouter';
import type { Portfolio } from '../../../src/decision/index.ts';
import { Answered } from '../parts/fault-box.tsx';
import { Time } from '../parts/time.tsx';
import { Value, ValueSource } from '../parts/value.tsx';
import { useView } from '../query-string.ts';
import { saveCsv } from '../save-file.ts';
import { otherPaths } from '../server/page-paths.ts';
import { usePortfolio } from '../server/questions.ts';
import { useSettled } from '../settled.ts';
import { EffectTable } from './effect-table.tsx';

const shape = { cost: 'text' } as const;

const verdictWords = {
  ship: 'ship',
  'roll-back': 'roll back',
  'keep-testing': 'keep testing',
  'no-difference': 'no difference',
  invalid: 'invalid',
} as const;

/** The page of all experiments together; `?cost=` what one test costs, `?namespace=`. */
export default function PortfolioPage(): JSX.Element {
  const namespace = new URLSearchParams(useSearch()).get('namespace') ?? undefined;
  const { view, setView } = useView(shape);
  const cost = view.cost !== undefined && Number(view.cost) >= 0 ? view.cost : undefined;
  const query = { namespace, costPerTest: useSettled(cost, 400) };
  const portfolio = usePortfolio(query);
  useEffect(() => {
    document.title = 'Portfolio - Assay';
  }, []);
  return (
    <>
      <div className="row">
        <h1>
          Portfolio {namespace !== undefined && namespace !== 'default' && <span className="quiet">{namespace}</span>}
        </h1>
        {portfolio.data !== undefined && (
          <span className="push row">
            <span className="small quiet">
              as of <Time at={portfolio.dataUpdatedAt} />
            </span>
            <button type="button" className="small" onClick={() => void portfolio.refetch()}>
              Read again
            </button>
            <button type="button" onClick={() => exportPortfolio(portfolio.data)}>
              CSV
            </button>
          </span>
        )}
      </div>
      <Answered question={portfolio}>
        {(answer) => (
          <ValueSource answer={answer} from={otherPaths.portfolio(query)}>
            {answer.experiments.length === 0 ? (
              <div className="card">
                <p>
                  No experiment has started yet. <Link href="/">All experiments</Link>
                </p>
              </div>
            ) : (
              <>
                <Summary answer={answer} cost={view.cost ?? ''} onCost={(text) => setView({ cost: text })} />
                <EffectTable answer={answer} namespace={namespace ?? 'default'} />
              </>
            )}
          </ValueSource>
        )}
      </Answered>
    </>
  );
}

function Summary(props: {
  readonly answer: Portfolio;
  readonly cost: string;
  readonly onCost: (text: string) => void;
}): JSX.Element {
  const { answer, cost, onCost } = props;
  const { winRate, verdicts } = answer;
  return (
    <div className="portfolio">
      <section className="card" aria-labelledby="wins">
        <h2 id="wins">Wins</h2>
        <p data-win-rate>
          {'kind' in winRate ? (
            <span className="quiet">{winRate.reason}</span>
          ) : (
            <>
              <strong>
                <Value path="/winRate/estimate" as="level" unit="share" interval="/winRate/interval" />
              </strong>{' '}
              <span className="nowrap">
                (<Value path="/winRate/interval" as="level-bounds" unit="share" />)
              </span>
              : <Value path="/winRate/ships" as="count" /> of <Value path="/winRate/decided" as="count" /> decided were
              shipped
            </>
          )}
        </p>
        <p className="small quiet">
          {(Object.keys(verdictWords) as (keyof typeof verdictWords)[])
            .filter((kind) => verdicts[kind] > 0)
            .map((kind, at) => (
              <span key={kind}>
                {at > 0 && ' · '}
                {verdictWords[kind]} <Value path={`/verdicts/${kind}`} as="count" />
              </span>
            ))}
        </p>
      </section>
      {answer.values.map(({ unit, shipped, mean }, at) => {
        const path = `/values/${at}`;
        return (
          <section key={unit} className="card" aria-labelledby={`value-${at}`} data-unit={unit}>
            <h2 id={`value-${at}`}>Shipped, in {unit}</h2>
            <dl className="pair narrow-pair">
              <dt>Freed from luck</dt>
              <dd>
                <Shrunken path={`${path}/shipped`} isKnown={!('kind' in shipped)} />
              </dd>
              <dt>As measured</dt>
              <dd>
                <Value path={`${path}/shippedMeasured`} as="difference" />{' '}
                <span className="small quiet">too large on average: what is shipped was picked for looking good</span>
              </dd>
              {!('kind' in mean) && (
                <>
                  <dt>
                    Mean of all <Value path={`${path}/experiments`} as="count" />
                  </dt>
                  <dd>
                    <Shrunken path={`${path}/mean`} isKnown />
                  </dd>
                  <dt>True effects spread by</dt>
                  <dd>
                    <Value path={`${path}/spread`} as="level" />
                  </dd>
                </>
              )}
            </dl>
          </section>
        );
      })}
      {answer.money.length > 0 && (
        <section className="card" aria-labelledby="money">
          <h2 id="money">In money, a year</h2>
          <dl className="pair narrow-pair">
            {answer.money.map(({ currency }, at) => (
              <div key={currency} className="contents" data-currency={currency}>
                <dt>Net of luck and infrastructure</dt>
                <dd>
                  <strong>
                    <Value path={`/money/${at}/net`} as="difference" unit={currency} />
                  </strong>
                </dd>
                <dt>Cost of testing</dt>
                <dd>
                  <Value path={`/money/${at}/costOfTesting`} as="level" unit={currency} />
                </dd>
                <dt>Return on testing</dt>
                <dd>
                  <Value path={`/money/${at}/returnOnTesting`} as="share" />
                </dd>
              </div>
            ))}
          </dl>
          <label className="field">
            <span className="small quiet">Cost of one test</span>
            <input
              type="number"
              min="0"
              step="any"
              name="cost"
              value={cost}
              onChange={(event) => onCost(event.target.value)}
            />
          </label>
        </section>
      )}
    </div>
  );
}

function Shrunken({ path, isKnown }: { readonly path: string; readonly isKnown: boolean }): JSX.Element {
  if (!isKnown) return <Value path={path} as="difference" />;
  return (
    <>
      <strong>
        <Value path={`${path}/estimate`} as="difference" interval={`${path}/interval`} />
      </strong>{' '}
      <span className="nowrap">
        (<Value path={`${path}/interval`} as="bounds" />)
      </span>
    </>
  );
}

function exportPortfolio({ experiments }: Portfolio): void {
  const cells = (effect: Portfolio['experiments'][number]['net']): readonly (string | number | undefined)[] =>
    'kind' in effect
      ? [effect.reason, undefined, undefined]
      : [
          effect.estimate,
          'lower' in effect.interval ? effect.interval.lower : undefined,
          'upper' in effect.interval ? effect.interval.upper : undefined,
        ];
  saveCsv('portfolio', [
    [
      'experiment',
      'state',
      'verdict',
      'unit',
      'measured',
      'measured_lower',
      'measured_upper',
      'shrunken',
      'shrunken_lower',
      'shrunken_upper',
    ],
    ...experiments.map(({ name, state, verdict, unit, net, shrunken }) => [
      name,
      state,
      verdict.kind === 'insufficient' ? verdict.reason : verdict.kind,
      unit,
      ...cells(net),
      ...cells(shrunken),
    ]),
  ]);
}
