// Is every request on record, once? Counts the predictions in the evidence of a data directory, from the log as from what was sealed.

import { readManifest } from '../../src/adapters/evidence-store/manifest.ts';
import { readEvidence } from '../../src/adapters/evidence-store/read-evidence.ts';
import { readLog } from '../../src/adapters/read-evidence-log.ts';

/** Predictions on record, and how many different ids they have. */
export interface Rows {
  readonly predictions: number;
  readonly distinct: number;
}

/** @param directory a data directory whose server has ended. */
export async function countRows(directory: string): Promise<Rows> {
  const ids = new Set<string>();
  let predictions = 0;
  const take = (record: { readonly kind: string; readonly predictionId?: string }): void => {
    if (record.kind !== 'prediction') return;
    predictions += 1;
    ids.add(record.predictionId ?? '');
  };
  if ((await readManifest(directory)).segments.length > 0) {
    for await (const record of readEvidence(directory)) take(record);
  } else {
    for await (const piece of readLog(directory)) {
      if (piece.kind !== 'frame') continue;
      for (const line of piece.payload.toString('utf8').trimEnd().split('\n')) take(JSON.parse(line));
    }
  }
  return { predictions, distinct: ids.size };
}
