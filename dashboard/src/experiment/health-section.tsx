// Can the numbers be trusted? Every check with its state; the failed ones open.
import { type JSX, useRef } from 'react';
import type { HealthItem } from '../../../src/api/index.ts';
import { Icon } from '../parts/icon.tsx';
import { useExperiment } from './experiment-context.tsx';
import { Section } from './section.tsx';

const words: Readonly<Record<HealthItem['state'], string>> = {
  ok: 'passes',
  waiting: 'waits',
  warning: 'does not hold',
  veto: 'forbids a conclusion',
};

/** Checks that the table of where the split breaks explains. */
const splitChecks: readonly string[] = ['sampleRatio', 'segmentRatio'];

interface Seat {
  readonly name: string;
  readonly title: string;
  /** Undefined while there is nothing that it could judge. */
  readonly item: HealthItem | undefined;
}

/** The checks in the places where the reader first saw them: a new one comes last, one that has gone leaves its place. */
function useSeats(health: readonly HealthItem[]): readonly Seat[] {
  const titles = useRef(new Map<string, string>());
  for (const { name, title } of health) if (!titles.current.has(name)) titles.current.set(name, title);
  return [...titles.current].map(([name, title]) => ({
    name,
    title,
    item: health.find((each) => each.name === name),
  }));
}

/** The health row. */
export function HealthSection(): JSX.Element {
  const { health } = useExperiment().answer;
  const seats = useSeats(health);
  const passing = health.filter(({ state }) => state === 'ok').length;
  return (
    <Section id="health" title={`Health: ${passing} of ${health.length} checks pass`}>
      <div className="health">
        {seats.map(({ name, title, item }) =>
          item === undefined ? (
            <span key={name} className="seat quiet">
              {title}
              <span className="spoken"> has nothing to judge now</span>
            </span>
          ) : (
            <Check key={name} {...item} />
          ),
        )}
      </div>
    </Section>
  );
}

function Check({ name, title, state, text, fix }: HealthItem): JSX.Element {
  return (
    <details className={state} open={state === 'veto'} data-check={name} data-state={state}>
      <summary>
        <span className={state === 'ok' ? 'better' : state === 'waiting' ? 'undecided' : 'worse'}>
          <Icon name={state} />
        </span>
        {title}
        <span className="spoken"> {words[state]}</span>
      </summary>
      <p>{text}</p>
      {fix !== undefined && <p>What to do: {fix}</p>}
      {splitChecks.includes(name) && (
        <p>
          <a href="#split-cells">By time, segment and revision</a>
        </p>
      )}
    </details>
  );
}
