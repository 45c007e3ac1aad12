// A chart with what belongs to it: the finding in words, the same numbers as a table, files to take away, and a cursor for keys.
import { type JSX, type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { ScrollBox } from '../parts/scroll-box.tsx';
import { useView } from '../query-string.ts';
import { saveCsv, savePng, saveSvg } from '../save-file.ts';
import { holdUpdates } from '../server/live.ts';
import { colourOf, useThemeVersion } from '../shell/theme.ts';
import type { ChartInput } from './chart-input.ts';
import type { DrawnChart } from './draw-chart.ts';

/** What a chart shows and says. */
export interface ChartFigureProps {
  /** Begin of the file names. */
  readonly name: string;
  /** The finding, as the API has it. */
  readonly caption: ReactNode;
  /** Name of the picture for those who do not see it. */
  readonly label: string;
  readonly input: ChartInput;
  readonly height?: number;
  readonly table: {
    readonly head: readonly string[];
    readonly rows: readonly (readonly (string | number | undefined)[])[];
  };
  /** What the cursor reads out, by value of the x axis, rising. */
  readonly readOut: readonly { readonly x: number; readonly text: string }[];
  /** Printed below exported pictures: as of, method, digest, INVALID. */
  readonly notes: readonly string[];
}

/** In less a chart has no room beside its axes: a box that is being laid out, for a narrow phone gives more. */
const leastWidth = 160;

/** The charts that stand as tables, by name, so that a link shows what its sender saw. */
const tablesShape = { tables: 'text' } as const;

/** The figure. */
export function ChartFigure(props: ChartFigureProps): JSX.Element {
  const { name, caption, label, input, table, notes, height = 240 } = props;
  const box = useRef<HTMLDivElement>(null);
  const drawn = useRef<DrawnChart | undefined>(undefined);
  const [width, setWidth] = useState(0);
  const { view, setView } = useView(tablesShape);
  const tables = (view.tables ?? '').split(',').filter((each) => each !== '');
  const isTable = tables.includes(name);
  const [fault, setFault] = useState<string>();
  const theme = useThemeVersion();
  const cursor = useCursor(props, drawn);
  const captionId = useId();

  // biome-ignore lint/correctness/useExhaustiveDependencies: the box is another one after a visit to the table.
  useEffect(() => {
    if (box.current === null) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry?.contentRect.width ?? 0)));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, [isTable]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a change of theme changes every colour.
  useEffect(() => {
    if (width < leastWidth || isTable) return;
    let isOver = false;
    import('./draw-chart.ts')
      .then(({ drawChart }) => {
        if (isOver || box.current === null) return;
        drawn.current = drawChart(input, { width, height, label, colour: colourOf });
        box.current.replaceChildren(drawn.current.svg);
      })
      .catch((caught: unknown) => setFault(`The chart could not be drawn: ${(caught as Error).message}`));
    return () => {
      isOver = true;
    };
  }, [input, width, height, label, theme, isTable]);

  const toggle = (): void => {
    const others = tables.filter((each) => each !== name);
    setView({ tables: (isTable ? others : [...others, name]).join(',') });
  };
  const withChart = (save: (chart: SVGSVGElement) => void): void => {
    if (drawn.current !== undefined) save(drawn.current.svg);
  };
  return (
    <figure className="chart" aria-labelledby={captionId}>
      <figcaption>
        <span id={captionId}>{caption}</span>
        <button type="button" className="small" aria-pressed={isTable} onClick={toggle}>
          Table
        </button>
        <button
          type="button"
          className="small"
          disabled={isTable}
          onClick={() => withChart((chart) => saveSvg(name, { chart, notes }))}
        >
          SVG
        </button>
        <button
          type="button"
          className="small"
          disabled={isTable}
          onClick={() => withChart((chart) => void savePng(name, { chart, notes }))}
        >
          PNG
        </button>
        <button type="button" className="small" onClick={() => saveCsv(name, [table.head, ...table.rows])}>
          CSV
        </button>
      </figcaption>
      {isTable ? (
        <ScrollBox className="scroll table-box" label={`${label}, as a table`}>
          <table>
            <thead>
              <tr>
                {table.head.map((head) => (
                  <th key={head} scope="col">
                    {head}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {table.rows.map((row) => (
                <tr key={row.join('|')}>
                  {row.map((cell, at) => (
                    <td key={table.head[at]}>{cell}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollBox>
      ) : (
        <>
          {fault !== undefined && <p className="fault">{fault}</p>}
          <div
            ref={box}
            className="plot-box"
            style={{ minHeight: height }}
            role="slider"
            tabIndex={0}
            aria-label={`${label}: arrow keys read it out`}
            aria-valuemin={0}
            aria-valuemax={Math.max(0, props.readOut.length - 1)}
            aria-valuenow={cursor.at ?? 0}
            aria-valuetext={cursor.text}
            onKeyDown={cursor.onKeyDown}
            onPointerMove={cursor.onPointerMove}
            onPointerEnter={cursor.onEnter}
            onPointerLeave={cursor.onLeave}
            onFocus={cursor.onEnter}
            onBlur={cursor.onLeave}
          />
          <p className="read-out small quiet" aria-hidden="true">
            {cursor.text}
          </p>
        </>
      )}
    </figure>
  );
}

/** The line that follows pointer and arrow keys, and what stands there. Updates wait while it is used. */
function useCursor(
  { readOut }: ChartFigureProps,
  drawn: React.RefObject<DrawnChart | undefined>,
): {
  readonly at: number | undefined;
  readonly text: string;
  readonly onKeyDown: (event: React.KeyboardEvent) => void;
  readonly onPointerMove: (event: React.PointerEvent) => void;
  readonly onEnter: () => void;
  readonly onLeave: () => void;
} {
  const [at, setAt] = useState<number>();
  const letGo = useRef<(() => void) | undefined>(undefined);
  useEffect(() => () => letGo.current?.(), []);
  const move = (next: number): void => {
    const place = Math.min(readOut.length - 1, Math.max(0, next));
    const chart = drawn.current;
    const point = readOut[place];
    if (chart === undefined || point === undefined) return;
    setAt(place);
    let mark = chart.svg.querySelector<SVGLineElement>('[data-cursor]');
    if (mark === null) {
      mark = document.createElementNS('http://www.w3.org/2000/svg', 'line');
      mark.setAttribute('data-cursor', '');
      mark.setAttribute('stroke', 'currentColor');
      mark.setAttribute('stroke-dasharray', '2 2');
      chart.svg.append(mark);
    }
    const x = String(chart.xAt(point.x));
    for (const [name, value] of Object.entries({ x1: x, x2: x, y1: String(chart.top), y2: String(chart.bottom) }))
      mark.setAttribute(name, value);
  };
  const leave = (): void => {
    letGo.current?.();
    letGo.current = undefined;
    drawn.current?.svg.querySelector('[data-cursor]')?.remove();
    setAt(undefined);
  };
  return {
    at,
    text: at === undefined ? '' : (readOut[at]?.text ?? ''),
    onKeyDown: (event) => {
      const from = at ?? (event.key === 'ArrowLeft' ? readOut.length : -1);
      const steps: Readonly<Record<string, number>> = {
        ArrowLeft: from - 1,
        ArrowRight: from + 1,
        Home: 0,
        End: readOut.length - 1,
      };
      const next = steps[event.key];
      if (next === undefined) return;
      event.preventDefault();
      move(next);
    },
    onPointerMove: (event) => {
      const chart = drawn.current;
      if (chart === undefined || readOut.length === 0) return;
      const x = event.clientX - chart.svg.getBoundingClientRect().left;
      let nearest = 0;
      for (const [place, point] of readOut.entries())
        if (Math.abs(chart.xAt(point.x) - x) < Math.abs(chart.xAt(readOut[nearest]!.x) - x)) nearest = place;
      if (nearest !== at) move(nearest);
    },
    onEnter: () => {
      letGo.current ??= holdUpdates();
    },
    onLeave: leave,
  };
}
