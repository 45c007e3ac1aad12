// Is it hurting now? The last hour by variant, the guardrails, and what happens by itself.
import type { JSX } from 'react';
import type { NowAnswer } from '../../../src/api/index.ts';
import { Answered } from '../parts/fault-box.tsx';
import { Icon } from '../parts/icon.tsx';
import { Time } from '../parts/time.tsx';
import { Value, ValueSource } from '../parts/value.tsx';
import { VariantName } from '../parts/variant-mark.tsx';
import { partPath } from '../server/page-paths.ts';
import { usePart } from '../server/questions.ts';
import { useExperiment, useVariantPlace } from './experiment-context.tsx';
import { Section } from './section.tsx';

const words = { met: 'holds', 'not-met': 'breached', undecided: 'open' } as const;

/** The last hour. */
export function NowSection(): JSX.Element {
  const { key } = useExperiment();
  const now = usePart(key, 'now');
  return (
    <Section id="now" title="Now: the last hour">
      <Answered question={now}>
        {(answer) => (
          <ValueSource answer={answer} from={partPath(key, 'now')}>
            <Strip answer={answer} />
          </ValueSource>
        )}
      </Answered>
    </Section>
  );
}

function Strip({ answer }: { readonly answer: NowAnswer }): JSX.Element {
  const placeOf = useVariantPlace();
  return (
    <div className="now">
      {answer.variants.map(({ variant, lastAt, requests, fallback }, at) => {
        const path = `/variants/${at}`;
        return (
          <div key={variant}>
            <VariantName name={variant} place={placeOf(variant)} />
            <span>
              requests failed: <Value path={`${path}/failed`} as="count" /> of{' '}
              <Value path={`${path}/requests`} as="count" />
            </span>
            <span>
              p95 <Value path={`${path}/p95Ms`} as="level" unit="ms" />
              {fallback > 0 && (
                <>
                  {' '}
                  · fallback <Value path={`${path}/fallback`} as="count" />
                </>
              )}
            </span>
            <span className="small quiet">
              {lastAt === undefined || requests === 0 ? (
                'no request in this hour'
              ) : (
                <>
                  last <Time at={lastAt} />
                </>
              )}
            </span>
          </div>
        );
      })}
      <div>
        <strong>Guardrails</strong>
        {answer.guardrails.length === 0 && <span className="quiet">none declared</span>}
        {answer.guardrails.map(({ text, variant, outcome }) => (
          <span key={text + variant} className={outcome === 'not-met' ? 'worse' : ''}>
            <Icon name={outcome === 'met' ? 'ok' : outcome === 'not-met' ? 'veto' : 'open'} /> <code>{text}</code>{' '}
            {variant}: {words[outcome]}
          </span>
        ))}
        <span className="small quiet">on a breach: {answer.onBreach}</span>
      </div>
    </div>
  );
}
