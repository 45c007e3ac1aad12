// When is a body of outcomes or events taken? When all of it is right, and then only with all of it durable.
import { createHash } from 'node:crypto';
import { type EventsAnswer, outcomesOfCloudEvents } from '../api/index.ts';
import { AssayError } from '../errors.ts';
import { type EvidenceLog, mapEvents, type OutcomeRecord, parseOutcomes } from '../evidence/index.ts';
import type { OutcomeMapping } from '../experiment/index.ts';
import { now } from './clock.ts';
import type { Intake, IntakePiece } from './read-intake.ts';

/** Options of `createOutcomeIntake`. */
export interface OutcomeIntakeOptions {
  readonly evidence: EvidenceLog;
  readonly hashUnit: (id: string) => string;
}

/** Takes outcomes, all of a body or none. */
export interface OutcomeIntake {
  /** How many; 200 may be said. @throws AssayError `outcome-invalid`, `body-too-large`, `request-invalid`, `evidence-not-durable`. */
  take(intake: Intake, namespace: string): Promise<number>;
  /** The outcomes among foreign events. @throws AssayError as `take`. */
  takeEvents(
    intake: Intake,
    reading: { readonly mappings: readonly OutcomeMapping[]; readonly namespace: string },
  ): Promise<EventsAnswer>;
}

/** Records handed to the log at once: encoding more would hold up the gateway of this process. */
const recordsAtOnce = 2_000;
const mostIssues = 100;

/** The intake of one server. */
export function createOutcomeIntake({ evidence, hashUnit }: OutcomeIntakeOptions): OutcomeIntake {
  const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);

  const store = async (records: readonly OutcomeRecord[]): Promise<void> => {
    for (let from = 0; from < records.length; from += recordsAtOnce)
      await evidence.appendDurable(records.slice(from, from + recordsAtOnce));
  };

  return {
    async take({ isCloudEvents, pieces }, namespace) {
      const records: OutcomeRecord[] = [];
      const nowMs = now();
      await readWhole(pieces, ({ body, lines }) => {
        // The specification allows an empty batch, and nothing is what it holds.
        if (isCloudEvents && Array.isArray(body) && body.length === 0) return;
        const outcomes = isCloudEvents ? outcomesOfCloudEvents(body, { digest }) : body;
        const at = lines === undefined ? {} : { lines };
        for (const record of parseOutcomes(outcomes, { nowMs, namespace, hashUnit, ...at })) records.push(record);
      });
      await store(records);
      return records.length;
    },
    async takeEvents({ pieces }, { mappings, namespace }) {
      const records: OutcomeRecord[] = [];
      const nowMs = now();
      let ignored = 0;
      await readWhole(pieces, ({ body, lines }) => {
        const at = lines === undefined ? {} : { lines };
        const mapped = mapEvents(body, { mappings, nowMs, namespace, hashUnit, digest, ...at });
        for (const record of mapped.records) records.push(record);
        ignored += mapped.ignored;
      });
      await store(records);
      return { accepted: records.length, ignored };
    },
  };
}

/** Reads on after a fault, so that one answer names them all. */
async function readWhole(pieces: AsyncIterable<IntakePiece>, read: (piece: IntakePiece) => void): Promise<void> {
  const issues: { readonly place: string; readonly text: string; readonly line?: number }[] = [];
  let count = 0;
  for await (const piece of pieces) {
    issues.push(...piece.issues);
    count += piece.issues.length;
    if (Array.isArray(piece.body) && piece.body.length === 0 && piece.issues.length > 0) continue;
    try {
      read(piece);
    } catch (fault) {
      if (!(fault instanceof AssayError) || fault.code !== 'outcome-invalid') throw fault;
      issues.push(...fault.issues);
      count += fault.issues.length;
    }
    issues.splice(mostIssues);
  }
  // In the order of the body, whoever found them.
  const [first] = issues.sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  if (first === undefined) return;
  const more = count > 1 ? ` (and ${count - 1} more)` : '';
  throw new AssayError('outcome-invalid', `${first.text}${more}`, { issues });
}
