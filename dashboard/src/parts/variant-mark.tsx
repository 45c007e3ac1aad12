// Which variant is meant? A shape and a colour that go together everywhere: control a dot, candidates square, triangle, diamond.
import type { JSX } from 'react';

/** Where a variant stands: 0 the control, then the candidates in the file's order; from the fifth on all are grey. */
export type VariantPlace = 0 | 1 | 2 | 3 | 4 | 5;

/** The place of a variant among all of an experiment. */
export function placeOf(
  variant: string,
  order: { readonly control: string; readonly variants: readonly string[] },
): VariantPlace {
  if (variant === order.control) return 0;
  const at = order.variants.filter((name) => name !== order.control).indexOf(variant);
  return (at < 0 || at > 3 ? 5 : at + 1) as VariantPlace;
}

/** Outline of each place's mark, around 0, 0 and 10 wide. */
export const markPaths: readonly string[] = [
  'M5 0A5 5 0 1 1 -5 0A5 5 0 1 1 5 0Z',
  'M-4.5 -4.5h9v9h-9Z',
  'M0 -5.5 5.2 4.2h-10.4Z',
  'M0 -5.8 5.8 0 0 5.8 -5.8 0Z',
  'M0 5.5 5.2 -4.2h-10.4Z',
  'M-1.6 -5h3.2v10h-3.2Z',
];

/** Token of each place's colour. */
export const markColours: readonly string[] = [
  'control',
  'variant-1',
  'variant-2',
  'variant-3',
  'variant-4',
  'variant-5',
];

/** Dashes of each place's line. */
export const markDashes: readonly string[] = ['none', '6 2', '2 2', '8 2 2 2', '1 3', '10 4'];

const markNames: readonly string[] = ['control', '1', '2', '3', '4', '5'];

/** The mark of a variant, before its name. */
function VariantMark({ place }: { readonly place: VariantPlace }): JSX.Element {
  return (
    <svg className={`icon mark-${markNames[place]}`} viewBox="-8 -8 16 16" aria-hidden="true" focusable="false">
      <path d={markPaths[place]} />
    </svg>
  );
}

/** The name of a variant with its mark. */
export function VariantName({ name, place }: { readonly name: string; readonly place: VariantPlace }): JSX.Element {
  return (
    <span className="nowrap">
      <VariantMark place={place} /> {name}
    </span>
  );
}
