// Which variant does this unit get, and why? The bar with its place on it is the proof; many ids at once give a table.
import { useQuery } from '@tanstack/react-query';
import { type JSX, useEffect, useState } from 'react';
import type { PlaygroundAnswer } from '../../../src/api/index.ts';
import { Answered, FaultBox } from '../parts/fault-box.tsx';
import { ScrollBox } from '../parts/scroll-box.tsx';
import { Value, ValueSource } from '../parts/value.tsx';
import { markColours, placeOf, VariantName, type VariantPlace } from '../parts/variant-mark.tsx';
import { useView } from '../query-string.ts';
import { saveCsv } from '../save-file.ts';
import { otherPaths } from '../server/page-paths.ts';
import { useList } from '../server/questions.ts';
import { sendApi } from '../server/request.ts';
import { CodeSample } from './code-sample.tsx';

const shape = { experiment: 'text', namespace: 'text', unit: 'text' } as const;
/** The most a server takes at once. */
const mostUnits = 1000;

/** The playground. */
export default function PlaygroundPage(): JSX.Element {
  const list = useList();
  useEffect(() => {
    document.title = 'Playground - Assay';
  }, []);
  return (
    <>
      <h1>Playground</h1>
      <p className="quiet">Which variant a unit gets, decided as the gateway does. Nothing is recorded.</p>
      <Answered question={list}>
        {(answer) =>
          answer.rows.length === 0 ? (
            <p className="card">There is no experiment to ask about yet.</p>
          ) : (
            <Explain names={answer.rows.map(({ name, namespace, control }) => ({ name, namespace, control }))} />
          )
        }
      </Answered>
    </>
  );
}

interface Name {
  readonly name: string;
  readonly namespace: string;
  readonly control: string;
}

function Explain({ names }: { readonly names: readonly Name[] }): JSX.Element {
  const { view, setView } = useView(shape);
  const chosen =
    names.find(({ name, namespace }) => name === view.experiment && namespace === (view.namespace ?? 'default')) ??
    names[0]!;
  const [typed, setTyped] = useState(view.unit ?? '');
  const units = (view.unit ?? '')
    .split(/[\n,;]+/)
    .map((unit) => unit.trim())
    .filter((unit) => unit !== '')
    .slice(0, mostUnits);
  const body = { experiment: chosen.name, namespace: chosen.namespace, units };
  const question = useQuery({
    queryKey: ['experiment', chosen.namespace, chosen.name, 'playground', units],
    queryFn: ({ signal }) => sendApi<PlaygroundAnswer>(otherPaths.playground, { json: body, signal }),
    enabled: units.length > 0,
  });
  return (
    <>
      <form
        className="card row"
        onSubmit={(event) => {
          event.preventDefault();
          setView({ unit: typed.trim() }, { isStep: true });
        }}
      >
        <label className="field">
          Experiment
          <select
            value={`${chosen.namespace}/${chosen.name}`}
            onChange={(event) => {
              const [namespace = 'default', ...rest] = event.target.value.split('/');
              setView({ experiment: rest.join('/'), namespace: namespace === 'default' ? undefined : namespace });
            }}
          >
            {names.map(({ name, namespace }) => (
              <option key={`${namespace}/${name}`} value={`${namespace}/${name}`}>
                {namespace === 'default' ? name : `${namespace}/${name}`}
              </option>
            ))}
          </select>
        </label>
        <label className="field grow">
          Unit ids (one, or up to {mostUnits.toLocaleString('en-US')} on lines of their own)
          <textarea
            rows={Math.min(6, Math.max(1, typed.split('\n').length))}
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
            onKeyDown={(event) => {
              if (event.key !== 'Enter' || event.shiftKey) return;
              event.preventDefault();
              event.currentTarget.form?.requestSubmit();
            }}
            name="unit"
            spellCheck={false}
            placeholder="user-42"
          />
        </label>
        <button type="submit" className="strong">
          Explain
        </button>
      </form>
      {units.length > 0 &&
        (question.data === undefined && question.error !== null ? (
          <FaultBox fault={question.error} onRetry={() => void question.refetch()} />
        ) : question.data === undefined ? (
          <p className="waiting">Asking…</p>
        ) : (
          <ValueSource answer={question.data} from={`POST ${otherPaths.playground} ${JSON.stringify(body)}`}>
            {question.data.units.length === 1 ? (
              <OneUnit answer={question.data} control={chosen.control} />
            ) : (
              <ManyUnits answer={question.data} control={chosen.control} />
            )}
            <CodeSample experiment={chosen.name} unit={units[0] ?? 'user-42'} control={chosen.control} />
          </ValueSource>
        ))}
    </>
  );
}

function orderOf(answer: PlaygroundAnswer, control: string): (variant: string) => VariantPlace {
  const variants = [control, ...answer.ranges.map(({ variant }) => variant)];
  return (variant) => placeOf(variant, { control, variants: [...new Set(variants)] });
}

function OneUnit({ answer, control }: { readonly answer: PlaygroundAnswer; readonly control: string }): JSX.Element {
  const unit = answer.units[0]!;
  const place = orderOf(answer, control);
  return (
    <div className="card" data-playground={unit.variant}>
      <h2>
        <VariantName name={unit.variant} place={place(unit.variant)} />
      </h2>
      <p>{unit.text}</p>
      <dl className="pair narrow-pair">
        <dt>Experiment</dt>
        <dd>
          {answer.experiment}, {answer.state}
        </dd>
        <dt>Reason</dt>
        <dd>
          <Value path="/units/0/reason" as="text" />
        </dd>
        <dt>Salt</dt>
        <dd>
          <code>{answer.salt}</code>
        </dd>
        {unit.splitHash !== undefined && (
          <>
            <dt>Hash</dt>
            <dd>
              <code>0x{unit.splitHash}</code> = <Value path="/units/0/splitAt" as="level" /> of [0, 1)
            </dd>
          </>
        )}
        {unit.coverageAt !== undefined && (
          <>
            <dt>Takes part</dt>
            <dd>
              {unit.isCovered ? 'yes' : 'no'}: <Value path="/units/0/coverageAt" as="level" /> against a coverage of{' '}
              <Value path="/coverage" as="level" />
            </dd>
          </>
        )}
      </dl>
      {unit.splitAt !== undefined && <RangeBar answer={answer} at={unit.splitAt} place={place} />}
      {unit.others.length > 0 && (
        <p>
          Also in:{' '}
          {unit.others.map(({ experiment, variant, reason }) => (
            <span key={experiment}>
              {experiment} → {variant} <span className="quiet">({reason})</span>{' '}
            </span>
          ))}
        </p>
      )}
    </div>
  );
}

function RangeBar(props: {
  readonly answer: PlaygroundAnswer;
  readonly at: number;
  readonly place: (variant: string) => VariantPlace;
}): JSX.Element {
  const { answer, at, place } = props;
  return (
    <figure className="chart">
      <svg className="range-bar" role="img" aria-label={`The hash of this unit lies at ${at.toFixed(4)}`}>
        {answer.ranges.map(({ variant, from, to }) => (
          <rect
            key={`${variant}/${from}`}
            x={`${from * 100}%`}
            width={`${(to - from) * 100}%`}
            y="4"
            height="22"
            fill={`var(--${markColours[place(variant)]})`}
            stroke="var(--card)"
          />
        ))}
        <svg x={`${at * 100}%`} y="30" overflow="visible" aria-hidden="true">
          <path d="M0 0 8 14H-8Z" fill="var(--text)" />
          <line x1="0" x2="0" y1="0" y2="-28" stroke="var(--card)" strokeWidth="5" />
          <line x1="0" x2="0" y1="0" y2="-28" stroke="var(--text)" strokeWidth="2" />
        </svg>
      </svg>
      <figcaption className="legend">
        {answer.ranges.map(({ variant, from }, index) => (
          <span key={`${variant}/${from}`}>
            <VariantName name={variant} place={place(variant)} /> [<Value path={`/ranges/${index}/from`} as="level" />,{' '}
            <Value path={`/ranges/${index}/to`} as="level" />)
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

function ManyUnits({ answer, control }: { readonly answer: PlaygroundAnswer; readonly control: string }): JSX.Element {
  const place = orderOf(answer, control);
  const save = (): void =>
    saveCsv(`${answer.experiment}-units`, [
      ['unit', 'variant', 'reason', 'split_hash', 'split_at', 'covered'],
      ...answer.units.map((unit) => [
        unit.unit,
        unit.variant,
        unit.reason,
        unit.splitHash,
        unit.splitAt,
        unit.isCovered,
      ]),
    ]);
  return (
    <div className="card">
      <div className="section-head">
        <h2>{answer.units.length} units</h2>
        <button type="button" onClick={save}>
          CSV
        </button>
      </div>
      <ScrollBox className="scroll table-box" label="Units">
        <table>
          <thead>
            <tr>
              <th scope="col">Unit</th>
              <th scope="col">Variant</th>
              <th scope="col">Reason</th>
              <th scope="col" className="number">
                Hash in [0, 1)
              </th>
            </tr>
          </thead>
          <tbody>
            {answer.units.map(({ unit, variant, splitAt }, at) => (
              <tr key={unit}>
                <th scope="row">{unit}</th>
                <td>
                  <VariantName name={variant} place={place(variant)} />
                </td>
                <td>
                  <Value path={`/units/${at}/reason`} as="text" />
                </td>
                <td className="number">
                  {splitAt === undefined ? '' : <Value path={`/units/${at}/splitAt`} as="level" />}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollBox>
    </div>
  );
}
