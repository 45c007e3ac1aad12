// What is being looked at, as it stands in the address? One codec, so that every view can be linked; strange values are told and ignored.
import { useCallback, useMemo } from 'react';
import { useLocation, useSearch } from 'wouter';

/** The values a parameter may have, the default first; `text` takes any. */
export type ViewShape = Readonly<Record<string, readonly string[] | 'text'>>;

/** A view as read from the address. */
export type ViewOf<Shape extends ViewShape> = {
  readonly [Key in keyof Shape]: Shape[Key] extends readonly (infer Value)[] ? Value : string | undefined;
};

/** Reads the parameters of `shape`; what is not among a parameter's values is in `strange`, and its default holds. */
export function readView<const Shape extends ViewShape>(
  search: string,
  shape: Shape,
): { readonly view: ViewOf<Shape>; readonly strange: readonly string[] } {
  const params = new URLSearchParams(search);
  const strange: string[] = [];
  const view = Object.fromEntries(
    Object.entries(shape).map(([key, values]) => {
      const given = params.get(key);
      if (values === 'text') return [key, given ?? undefined];
      if (given === null || values.includes(given)) return [key, given ?? values[0]];
      strange.push(`${key}=${given}`);
      return [key, values[0]];
    }),
  );
  return { view: view as ViewOf<Shape>, strange };
}

/** The search with some parameters changed; defaults are left out, parameters of others stay. */
export function writeView<const Shape extends ViewShape>(
  search: string,
  options: { readonly shape: Shape; readonly change: Readonly<Partial<Record<keyof Shape, string | undefined>>> },
): string {
  const params = new URLSearchParams(search);
  for (const [key, value] of Object.entries(options.change)) {
    const values = options.shape[key];
    if (value === undefined || value === '' || (values !== 'text' && values?.[0] === value)) params.delete(key);
    else params.set(key, value);
  }
  return params.toString();
}

/** The view of the address and the way to change it; changes replace the entry of the history unless `isStep`. */
export function useView<const Shape extends ViewShape>(
  shape: Shape,
): {
  readonly view: ViewOf<Shape>;
  readonly strange: readonly string[];
  readonly setView: (
    change: Readonly<Partial<Record<keyof Shape, string | undefined>>>,
    options?: { readonly isStep?: boolean },
  ) => void;
} {
  const search = useSearch();
  const [path, navigate] = useLocation();
  const read = useMemo(() => readView(search, shape), [search, shape]);
  const setView = useCallback<ReturnType<typeof useView<Shape>>['setView']>(
    (change, options = {}) => {
      const next = writeView(search, { shape, change });
      navigate(`${path}${next === '' ? '' : `?${next}`}${location.hash}`, { replace: options.isStep !== true });
    },
    [search, path, navigate, shape],
  );
  return { ...read, setView };
}
