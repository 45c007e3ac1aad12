// `assay import outcomes`: takes what happened from an exported file, through the API or straight into a data directory.

import { createCountingObserver } from '../../adapters/counting-observer.ts';
import { lockDataDirectory } from '../../adapters/data-directory-lock.ts';
import { openEvidenceLog } from '../../adapters/file-evidence-log.ts';
import { openTable } from '../../adapters/table-rows.ts';
import { openUnitHasher } from '../../adapters/unit-key.ts';
import { AssayError } from '../../errors.ts';
import { parseOutcomes } from '../../evidence/index.ts';
import { createClient, type OutcomeInput } from '../../sdk/index.ts';
import { note, say, sayJson } from '../terminal.ts';
import { createProgress } from './import-progress.ts';
import { type OutcomeReading, outcomeTarget, readOutcomeRows } from './outcome-rows.ts';
import { type MappingOptions, mapRows } from './row-mapping.ts';

/** What the command line says. */
export interface ImportOutcomesOptions extends MappingOptions {
  readonly server: string;
  readonly namespace: string;
  /** Without a server, straight into this directory. */
  readonly data?: string;
  readonly skipEmpty?: boolean;
  readonly fromRow: number;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

interface Sink {
  /** Resolves once all are durable. */
  readonly send: (outcomes: readonly OutcomeInput[]) => Promise<void>;
  readonly close: () => Promise<void>;
}

const outcomesAtOnce = 2_000;

/**
 * Checks every row, then sends them; prints how many.
 *
 * @throws AssayError `usage-invalid`, `file-unreadable`, `input-invalid` before anything is sent; later the server's fault, with the
 *   row to go on from.
 */
export async function importOutcomesCommand(path: string, options: ImportOutcomesOptions): Promise<void> {
  const table = await openTable(path);
  try {
    const mapping = mapRows(options, outcomeTarget, { path, columns: table.columns });
    if (table.columns !== undefined) requireMembers(mapping.key, ['type', 'value'], path);
    const reading: OutcomeReading = { table, path, mapping, skipEmpty: options.skipEmpty === true };
    let rows = 0;
    let skipped = 0;
    for await (const _ of readOutcomeRows(reading, () => (skipped += 1))) rows += 1;
    if (rows === 0) throw new AssayError('input-invalid', `${path} has no row with an outcome, must have at least one`);
    const sent = options.dryRun ? 0 : await sendAll(reading, options, rows);
    if (options.json) sayJson({ rows, skipped, sent });
    else {
      say(options.dryRun ? `${rows} outcomes are right; nothing was sent` : `${sent} outcomes are durable`);
      if (skipped > 0) say(`${skipped} rows without a value were left out`);
    }
  } finally {
    await table.close();
  }
}

function requireMembers(key: string, members: readonly string[], path: string): void {
  const missing = members.filter((member) => !key.includes(`["${member}",`));
  if (missing.length > 0)
    throw new AssayError('usage-invalid', `${path} has no column for ${missing.join(' and ')}, must have one`, {
      fix: 'Name a column with --map value=amount, or one value for all rows with --set type=revenue.',
    });
}

async function sendAll(reading: OutcomeReading, options: ImportOutcomesOptions, of: number): Promise<number> {
  const sink = await openSink(options);
  const progress = createProgress(of, 'outcomes');
  let sent = 0;
  let lastRow = 0;
  let batch: OutcomeInput[] = [];
  const flush = async (upTo: number): Promise<void> => {
    if (batch.length === 0) return;
    await sink.send(batch);
    sent += batch.length;
    batch = [];
    lastRow = upTo;
    progress.update(sent);
  };
  try {
    let row = 0;
    for await (const each of readOutcomeRows(reading)) {
      if (each.row < options.fromRow) continue;
      row = each.row;
      batch.push(each.outcome);
      if (batch.length >= outcomesAtOnce) await flush(row);
    }
    await flush(row);
    return sent;
  } catch (fault) {
    if (!(fault instanceof AssayError)) throw fault;
    const done = lastRow === 0 ? 'No row was acknowledged.' : `Rows up to ${lastRow} are durable.`;
    const again = lastRow === 0 ? 'Run it again' : `Run it again, with --from-row ${lastRow + 1} to save time`;
    throw new AssayError(fault.code, fault.message, {
      cause: fault,
      issues: fault.issues,
      fix: `${done} ${again}; an id that was sent counts once. ${fault.fix}`,
    });
  } finally {
    progress.stop();
    await sink.close();
  }
}

async function openSink({ data, server, namespace }: ImportOutcomesOptions): Promise<Sink> {
  if (data === undefined) {
    const token = process.env.ASSAY_TOKEN;
    const client = createClient({ server, namespace, timeoutMs: 60_000, retries: 5, ...(token ? { token } : {}) });
    return { send: async (outcomes) => void (await client.reportOutcomes(outcomes)), close: async () => {} };
  }
  const lock = await lockDataDirectory(data);
  try {
    const { hashUnit } = await openUnitHasher({ directory: data, environment: process.env });
    const observer = createCountingObserver({ now: Date.now, onFault: ({ message }) => note(message) });
    const log = await openEvidenceLog({ directory: data, now: Date.now, observer });
    return {
      send: (outcomes) => log.appendDurable(parseOutcomes(outcomes, { nowMs: Date.now(), namespace, hashUnit })),
      close: async () => {
        await log.close();
        await lock.release();
      },
    };
  } catch (fault) {
    await lock.release();
    throw fault;
  }
}
