// What share does a person mean by `0.2` or `20%`?

/** The share in a text, 0.2 for `0.2` and `20%`; NaN where there is no number. Bounds are the caller's to check. */
export function shareOf(text: string): number {
  const digits = text.endsWith('%') ? text.slice(0, -1) : text;
  if (digits.trim() === '') return Number.NaN;
  return Number(digits) / (digits === text ? 1 : 100);
}
