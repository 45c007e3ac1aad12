// How are the faults of an imported table told? All found at once, each with file, row, column, value and rule.
import { AssayError } from '../../errors.ts';

/** One fault of one row. */
export interface RowFault {
  readonly place: string;
  /** The whole sentence, place included. */
  readonly text: string;
  /** The row. */
  readonly line: number;
}

/** @throws AssayError `input-invalid` unless there are none. */
export function tellRowFaults(faults: readonly RowFault[]): void {
  const [first] = faults;
  if (first === undefined) return;
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  throw new AssayError('input-invalid', `${first.text}${more}`, {
    issues: faults,
    fix: 'Nothing was imported. Mend the rows, or name other columns with --map.',
  });
}
