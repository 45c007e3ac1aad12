// The same answer from a program, without this page.
import { type JSX, useState } from 'react';
import { ScrollBox } from '../parts/scroll-box.tsx';

const languages = ['curl', 'TypeScript'] as const;

/** A few lines that ask the same. */
export function CodeSample(props: {
  readonly experiment: string;
  readonly unit: string;
  readonly control: string;
}): JSX.Element {
  const [language, setLanguage] = useState<(typeof languages)[number]>('curl');
  const { experiment, unit, control } = props;
  const text = {
    curl: `curl '${location.origin}/api/v1/experiments/${encodeURIComponent(experiment)}/explain?unit=${encodeURIComponent(unit)}'`,
    TypeScript: `import { createAssigner, createClient } from 'assay/sdk';

const client = createClient({ server: '${location.origin}' });
const assigner = createAssigner({ snapshot: await client.routing() });
const { variant, reason } = assigner.assign(${JSON.stringify(experiment)}, ${JSON.stringify(unit)}, ${JSON.stringify(control)});`,
  }[language];
  return (
    <div className="card">
      <div className="section-head">
        <h2>From a program</h2>
        {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a frame around two buttons. */}
        <span className="group" role="group" aria-label="Language">
          {languages.map((each) => (
            <button
              key={each}
              type="button"
              className="small"
              aria-pressed={each === language}
              onClick={() => setLanguage(each)}
            >
              {each}
            </button>
          ))}
        </span>
      </div>
      <ScrollBox className="file" label={`${language} sample`}>
        <pre>{text}</pre>
      </ScrollBox>
    </div>
  );
}
