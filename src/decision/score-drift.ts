// Do two models spread their probabilities alike? Drift of the candidate's scores from the control's, whatever came true.
import type { MetricSummary } from '../evidence/index.ts';
import { type Insufficient, stabilityIndex } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import { numberText } from './number-text.ts';
import type { Finding, MetricEntry, ScoreDrift } from './report.ts';

/** A bin with fewer predictions of one side is put together with its neighbours. */
const fewestInBin = 5;
/** By custom much (Siddiqi 2006). */
const muchDrift = 0.25;

/** Of two metrics of probabilities; undefined for all others. */
export function scoreDrift(control: MetricSummary, candidate: MetricSummary): ScoreDrift | Insufficient | undefined {
  if (control.kind !== 'calibration' || candidate.kind !== 'calibration') return undefined;
  const before: number[] = [];
  const after: number[] = [];
  let open = { before: 0, after: 0 };
  control.summary.bins.forEach(({ n }, bin) => {
    open = { before: open.before + n, after: open.after + (candidate.summary.bins[bin]?.n ?? 0) };
    if (open.before < fewestInBin || open.after < fewestInBin) return;
    before.push(open.before);
    after.push(open.after);
    open = { before: 0, after: 0 };
  });
  if (before.length > 0) {
    before[before.length - 1]! += open.before;
    after[after.length - 1]! += open.after;
  }
  const found = stabilityIndex(before, after);
  if (found.kind === 'insufficient') return found;
  const hasOneEach = [control, candidate].every(({ n, rows }) => n === rows);
  return {
    method: found.method,
    index: found.index,
    bins: before.length,
    pValue: hasOneEach ? found.pValue : insufficient('a unit has several predictions, which are not independent'),
  };
}

/** Scores that are spread much differently: a threshold chosen on one model means something else on the other. */
export function driftFindings(metrics: readonly MetricEntry[], control: string): readonly Finding[] {
  return metrics.flatMap(({ name, variants }) =>
    variants.flatMap(({ variant, drift }): readonly Finding[] => {
      if (drift === undefined || 'kind' in drift || drift.index < muchDrift) return [];
      return [
        {
          code: 'scores-drifted',
          text: `The probabilities behind ${name} are spread differently under ${variant} than under ${control}: stability index ${numberText(drift.index)}, above ${muchDrift} is much. A threshold chosen on the scores of ${control} means something else on those of ${variant}.`,
          numbers: { index: drift.index, bins: drift.bins },
        },
      ];
    }),
  );
}
