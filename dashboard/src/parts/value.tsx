// One number on the page: what stands at its place in the answer, so that page and API cannot differ.
import { createContext, type JSX, useContext, useMemo } from 'react';
import { type ValuePlace, valueText } from '../value-text.ts';

interface Source {
  readonly answer: unknown;
  /** Address the answer came from. */
  readonly from: string;
}

const SourceContext = createContext<Source>({ answer: undefined, from: '' });

/** Says from which answer the numbers below come. */
export function ValueSource(props: Source & { readonly children: React.ReactNode }): JSX.Element {
  const { answer, from, children } = props;
  const source = useMemo(() => ({ answer, from }), [answer, from]);
  return <SourceContext value={source}>{children}</SourceContext>;
}

/** The number at `path`, written as `as` says; the reason where there is none. */
export function Value(props: ValuePlace & { readonly className?: string | undefined }): JSX.Element {
  const { answer, from } = useContext(SourceContext);
  const { path, as, unit, interval, className } = props;
  const { kind, text } = valueText(answer, props);
  const names = [kind === 'insufficient' ? 'quiet small' : '', className ?? ''].join(' ').trim();
  return (
    <span
      {...(names === '' ? {} : { className: names })}
      data-value-from={from}
      data-value-path={path}
      data-value-as={as}
      data-value-unit={unit}
      data-value-interval={interval}
    >
      {text}
    </span>
  );
}
