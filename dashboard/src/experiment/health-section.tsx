// Can the numbers be trusted? Every check with its state; the failed ones open.
import type { JSX } from 'react';
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

/** The health row. */
export function HealthSection(): JSX.Element {
  const { health } = useExperiment().answer;
  const passing = health.filter(({ state }) => state === 'ok').length;
  return (
    <Section id="health" title={`Health: ${passing} of ${health.length} checks pass`}>
      <div className="health">
        {health.map(({ name, title, state, text, fix }) => (
          <details key={name} className={state} open={state === 'veto'} data-check={name} data-state={state}>
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
        ))}
      </div>
    </Section>
  );
}
