// Something larger than its place: a region of its own, so that keys can scroll it too.
import type { JSX, ReactNode } from 'react';

/** A box that scrolls. */
export function ScrollBox(props: {
  readonly label: string;
  readonly className: string;
  readonly children: ReactNode;
}): JSX.Element {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keys.
    <section className={props.className} tabIndex={0} aria-label={props.label}>
      {props.children}
    </section>
  );
}
