// Which experiments are there, and which one needs somebody? One row each, in the order of the questions people ask.
import { type JSX, memo, useDeferredValue, useEffect, useMemo, useRef, useState } from 'react';
import { Link, useLocation } from 'wouter';
import type { ListAnswer, ListRow } from '../../../src/api/index.ts';
import { durationText } from '../../../src/decision/index.ts';
import { Answered } from '../parts/fault-box.tsx';
import { Icon } from '../parts/icon.tsx';
import { ValueSource } from '../parts/value.tsx';
import { VerdictChip, verdictWord } from '../parts/verdict-chip.tsx';
import { useView } from '../query-string.ts';
import { saveCsv } from '../save-file.ts';
import { listPath, pageOf } from '../server/page-paths.ts';
import { useList } from '../server/questions.ts';
import { useKeys } from '../shell/keys.ts';
import { valueText } from '../value-text.ts';
import { EmptyList } from './empty-list.tsx';
import { ListSplit } from './list-split.tsx';
import { ListValueCell, valueAxes } from './list-value.tsx';
import { rowKey, type SortName, selectRows, sortRows } from './select-rows.ts';

const shape = {
  q: 'text',
  state: ['any', 'draft', 'running', 'paused', 'promoted', 'rolled-back', 'completed'],
  verdict: ['any', 'ship', 'roll-back', 'keep-testing', 'no-difference', 'invalid', 'not-enough-data', 'no-verdict'],
  sort: ['attention', 'name', 'age', 'value'],
} as const;

const sortNames: Readonly<Record<SortName, string>> = {
  attention: 'needs attention',
  name: 'name',
  age: 'youngest',
  value: 'net value',
};

/** The page of all experiments. */
export function ListPage(): JSX.Element {
  const list = useList();
  useEffect(() => {
    document.title = 'Experiments - Assay';
  }, []);
  return <Answered question={list}>{(answer) => <List answer={answer} />}</Answered>;
}

function List({ answer }: { readonly answer: ListAnswer }): JSX.Element {
  const { view, strange, setView } = useView(shape);
  const typed = view.q ?? '';
  const query = useDeferredValue(typed);
  const search = useRef<HTMLInputElement>(null);
  const body = useRef<HTMLTableSectionElement>(null);
  const [, navigate] = useLocation();

  const shown = useMemo(
    () => selectRows(answer.rows, { query, state: view.state, verdict: view.verdict }),
    [answer.rows, query, view.state, view.verdict],
  );
  const { all, ordered, wouldMove, sortAgain } = useHeldOrder(answer.rows, { shown, sort: view.sort });
  const isShown = useMemo(() => new Set(shown), [shown]);
  const placeOf = useMemo(() => new Map(answer.rows.map((row, at) => [row, at])), [answer.rows]);
  const axes = useMemo(() => valueAxes(answer.rows), [answer.rows]);
  const keys = useMemo(() => {
    const move = (step: number): void => {
      const links = [...(body.current?.querySelectorAll<HTMLAnchorElement>('tr:not([hidden]) th a') ?? [])];
      const at = links.indexOf(document.activeElement as HTMLAnchorElement);
      links[Math.min(links.length - 1, Math.max(0, at + step))]?.focus();
    };
    return { '/': () => search.current?.focus(), j: () => move(1), k: () => move(-1) };
  }, []);
  useKeys(keys);

  if (answer.rows.length === 0) return <EmptyList />;
  const isFiltered = query !== '' || view.state !== 'any' || view.verdict !== 'any';
  return (
    <>
      <div className="row">
        <h1>
          Experiments <span className="quiet">{answer.rows.length}</span>
        </h1>
        <span className="push row">
          <button type="button" onClick={() => exportList(ordered)}>
            CSV
          </button>
          <Link href="/new" className="button">
            New experiment
          </Link>
        </span>
      </div>
      <search className="row">
        <label className="field">
          <span className="small quiet">Search</span>
          <input
            ref={search}
            type="search"
            value={typed}
            onChange={(event) => setView({ q: event.target.value })}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && ordered[0] !== undefined) navigate(pageOf(ordered[0]));
            }}
            aria-keyshortcuts="/"
            size={26}
          />
        </label>
        <Choice label="State" value={view.state} values={shape.state} onChange={(state) => setView({ state })} />
        <Choice
          label="Verdict"
          value={view.verdict}
          values={shape.verdict}
          text={(value) => (value === 'any' ? 'any' : verdictWord(value))}
          onChange={(verdict) => setView({ verdict })}
        />
        <Choice
          label="Sort by"
          value={view.sort}
          values={shape.sort}
          text={(value) => sortNames[value]}
          onChange={(sort) => setView({ sort })}
        />
      </search>
      {strange.length > 0 && <p className="quiet small">Not understood and left out: {strange.join(', ')}</p>}
      <div className="card">
        <ValueSource answer={answer} from={listPath}>
          <div className="scroll">
            <table className="cards list">
              <thead>
                <tr>
                  <th scope="col">Experiment</th>
                  <th scope="col">State</th>
                  <th scope="col">Split now</th>
                  <th scope="col">Verdict</th>
                  <th scope="col">Net value, valid at every look</th>
                  <th scope="col">Health</th>
                </tr>
              </thead>
              <tbody ref={body}>
                {all.map((row) => (
                  // Rows that do not fit are hidden, not taken away: typing then makes none anew.
                  <tr key={rowKey(row)} data-experiment={row.name} hidden={!isShown.has(row)}>
                    <Cells row={row} at={placeOf.get(row) ?? 0} axes={axes} />
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {ordered.length === 0 && (
            <p className="waiting">
              No experiment fits {isFiltered ? filterText({ query, state: view.state, verdict: view.verdict }) : ''}.{' '}
              <button type="button" className="small" onClick={() => setView({ q: '', state: 'any', verdict: 'any' })}>
                Clear
              </button>
            </p>
          )}
          <div className="row small quiet">
            <span aria-live="polite">
              {ordered.length} of {answer.rows.length} shown
            </span>
            {wouldMove > 0 && (
              <span>
                {wouldMove} {wouldMove === 1 ? 'row' : 'rows'} would move{' '}
                <button type="button" className="small" onClick={sortAgain}>
                  Sort again
                </button>
              </span>
            )}
          </div>
        </ValueSource>
      </div>
    </>
  );
}

/** Rows stay where they are when numbers change; only the reader moves them. `ordered` are those that are shown. */
function useHeldOrder(
  rows: readonly ListRow[],
  { shown, sort }: { readonly shown: readonly ListRow[]; readonly sort: SortName },
): {
  readonly all: readonly ListRow[];
  readonly ordered: readonly ListRow[];
  readonly wouldMove: number;
  readonly sortAgain: () => void;
} {
  const [held, setHeld] = useState<{ readonly sort: SortName; readonly keys: readonly string[] }>();
  const sorted = useMemo(() => sortRows(rows, sort), [rows, sort]);
  const sortedKeys = useMemo(() => sorted.map(rowKey), [sorted]);
  const isHeld = held !== undefined && held.sort === sort && sortedKeys.every((key) => held.keys.includes(key));
  useEffect(() => {
    if (!isHeld) setHeld({ sort, keys: sortedKeys });
  }, [isHeld, sort, sortedKeys]);
  const all = useMemo(() => {
    if (!isHeld) return sorted;
    const byKey = new Map(sorted.map((row) => [rowKey(row), row]));
    return held.keys.flatMap((key) => byKey.get(key) ?? []);
  }, [isHeld, held, sorted]);
  const { ordered, wouldMove } = useMemo(() => {
    const isShown = new Set(shown);
    const wanted = sorted.filter((row) => isShown.has(row));
    const here = all.filter((row) => isShown.has(row));
    return { ordered: here, wouldMove: here.filter((row, at) => row !== wanted[at]).length };
  }, [all, sorted, shown]);
  return { all, ordered, wouldMove, sortAgain: () => setHeld({ sort, keys: sortedKeys }) };
}

const Cells = memo(function Cells(props: {
  readonly row: ListRow;
  readonly at: number;
  readonly axes: ReturnType<typeof valueAxes>;
}): JSX.Element {
  const { row, at, axes } = props;
  return (
    <>
      <th scope="row" className="wide">
        <Link href={pageOf(row)} className="name">
          {row.name}
        </Link>
        {row.namespace !== 'default' && <span className="quiet small"> {row.namespace}</span>}
      </th>
      <td data-label="State" className="nowrap">
        {row.state}
        {row.coverage < 1 && row.state === 'running' && ` ${Math.round(row.coverage * 100)} %`}
        {row.ageMs !== undefined && <span className="quiet"> {durationText(row.ageMs)}</span>}
      </td>
      <td data-label="Split now">
        <ListSplit row={row} at={at} />
      </td>
      <td data-label="Verdict">
        {'kind' in row.verdict && row.verdict.kind === 'insufficient' ? (
          <span className="quiet small">{row.verdict.reason}</span>
        ) : (
          <VerdictChip display={row.verdict.display} />
        )}
        {row.proposal !== undefined && <div className="small">waits for approval: {row.proposal}</div>}
      </td>
      <td data-label="Net value" className="wide">
        <ListValueCell row={row} at={at} axes={axes} />
      </td>
      <td data-label="Health" className="nowrap">
        <Health row={row} />
      </td>
    </>
  );
});

function Health({ row }: { readonly row: ListRow }): JSX.Element {
  if ('kind' in row.health) return <span className="quiet small">{row.health.reason}</span>;
  const { ok, total, vetoes } = row.health;
  return (
    <span className={vetoes > 0 ? 'worse' : ''}>
      <Icon name={vetoes > 0 ? 'veto' : ok === total ? 'ok' : 'warning'} /> {ok}/{total}
      {vetoes > 0 && ` · ${vetoes} ${vetoes === 1 ? 'veto' : 'vetoes'}`}
    </span>
  );
}

function Choice<T extends string>(props: {
  readonly label: string;
  readonly value: T;
  readonly values: readonly T[];
  readonly text?: (value: T) => string;
  readonly onChange: (value: T) => void;
}): JSX.Element {
  const { label, value, values, text = (each) => each, onChange } = props;
  return (
    <label className="field">
      <span className="small quiet">{label}</span>
      <select value={value} onChange={(event) => onChange(event.target.value as T)}>
        {values.map((each) => (
          <option key={each} value={each}>
            {text(each)}
          </option>
        ))}
      </select>
    </label>
  );
}

function filterText(filter: { readonly query: string; readonly state: string; readonly verdict: string }): string {
  const parts = [
    filter.query === '' ? '' : `"${filter.query}"`,
    filter.state === 'any' ? '' : `state ${filter.state}`,
    filter.verdict === 'any' ? '' : `verdict ${filter.verdict}`,
  ];
  return parts.filter((part) => part !== '').join(' and ');
}

function exportList(rows: readonly ListRow[]): void {
  saveCsv('experiments', [
    [
      'namespace',
      'experiment',
      'state',
      'coverage',
      'started',
      'verdict',
      'headline',
      'net_value',
      'unit',
      'interval',
      'as_of',
    ],
    ...rows.map((row) => [
      row.namespace,
      row.name,
      row.state,
      row.coverage,
      row.startedAt,
      row.verdict.kind === 'insufficient' ? row.verdict.reason : row.verdict.kind,
      row.verdict.kind === 'insufficient' ? '' : row.verdict.headline,
      'kind' in row.value ? row.value.reason : row.value.estimate,
      'kind' in row.value ? '' : row.value.unit,
      'kind' in row.value ? '' : valueText(row, { path: '/value/interval', as: 'bounds' }).text,
      row.asOf,
    ]),
  ]);
}
