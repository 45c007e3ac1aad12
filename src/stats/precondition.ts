// Is an argument one that statistics can work with? One sentence per rule: name, value, rule.

/** Refuses an argument. @throws RangeError always, as "NAME is VALUE, must be RULE". */
export function refuse(name: string, value: unknown, rule: string): never {
  throw new RangeError(`${name} is ${String(value)}, must be ${rule}`);
}

/** Returns a significance level. @throws RangeError unless it lies in (0, 1). */
export function requireAlpha(alpha: number): number {
  return alpha > 0 && alpha < 1 ? alpha : refuse('alpha', alpha, 'in (0, 1)');
}

/** Returns a probability. @throws RangeError unless it lies in [0, 1]. */
export function requireProbability(name: string, value: number): number {
  return value >= 0 && value <= 1 ? value : refuse(name, value, 'in [0, 1]');
}

/** Returns a number. @throws RangeError unless it is finite. */
export function requireFinite(name: string, value: number): number {
  return Number.isFinite(value) ? value : refuse(name, value, 'finite');
}

/** Returns a number. @throws RangeError unless it is finite and > 0. */
export function requirePositive(name: string, value: number): number {
  return Number.isFinite(value) && value > 0 ? value : refuse(name, value, 'finite and > 0');
}

/** Returns a number. @throws RangeError unless it is finite and >= 0. */
export function requireNonNegative(name: string, value: number): number {
  return Number.isFinite(value) && value >= 0 ? value : refuse(name, value, 'finite and >= 0');
}

/** Returns a count. @throws RangeError unless it is a whole number >= 0. */
export function requireCount(name: string, value: number): number {
  return Number.isSafeInteger(value) && value >= 0 ? value : refuse(name, value, 'a whole number >= 0');
}
