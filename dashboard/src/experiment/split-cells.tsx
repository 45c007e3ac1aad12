// Where does the split break? Units by time, segment and revision against their declared shares, the worst first.
import { type JSX, useState } from 'react';
import type { SplitCell, SplitCellsAnswer } from '../../../src/api/index.ts';
import { durationText } from '../../../src/decision/index.ts';
import { Answered } from '../parts/fault-box.tsx';
import { ScrollBox } from '../parts/scroll-box.tsx';
import { Switch } from '../parts/switch.tsx';
import { Time } from '../parts/time.tsx';
import { Value, ValueSource } from '../parts/value.tsx';
import { VariantName } from '../parts/variant-mark.tsx';
import { saveCsv } from '../save-file.ts';
import { partPath } from '../server/page-paths.ts';
import { usePart } from '../server/questions.ts';
import { useExperiment, useVariantPlace } from './experiment-context.tsx';
import { WhenNear } from './section.tsx';

type SplitCellsGroup = Extract<SplitCellsAnswer['groups'], readonly unknown[]>[number];

/** The cells; open from the start where the split is broken. */
export function SplitCells(): JSX.Element {
  const { checks } = useExperiment().answer.report;
  const isBroken = !checks.sampleRatio.ok || checks.segmentRatio?.ok === false;
  const [wasOpened, setOpened] = useState(isBroken);
  return (
    <details
      id="split-cells"
      open={isBroken}
      onToggle={(event) => {
        if (event.currentTarget.open) setOpened(true);
      }}
    >
      <summary>{isBroken ? 'Where it breaks' : 'By time, segment and revision'}</summary>
      {wasOpened && <WhenNear>{() => <Cells />}</WhenNear>}
    </details>
  );
}

function Cells(): JSX.Element {
  const { key } = useExperiment();
  const cells = usePart(key, 'splitCells');
  return (
    <Answered question={cells}>
      {(answer) => (
        <ValueSource answer={answer} from={partPath(key, 'splitCells')}>
          <Found answer={answer} />
        </ValueSource>
      )}
    </Answered>
  );
}

function Found({ answer }: { readonly answer: SplitCellsAnswer }): JSX.Element {
  const { answer: overview, view, setView } = useExperiment();
  const placeOf = useVariantPlace();
  const { groups } = answer;
  if ('kind' in groups) return <p className="quiet">{groups.reason}</p>;
  const shown = groups.find(({ by }) => by === view.cut) ?? groups[0];
  if (shown === undefined) return <p className="quiet">{answer.finding}</p>;
  const words: { [by in SplitCellsGroup['by']]?: string } = {};
  for (const { by, title, off, judged } of groups) words[by] = `${title}: ${off} of ${judged} off`;
  const base = `/groups/${groups.indexOf(shown)}/cells`;
  const names = shown.cells[0]?.variants.map(({ variant }) => variant) ?? [];
  const hasTime = shown.cells.some(({ at }) => at !== undefined);
  const hasValue = shown.cells.some(({ segment }) => segment !== undefined);
  const hasRevision = shown.cells.some(({ revision }) => revision !== undefined);
  return (
    <>
      <p>
        <Value path="/finding" as="text" />
      </p>
      <div className="row">
        <Switch label="Parts" value={shown.by} words={words} onChange={(cut) => setView({ cut })} />
        <button
          type="button"
          className="small push"
          onClick={() => exportCells(`${overview.report.experiment}-split-${shown.by}`, shown.cells, names)}
        >
          CSV
        </button>
      </div>
      <ScrollBox className="scroll" label="Units by part">
        <table className="narrow" data-cells={shown.by}>
          <thead>
            <tr>
              {hasTime && <th scope="col">First seen within {durationText(answer.everyMs)} from</th>}
              {hasValue && <th scope="col">Where</th>}
              {hasRevision && <th scope="col">Revision</th>}
              {names.map((name) => (
                <th key={name} scope="col" className="number">
                  <VariantName name={name} place={placeOf(name)} />
                </th>
              ))}
              <th scope="col" className="number">
                p
              </th>
              <th scope="col">Says</th>
            </tr>
          </thead>
          <tbody>
            {shown.cells.map((cell, at) => (
              <tr key={JSON.stringify([cell.at, cell.segment, cell.value, cell.revision])} data-off={cell.isOff}>
                {hasTime && <td>{cell.at !== undefined && <Time at={cell.at} />}</td>}
                {hasValue && (
                  <td>
                    {cell.segment} = {cell.value}
                  </td>
                )}
                {hasRevision && <td className="number">{cell.revision}</td>}
                {names.map((name, place) => (
                  <td key={name} className="number">
                    <Value path={`${base}/${at}/variants/${place}/units`} as="count" />,{' '}
                    <Value path={`${base}/${at}/variants/${place}/share`} as="share" />{' '}
                    <span className="quiet">
                      of <Value path={`${base}/${at}/variants/${place}/expectedShare`} as="share" />
                    </span>
                  </td>
                ))}
                <td className="number">
                  <Value path={`${base}/${at}/pValue`} as="p" />
                </td>
                <td>{cell.isOff ? <strong className="worse">off</strong> : 'as declared'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollBox>
      <p className="small quiet">
        {shown.judged > shown.cells.length && (
          <>
            The worst {shown.cells.length} of {shown.judged}.{' '}
          </>
        )}
        {shown.tooFew > 0 && (
          <>
            <Value path={`/groups/${groups.indexOf(shown)}/tooFew`} as="count" /> more{' '}
            {shown.tooFew === 1 ? 'has' : 'have'} too few units to be judged.{' '}
          </>
        )}
        Chi-squared of each part, p as that of the worst of all <Value path="/judged" as="count" /> (Holm), off below
        0.001. It helps to find the fault; the verdict rests on the check of the whole.
      </p>
    </>
  );
}

function exportCells(name: string, cells: readonly SplitCell[], variants: readonly string[]): void {
  saveCsv(name, [
    [
      'from',
      'segment',
      'value',
      'revision',
      ...variants.flatMap((variant) => [`${variant}_units`, `${variant}_share`, `${variant}_declared`]),
      'p',
      'off',
    ],
    ...cells.map((cell) => [
      cell.at,
      cell.segment,
      cell.value,
      cell.revision,
      ...cell.variants.flatMap(({ units, share, expectedShare }) => [units, share, expectedShare]),
      cell.pValue,
      cell.isOff,
    ]),
  ]);
}
