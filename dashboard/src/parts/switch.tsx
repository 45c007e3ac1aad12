// One of a few: buttons in a row, the chosen one pressed.
import type { JSX } from 'react';

/** The buttons. */
export function Switch<T extends string>(props: {
  readonly label: string;
  readonly value: T;
  readonly words: { readonly [value in T]?: string };
  readonly onChange: (value: T) => void;
}): JSX.Element {
  const { label, value, words, onChange } = props;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a frame and a legend around three buttons.
    <span className="group" role="group" aria-label={label}>
      {(Object.keys(words) as T[]).map((each) => (
        <button key={each} type="button" className="small" aria-pressed={value === each} onClick={() => onChange(each)}>
          {words[each]}
        </button>
      ))}
    </span>
  );
}
