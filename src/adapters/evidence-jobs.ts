// What is done to evidence in the background: sealing, merging, letting go, erasing. Here, or wherever the engine runs.
import type { DetailAnswer, DetailQuestion } from './evidence-detail.ts';
import type { CompactOptions } from './evidence-store/compact-segments.ts';
import type { Erased, EraseOptions } from './evidence-store/erase-unit.ts';
import type { Retained, RetainOptions } from './evidence-store/retain-evidence.ts';
import type { SealedLogs, SealLogsOptions } from './evidence-store/seal-logs.ts';

/** The jobs of one data directory; one at a time. They throw what the functions behind them throw. */
export interface EvidenceJobs {
  /** The sentences about damaged logs. */
  seal(options: Omit<SealLogsOptions, 'onProgress'>): Promise<Pick<SealedLogs, 'damaged'>>;
  compact(options: Omit<CompactOptions, 'onProgress'>): Promise<void>;
  retain(options: RetainOptions): Promise<Retained>;
  erase(options: EraseOptions): Promise<Erased>;
  /** What the pictures of the page are drawn from. */
  detail(options: DetailQuestion): Promise<DetailAnswer>;
}

/** The jobs in this process. The engine is loaded with the first: a gateway must run where it cannot. */
export const jobsHere: EvidenceJobs & { forgetDetail(directory: string): Promise<void> } = {
  async seal(options) {
    const { sealLogs } = await import('./evidence-store/seal-logs.ts');
    const { damaged } = await sealLogs(options);
    return { damaged };
  },
  async compact(options) {
    const { compactSegments } = await import('./evidence-store/compact-segments.ts');
    await compactSegments(options);
  },
  async retain(options) {
    const { retainEvidence } = await import('./evidence-store/retain-evidence.ts');
    return retainEvidence(options);
  },
  async erase(options) {
    const { eraseUnit } = await import('./evidence-store/erase-unit.ts');
    const erased = await eraseUnit(options);
    // What was erased must not stay in memory either.
    const { forgetDetail } = await import('./evidence-detail.ts');
    await forgetDetail(options.directory);
    return erased;
  },
  async detail(options) {
    const { readDetail } = await import('./evidence-detail.ts');
    return readDetail(options);
  },
  async forgetDetail(directory) {
    const { forgetDetail } = await import('./evidence-detail.ts');
    await forgetDetail(directory);
  },
};
