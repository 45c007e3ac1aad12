// The file as text, with its line numbers and the lines that have a fault.
import type { JSX } from 'react';
import type { ValidateAnswer } from '../../../src/api/index.ts';

/** The editor. */
export function FileEditor(props: {
  readonly text: string;
  readonly onChange: (text: string) => void;
  readonly faults: ValidateAnswer['faults'];
}): JSX.Element {
  const { text, onChange, faults } = props;
  const lines = text.split('\n');
  const faulty = new Set(faults.map(({ line }) => line));
  return (
    <div className="editor">
      <div className="gutter" aria-hidden="true">
        {lines.map((_, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a line has no other name than its number.
          <span key={at} className={faulty.has(at + 1) ? 'has-fault' : ''}>
            {faulty.has(at + 1) ? '! ' : ''}
            {at + 1}
          </span>
        ))}
      </div>
      <textarea
        aria-label="Experiment file (YAML)"
        name="file"
        spellCheck={false}
        autoCapitalize="off"
        rows={lines.length + 1}
        value={text}
        aria-invalid={faults.length > 0}
        onChange={(event) => onChange(event.target.value)}
      />
    </div>
  );
}
