// How is one number of an answer written? Found by its JSON pointer and put into words by the shared functions, nothing else.
import {
  boundsText,
  countText,
  differenceText,
  durationText,
  type FigureUnit,
  levelText,
  probabilityText,
  pValueText,
  relativeText,
  shareText,
} from '../../src/decision/index.ts';

/** What a number is, which decides how it is written. */
export type ValueForm =
  | 'level'
  | 'difference'
  | 'bounds'
  | 'level-bounds'
  | 'count'
  | 'share'
  | 'p'
  | 'probability'
  | 'relative'
  /** A number of days, however short. */
  | 'days'
  | 'text';

/** Where a number stands and how it is written. */
export interface ValuePlace {
  /** JSON pointer into the answer. */
  readonly path: string;
  readonly as: ValueForm;
  readonly unit?: FigureUnit;
  /** JSON pointer of the interval that sets the digits. */
  readonly interval?: string;
}

/** What stands at a JSON pointer; undefined where nothing does. */
export function atPointer(answer: unknown, pointer: string): unknown {
  let found = answer;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (found === null || typeof found !== 'object') return undefined;
    found = (found as Readonly<Record<string, unknown>>)[key];
  }
  return found;
}

type Shown = { readonly kind: 'shown' | 'insufficient'; readonly text: string };

/** The text of a number; where there is none, the reason why. */
export function valueText(answer: unknown, place: ValuePlace): Shown {
  const value = atPointer(answer, place.path);
  const reason = reasonOf(value);
  if (reason !== undefined) return { kind: 'insufficient', text: reason };
  const unit = place.unit ?? 'number';
  const interval = place.interval === undefined ? undefined : (atPointer(answer, place.interval) as never);
  return { kind: 'shown', text: shownText(value, { as: place.as, unit, interval }) };
}

function shownText(
  value: unknown,
  { as, unit, interval }: { readonly as: ValueForm; readonly unit: FigureUnit; readonly interval: never | undefined },
): string {
  switch (as) {
    case 'level':
      return levelText(value as number, { unit, interval });
    case 'difference':
      return differenceText(value as number, { unit, interval });
    case 'bounds':
      return boundsText(value as never, { unit });
    case 'level-bounds':
      return boundsText(value as never, { unit, isLevel: true });
    case 'count':
      return countText(value as number);
    case 'share':
      return shareText(value as number);
    case 'p':
      return pValueText(value as number);
    case 'probability':
      return probabilityText(value as number);
    case 'relative':
      return relativeText(value as number, interval);
    case 'days':
      return durationText((value as number) * 86_400_000);
    case 'text':
      return String(value);
  }
}

function reasonOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return 'not measured';
  if (typeof value !== 'object') return undefined;
  const { kind, reason } = value as { readonly kind?: string; readonly reason?: string };
  return kind === 'insufficient' ? (reason ?? 'not enough data') : undefined;
}
