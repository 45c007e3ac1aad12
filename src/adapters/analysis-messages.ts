// What do a server and its analysis process say to each other?
import type { AnalysisPlan } from '../evidence/index.ts';
import type { EvidenceJobs } from './evidence-jobs.ts';
import type { EngineSettings } from './open-engine.ts';

/** How the process is set up. */
export interface AnalysisSettings {
  readonly directory: string;
  /** Of the engine; default one less than the machine has cores, 1 to 4. */
  readonly threads?: number;
  /** Of the engine, for example `1GB`, the default; beyond it, it spills to a temporary folder. */
  readonly memoryLimit?: string;
  /** Where that folder is made; default the system's temporary directory. */
  readonly tempDirectory?: string;
  /** Pause between two rounds of taking in what is new, milliseconds; default 5,000. */
  readonly everyMs?: number;
  /** A database that takes the evidence and answers in place of the process's own engine. */
  readonly engine?: EngineSettings;
}

/** What can be asked of it. */
export type AnalysisTask =
  | { readonly task: 'catch-up' }
  | { readonly task: 'summarise'; readonly plan: AnalysisPlan }
  | JobTask;

/** A job with its options. */
export type JobTask = {
  readonly [job in keyof EvidenceJobs]: { readonly task: job; readonly options: Parameters<EvidenceJobs[job]>[0] };
}[keyof EvidenceJobs];

/** From the server. */
export type AnalysisOrder =
  | { readonly kind: 'start'; readonly settings: AnalysisSettings }
  | { readonly kind: 'ask'; readonly question: number; readonly ask: AnalysisTask }
  | { readonly kind: 'stop' };

/** From the analysis process. */
export type AnalysisReport =
  /** It listens to orders from now on. */
  | { readonly kind: 'loaded' }
  | {
      readonly kind: 'answer';
      readonly question: number;
      readonly answer: unknown;
      /** Writers whose log has no end: crashed, or still writing, which only the server knows. */
      readonly openWriters: readonly string[];
    }
  | {
      readonly kind: 'refusal';
      readonly question: number;
      readonly code: string;
      readonly message: string;
      readonly fix?: string;
    }
  | { readonly kind: 'fault'; readonly code: string; readonly message: string };
