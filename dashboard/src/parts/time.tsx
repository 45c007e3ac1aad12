// When was it? The clock of the reader's zone, UTC on hover.
import { createContext, type JSX, useContext } from 'react';

/** The reader's zone, named once on the page. */
export const readerZone: string = Intl.DateTimeFormat().resolvedOptions().timeZone;

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

/** The day of a time in the reader's zone. */
export function dayText(at: string | number): string {
  return day.format(new Date(at));
}

/** The clock of a time in the reader's zone. */
export function clockText(at: string | number): string {
  return clock.format(new Date(at));
}

const NowContext = createContext<string>('');
/** Says which day is today, so that times of today are short. */
export const Today: React.Provider<string> = NowContext.Provider;

/** A point in time. */
export function Time({ at }: { readonly at: string | number }): JSX.Element {
  const today = useContext(NowContext);
  const date = new Date(at);
  const isToday = dayText(at) === today;
  return (
    <time
      dateTime={date.toISOString()}
      title={`${date.toISOString().replace('T', ' ').slice(0, 19)} UTC`}
      className="nowrap"
    >
      {isToday ? clockText(at) : `${dayText(at)} ${clockText(at).slice(0, 5)}`}
    </time>
  );
}
