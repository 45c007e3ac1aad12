// Which non-negative numbers that obey some linear equations cost least?

/** Equations whose basis columns form an identity matrix and whose totals are >= 0, so that the basis is a first answer. */
export interface LinearProgram {
  /** One cost per variable. */
  readonly costs: readonly number[];
  /** Coefficients of every variable, and what they must sum up to. */
  readonly equations: readonly { readonly coefficients: readonly number[]; readonly total: number }[];
  /** For every equation the variable that is 1 there and 0 in the others. */
  readonly basis: readonly number[];
}

/**
 * The cheapest variables >= 0 that satisfy the equations; for programs whose cost is bounded below.
 * @see Dantzig 1963 (simplex method); Bland 1977, Mathematics of Operations Research 2(2) (rule that never cycles)
 */
export function solveLinearProgram(program: LinearProgram): readonly number[] {
  const rows = program.equations.map(({ coefficients, total }) => [...coefficients, total]);
  const basis = [...program.basis];
  const width = program.costs.length;
  const reduced = [...program.costs, 0];
  for (const [r, row] of rows.entries()) subtract(reduced, row, program.costs[basis[r]!]!);
  const scale = Math.max(...program.costs.map(Math.abs), 1e-300);
  for (let step = 0; step < 20_000; step += 1) {
    const entering = enteringOf(reduced, { width, least: -1e-12 * scale, isCareful: step > 500 });
    if (entering < 0) break;
    const leaving = leavingOf(rows, { entering, width, basis });
    if (leaving < 0) break;
    const pivotRow = rows[leaving]!;
    const pivot = pivotRow[entering]!;
    for (let j = 0; j <= width; j += 1) pivotRow[j]! /= pivot;
    for (const [r, row] of rows.entries()) if (r !== leaving) subtract(row, pivotRow, row[entering]!);
    subtract(reduced, pivotRow, reduced[entering]!);
    basis[leaving] = entering;
  }
  const solution = new Array<number>(width).fill(0);
  for (const [r, variable] of basis.entries()) solution[variable] = Math.max(0, rows[r]![width]!);
  return solution;
}

function subtract(from: number[], row: readonly number[], factor: number): void {
  if (factor !== 0) for (let j = 0; j < row.length; j += 1) from[j]! -= factor * row[j]!;
}

/** The variable that saves most, or, when careful, the first that saves anything; -1 when none does. */
function enteringOf(
  reduced: readonly number[],
  options: { readonly width: number; readonly least: number; readonly isCareful: boolean },
): number {
  let best = -1;
  let saving = options.least;
  for (let j = 0; j < options.width; j += 1) {
    if (reduced[j]! >= saving) continue;
    if (options.isCareful) return j;
    [best, saving] = [j, reduced[j]!];
  }
  return best;
}

/** The equation whose variable reaches 0 first, the lowest variable among equals. */
function leavingOf(
  rows: readonly (readonly number[])[],
  options: { readonly entering: number; readonly width: number; readonly basis: readonly number[] },
): number {
  const { entering, width, basis } = options;
  let best = -1;
  let ratio = Infinity;
  for (const [r, row] of rows.entries()) {
    if (row[entering]! <= 1e-11) continue;
    const reach = row[width]! / row[entering]!;
    if (reach < ratio || (reach === ratio && basis[r]! < basis[best]!)) [best, ratio] = [r, reach];
  }
  return best;
}
