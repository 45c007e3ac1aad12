// How does text that changes by itself not move what stands below it? Its box keeps the largest height it has had.
import { type RefObject, useLayoutEffect, useRef } from 'react';

/**
 * Gives the ref of a box that does not become lower by itself; it does when the reader opens, closes or chooses
 * something in it and when its width changes.
 *
 * @param options.sparePx Room that is kept free from the start, for what may come.
 * @param options.of What the box shows; about something else it begins anew.
 */
export function useHeldHeight<T extends HTMLElement>(options: {
  readonly sparePx: number;
  readonly of: string;
}): RefObject<T | null> {
  const { sparePx, of } = options;
  const box = useRef<T>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what the box shows decides when to begin anew.
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    let width = 0;
    let held = 0;
    const letGo = (): void => {
      held = 0;
      element.style.minHeight = '';
    };
    /** Without a least height that the style sheet may ask for. */
    const ownHeight = (): number => {
      element.style.minHeight = '0';
      return element.offsetHeight;
    };
    const hold = (): void => {
      if (element.offsetWidth !== width) letGo();
      width = element.offsetWidth;
      const height = element.offsetHeight;
      if (height <= held) return;
      held = held === 0 ? Math.max(height, ownHeight() + sparePx) : height;
      element.style.minHeight = `${held}px`;
    };
    const onUse = ({ target }: Event): void => {
      if (target instanceof Element && target.closest('summary, select, [aria-pressed]') !== null) letGo();
    };
    hold();
    const observer = new ResizeObserver(hold);
    observer.observe(element);
    element.addEventListener('click', onUse);
    element.addEventListener('change', onUse);
    // It does not bubble.
    element.addEventListener('toggle', hold, true);
    return () => {
      letGo();
      observer.disconnect();
      element.removeEventListener('click', onUse);
      element.removeEventListener('change', onUse);
      element.removeEventListener('toggle', hold, true);
    };
  }, [of, sparePx]);
  return box;
}
