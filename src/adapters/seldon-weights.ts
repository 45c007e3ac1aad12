// How are shares of traffic said in Seldon's whole weights?

/** Parts a whole is cut into: hundredths of a percent. */
const parts = 10_000;

/**
 * Whole weights in the proportion of the shares, by largest remainder: within 0.0001 of each share, a share above 0 never 0.
 * In percent where that is exact.
 *
 * @param shares each in [0, 1], their sum 1 (within 1e-9).
 * @throws RangeError otherwise.
 */
export function seldonWeights(shares: readonly number[]): readonly number[] {
  const sum = shares.reduce((total, share) => total + share, 0);
  for (const [index, share] of shares.entries())
    if (!(share >= 0 && share <= 1 + 1e-9)) throw new RangeError(`shares[${index}] is ${share}, must be in [0, 1]`);
  if (!(Math.abs(sum - 1) < 1e-9)) throw new RangeError(`the sum of shares is ${sum}, must be 1`);
  const exact = shares.map((share) => share * parts);
  const weights = exact.map((each) => (each > 0 ? Math.max(1, Math.floor(each + 1e-9)) : 0));
  const order = exact
    .map((each, index) => ({ index, rest: each - weights[index]! }))
    .toSorted((a, b) => b.rest - a.rest);
  let missing = parts - weights.reduce((total, weight) => total + weight, 0);
  for (const { index } of order) {
    if (missing <= 0) break;
    weights[index]! += 1;
    missing -= 1;
  }
  // Tiny shares were raised to 1: the largest gives what they took.
  if (missing < 0) weights[weights.indexOf(Math.max(...weights))]! += missing;
  return weights.every((weight) => weight % 100 === 0) ? weights.map((weight) => weight / 100) : weights;
}
