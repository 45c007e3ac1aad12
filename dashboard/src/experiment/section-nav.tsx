// Where on the page? Links to the sections, the present one marked; [ and ] go back and forth.
import { type JSX, useEffect, useMemo, useState } from 'react';
import { useKeys } from '../shell/keys.ts';

/** The list of sections. */
export function SectionNav(props: { readonly links: readonly (readonly [string, string])[] }): JSX.Element {
  const { links } = props;
  const [current, setCurrent] = useState(location.hash.slice(1));
  useEffect(() => {
    const found = links.map(([id]) => document.getElementById(id)).filter((each) => each !== null);
    const observer = new IntersectionObserver(
      (entries) => {
        const entered = entries.find(({ isIntersecting }) => isIntersecting);
        if (entered !== undefined) setCurrent(entered.target.id);
      },
      { rootMargin: '-110px 0px -70% 0px' },
    );
    for (const each of found) observer.observe(each);
    // A link to a section arrives before the section is there.
    const wanted = document.getElementById(location.hash.slice(1));
    wanted?.scrollIntoView();
    return () => observer.disconnect();
  }, [links]);
  const keys = useMemo(() => {
    const go = (step: number): void => {
      const at = links.findIndex(([id]) => id === current);
      const [id] = links[Math.min(links.length - 1, Math.max(0, at + step))] ?? [];
      if (id === undefined) return;
      const section = document.getElementById(id);
      section?.scrollIntoView();
      section?.focus({ preventScroll: true });
      setCurrent(id);
    };
    return { '[': () => go(-1), ']': () => go(1) };
  }, [links, current]);
  useKeys(keys);
  return (
    <nav className="sections" aria-label="Sections">
      {links.map(([id, title]) => (
        <a key={id} href={`#${id}`} {...(current === id ? { 'aria-current': 'true' as const } : {})}>
          {title}
        </a>
      ))}
    </nav>
  );
}
