// What do Seldon Core's headers say? `seldon-model` names the experiment, `x-seldon-route` the variant a caller had before.
import type { RoutedExperiment, Variant } from '../experiment/index.ts';
import { headerOf, type RawHeaders } from './forward-headers.ts';

/** Header that carries the token of a variant, in replies and in the requests of callers who want that variant again. */
export const routeTokenHeader = 'x-seldon-route';

const modelHeader = 'seldon-model';
const experimentSuffix = '.experiment';

/** What `seldon-model` asks for: an experiment by its name (`NAME.experiment`) or whatever answers for a model. */
export type SeldonTarget =
  | { readonly kind: 'experiment'; readonly name: string }
  | { readonly kind: 'model'; readonly name: string };

/** The target a request names by header; null when it names none. */
export function seldonTarget(headers: RawHeaders): SeldonTarget | null {
  const written = headerOf(headers, modelHeader)?.trim();
  if (written === undefined || written === '') return null;
  if (!written.endsWith(experimentSuffix)) return { kind: 'model', name: written };
  return { kind: 'experiment', name: written.slice(0, -experimentSuffix.length) };
}

/** Token of a variant: `:NAME_VERSION:`, as Seldon writes it. A variant that moves to another version gets another token. */
export function routeToken({ name, upstream }: Variant): string {
  return `:${name}_${(upstream.version ?? '1').replace(/[^A-Za-z0-9.-]/g, '-')}:`;
}

/** What a caller's token comes to: the variant it names, where that still has a share of the traffic. */
export type HeldRoute =
  | { readonly kind: 'none' }
  | { readonly kind: 'held'; readonly variant: Variant }
  /** It names no variant of now: one that is gone, has no share any more, or moved to another version. */
  | { readonly kind: 'stale'; readonly token: string };

/** The variant a caller had before, by its token. Tokens of several steps may stand one after another. */
export function heldRoute(headers: RawHeaders, { variants, allocation }: RoutedExperiment): HeldRoute {
  const token = headerOf(headers, routeTokenHeader)?.trim();
  if (token === undefined || token === '') return { kind: 'none' };
  if (allocation.kind !== 'fixed') return { kind: 'stale', token };
  const variant = variants.find(
    (each) => token.includes(routeToken(each)) && allocation.ranges.some((range) => range.variant === each.name),
  );
  return variant === undefined ? { kind: 'stale', token } : { kind: 'held', variant };
}

/** True when the caller speaks to Seldon, or by the protocol that Seldon's callers speak: its reply carries a token. */
export function wantsRouteToken(headers: RawHeaders, control: Variant): boolean {
  return (
    control.upstream.protocol === 'oip' ||
    headerOf(headers, modelHeader) !== undefined ||
    headerOf(headers, routeTokenHeader) !== undefined
  );
}
