// What came since the last report, in any order: new and late exposures, outcomes before their exposures, corrections, duplicates.
import type { NewRecord } from '../../src/evidence/index.ts';
import { reportMs, startMs } from './make-evidence.ts';

/** A prediction that is known already. */
export interface Known {
  readonly unit: string;
  readonly predictionId: string;
}

/** As many records as units are given, about two thirds of them predictions. */
export function newRecords(known: readonly Known[], round: number): readonly NewRecord[] {
  const hourMs = 3_600_000;
  return known.flatMap(({ unit }, place): NewRecord[] => {
    // Most of it is of the last hour, some of it of days long gone.
    const isLate = place % 10 === 0;
    const timeMs = isLate ? startMs + ((place * 7_919) % 400) * hourMs : reportMs - hourMs + ((place * 613) % hourMs);
    const id = `n${round}-${place}`;
    if (place % 3 !== 0) {
      const variant = place % 2 === 0 ? 'a' : 'b';
      return [
        {
          kind: 'prediction',
          timeMs,
          namespace: 'default',
          experiment: 'bench',
          revision: 1,
          epoch: 1,
          predictionId: id,
          requestId: id,
          row: 0,
          // Every fourth unit is new.
          unit: place % 4 === 0 ? `new${round}${place}`.padStart(16, '0') : unit,
          assigned: variant,
          served: variant,
          reason: 'split',
          propensity: 0.5,
          attempts: [{ variant, status: 200, latencyMs: 20 + (place % 17), error: null }],
          context: { isNew: place % 5 === 0 },
          prediction: 1,
          captured: {},
          status: 200,
          callerMs: 22 + (place % 17),
          streaming: false,
        },
      ];
    }
    const outcome: NewRecord = {
      kind: 'outcome',
      // Some ids come again, with another value, which does not count.
      id: place % 30 === 0 ? `n${round}-${Math.max(0, place - 300)}` : id,
      timeMs,
      receivedMs: reportMs - 1_000,
      namespace: 'default',
      type: place % 2 === 0 ? 'click' : 'revenue',
      value: place % 2 === 0 ? 1 : (place % 977) / 10,
      subject: { kind: 'unit', unit },
      attributes: {},
    };
    return [outcome];
  });
}
