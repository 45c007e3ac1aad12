// A section of the page: its heading, what stands beside it, and what is inside, drawn when the reader comes near.
import { type JSX, type ReactNode, useEffect, useRef, useState } from 'react';
import { useHeldHeight } from '../parts/held-height.ts';
import { useExperiment } from './experiment-context.tsx';

/** A section with an anchor. It does not become lower by itself, so that those below it stay where they are. */
export function Section(props: {
  readonly id: string;
  readonly title: string;
  readonly beside?: ReactNode;
  readonly children: ReactNode;
}): JSX.Element {
  const { id, title, beside, children } = props;
  const { view, isWithheld } = useExperiment();
  const box = useHeldHeight<HTMLElement>({ sparePx: 0, of: JSON.stringify([view, isWithheld]) });
  return (
    <section ref={box} className="card" id={id} aria-labelledby={`${id}-title`} tabIndex={-1}>
      <div className="section-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {beside}
      </div>
      {children}
    </section>
  );
}

/** Draws its children once they come near the window; until then their place is kept free. */
export function WhenNear(props: { readonly children: () => ReactNode; readonly isTall?: boolean }): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const [isNear, setNear] = useState(false);
  useEffect(() => {
    if (isNear || box.current === null) return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && setNear(true), {
      rootMargin: '400px',
    });
    observer.observe(box.current);
    // Printing draws everything.
    const all = (): void => setNear(true);
    addEventListener('beforeprint', all);
    return () => {
      observer.disconnect();
      removeEventListener('beforeprint', all);
    };
  }, [isNear]);
  if (isNear) return props.children();
  return <div ref={box} className={`plot-box${props.isTall === true ? ' tall' : ''}`} />;
}
