// Which outcome does a row of an exported table tell of, and is it one the server will take?
import { createHash } from 'node:crypto';
import type { Table, TableRow } from '../../adapters/table-rows.ts';
import { AssayError } from '../../errors.ts';
import { type Json, parseOutcomes } from '../../evidence/index.ts';
import type { OutcomeInput } from '../../sdk/index.ts';
import { type RowFault, tellRowFaults } from './row-faults.ts';
import { cellText, cellTime, cellValue, type MappingTarget, type RowMapping } from './row-mapping.ts';

const subjects = ['predictionId', 'requestId', 'unit'] as const;

/** What of an outcome a table can hold. */
export const outcomeTarget: MappingTarget = {
  members: ['id', 'type', 'value', 'time', 'predictionId', 'row', 'requestId', 'unit'],
  prefixes: ['attributes.'],
  alternatives: subjects,
  onlyMapped: ['row'],
};

/** A good row. */
export interface OutcomeRow {
  readonly row: number;
  readonly outcome: OutcomeInput;
}

/** How to read outcomes from a table. */
export interface OutcomeReading {
  readonly table: Table;
  /** For messages. */
  readonly path: string;
  readonly mapping: RowMapping;
  /** Rows with an empty value are left out instead of refused. */
  readonly skipEmpty: boolean;
}

/**
 * The outcomes of a table, in its order.
 *
 * @param onSkip called for each row that is left out.
 * @throws AssayError `input-invalid` after the last row, or the 20th fault, naming file, row, column, value and rule.
 */
export async function* readOutcomeRows(
  { table, path, mapping, skipEmpty }: OutcomeReading,
  onSkip: () => void = () => {},
): AsyncGenerator<OutcomeRow> {
  const faults: RowFault[] = [];
  for await (const row of table.rows(mapping.columns)) {
    const outcome = toOutcome(mapping.read(row));
    if (skipEmpty && outcome.value === undefined) {
      onSkip();
      continue;
    }
    const found = faultsOf(outcome, { row, path, mapping });
    faults.push(...found);
    if (faults.length >= 20) break;
    if (found.length === 0) yield { row: row.row, outcome: outcome as unknown as OutcomeInput };
  }
  tellRowFaults(faults);
}

type Members = Readonly<Record<string, Json>>;

function toOutcome(given: Members): Members {
  const attributes = Object.entries(given).flatMap(([name, cell]) =>
    name.startsWith('attributes.') ? [[name.slice('attributes.'.length), cellValue(cell)]] : [],
  );
  const members = {
    type: given.type,
    value: cellValue(given.value),
    time: cellTime(given.time),
    ...Object.fromEntries(subjects.map((name) => [name, cellText(given[name])])),
    row: cellValue(given.row),
    ...(attributes.length === 0 ? {} : { attributes: Object.fromEntries(attributes) as Members }),
  };
  const content = Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Members;
  const id = cellText(given.id) ?? (isNamedByContent(content) ? contentId(content) : undefined);
  return id === undefined ? content : { id, ...content };
}

/** Something that happened to a user is told apart from the next only by its time. */
function isNamedByContent(content: Members): boolean {
  return content.time !== undefined || content.predictionId !== undefined;
}

/** The same content has the same id, in whichever row and file it stands. */
function contentId(content: Members): string {
  return `import-${createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 32)}`;
}

function faultsOf(
  outcome: Members,
  { row, path, mapping }: { readonly row: TableRow; readonly path: string; readonly mapping: RowMapping },
): readonly RowFault[] {
  const place = (member: string | undefined): string => {
    const column = member === undefined ? undefined : mapping.columnOf(member);
    return `${path} row ${row.row}${column === undefined ? '' : `, column ${column}`}`;
  };
  if (outcome.id === undefined)
    return [
      {
        line: row.row,
        place: place(undefined),
        text: `${place(undefined)} has neither id nor time, must have one to be told from others`,
      },
    ];
  try {
    parseOutcomes(outcome, { nowMs: 0, namespace: '', hashUnit: (id) => id });
    return [];
  } catch (fault) {
    if (!(fault instanceof AssayError)) throw fault;
    return fault.issues.map((issue) => {
      const member = /^outcome\.(\w+)/.exec(issue.place)?.[1];
      const text = issue.text.replace(/^outcome\.?/, '').trim();
      return {
        line: row.row,
        place: place(member),
        text: `${place(member)}${member === undefined ? '' : ':'} ${text}`,
      };
    });
  }
}
