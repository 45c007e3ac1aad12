// How long will it take? Days, units and the chance of a decision by day: what `assay power` says, from the same function.
import { useQuery } from '@tanstack/react-query';
import { Fragment, type JSX, useMemo, useState } from 'react';
import type { PowerAnswer } from '../../../src/api/index.ts';
import { countText, shareText } from '../../../src/decision/index.ts';
import { ChartFigure } from '../charts/chart-figure.tsx';
import type { ChartInput } from '../charts/chart-input.ts';
import { FaultBox } from '../parts/fault-box.tsx';
import { Value, ValueSource } from '../parts/value.tsx';
import { otherPaths } from '../server/page-paths.ts';
import { sendApi } from '../server/request.ts';

const sourceWords: Readonly<Record<PowerAnswer['source'], string>> = {
  given: 'as given here',
  plan: "as the file's plan says",
  traffic: 'as on this route so far',
  assumed: 'assumed: nobody has said how many',
};

/** The panel. */
export function PowerPanel({ text, isSound }: { readonly text: string; readonly isSound: boolean }): JSX.Element {
  const [unitsPerDay, setUnitsPerDay] = useState('');
  const given = /^\d+$/.test(unitsPerDay) && Number(unitsPerDay) > 0 ? unitsPerDay : undefined;
  const question = useQuery({
    queryKey: ['power', given, text],
    queryFn: ({ signal }) => sendApi<PowerAnswer>(otherPaths.power(given), { yaml: text, signal }),
    enabled: isSound,
    placeholderData: (before) => before,
  });
  return (
    <section className="card" aria-label="How long will it take">
      <div className="section-head">
        <h2>How long will it take?</h2>
        <label className="row small">
          Units a day
          <input
            size={9}
            name="unitsPerDay"
            inputMode="numeric"
            value={unitsPerDay}
            placeholder="as known"
            onChange={(event) => setUnitsPerDay(event.target.value)}
          />
        </label>
      </div>
      {question.error !== null && <FaultBox fault={question.error} onRetry={() => void question.refetch()} />}
      {question.data === undefined ? (
        <p className="quiet small">{isSound ? 'Asking…' : 'Once the file is sound.'}</p>
      ) : (
        <ValueSource answer={question.data} from={`POST ${otherPaths.power(given)}`}>
          <Power answer={question.data} />
        </ValueSource>
      )}
    </section>
  );
}

function Power({ answer }: { readonly answer: PowerAnswer }): JSX.Element {
  const { plan, source } = answer;
  const input = useMemo(
    (): ChartInput => ({
      kind: 'power',
      wanted: plan.power,
      points: plan.curve.map(({ day, power }) => ({ days: day, power })),
    }),
    [plan],
  );
  return (
    <>
      <p className="small">
        <Value path="/plan/unitsPerDay" as="count" /> units a day, {sourceWords[source]}. The plan ends after{' '}
        <Value path="/plan/end/days" as="days" /> with <Value path="/plan/end/units" as="count" /> units.
      </p>
      <dl className="pair">
        {plan.criteria.map(({ text, needed, atEnd }, at) => (
          <Fragment key={text}>
            <dt>
              <code>{text}</code>
            </dt>
            <dd>
              {'kind' in needed ? (
                <span className="small quiet">{needed.reason}</span>
              ) : (
                <>
                  <Value path={`/plan/criteria/${at}/needed/days`} as="days" />,{' '}
                  <Value path={`/plan/criteria/${at}/needed/units`} as="count" /> units
                </>
              )}
              {!('kind' in atEnd) && (
                <div className="small quiet">
                  chance at the end <Value path={`/plan/criteria/${at}/atEnd/power`} as="probability" />
                </div>
              )}
            </dd>
          </Fragment>
        ))}
      </dl>
      {plan.curve.length > 1 && (
        <ChartFigure
          name={`${plan.experiment}-power`}
          caption={
            <span className="small">
              Chance that all primary criteria are met, by day; dashed: {shareText(plan.power)}
            </span>
          }
          label="Power by day"
          input={input}
          height={170}
          table={{
            head: ['day', 'units', 'power'],
            rows: plan.curve.map(({ day, units, power }) => [day, units, power]),
          }}
          readOut={plan.curve.map(({ day, units, power }) => ({
            x: day,
            text: `day ${day}, ${countText(units)} units: ${shareText(power)}`,
          }))}
          notes={[`${plan.experiment} · ${plan.method} · alpha ${plan.alpha}`]}
        />
      )}
      {plan.assumed.map((sentence) => (
        <p key={sentence} className="small quiet">
          {sentence}
        </p>
      ))}
    </>
  );
}
