// The part that takes orders and answers questions: experiments from files, outcomes, reports, all over one data directory.
import { watchExperiments } from '../adapters/experiment-folder.ts';
import { openFileControlLog } from '../adapters/file-control-log.ts';
import type { Tell } from '../adapters/pino-log.ts';
import type { EventsAnswer } from '../api/index.ts';
import {
  type CountLeft,
  createExperimentService,
  type ExperimentService,
  type JudgedReport,
  type ModelRegistry,
  verdictBasis,
  withModelRegistry,
} from '../control/index.ts';
import { makeReport, type Report, valueWarnings } from '../decision/index.ts';
import { AssayError } from '../errors.ts';
import type { Analytics, EvidenceLog, Observer } from '../evidence/index.ts';
import type { Experiment } from '../experiment/index.ts';
import { now } from './clock.ts';
import { createOutcomeIntake } from './outcome-intake.ts';
import type { Intake } from './read-intake.ts';

/** Options of `openControlPlane`. */
interface ControlPlaneOptions {
  readonly dataDirectory: string;
  readonly observer: Observer;
  readonly evidence: EvidenceLog;
  readonly hashUnit: (id: string) => string;
  /** Opens the engine of reports at the first question. */
  readonly openAnalytics: () => Promise<Analytics>;
  /** Start every experiment that is a draft. */
  readonly startDrafts: boolean;
  /** Where `models:/...` are registered. */
  readonly registry: ModelRegistry | null;
  /** Where people read the report of an experiment. */
  readonly reportUrl: (name: string, namespace: string) => string;
  /** One sentence per event an operator needs. */
  readonly tell: Tell;
}

/** The control plane of one process, without a listening socket. */
export interface ControlPlane {
  readonly service: ExperimentService;
  /** Applies experiments, then files and folders, which stay watched. @throws AssayError for the first that is refused. */
  take(wanted: { readonly experiments: readonly Experiment[]; readonly files: readonly string[] }): Promise<void>;
  /** Makes outcomes durable; resolves with how many. @throws AssayError `outcome-invalid`, `evidence-not-durable`. */
  recordOutcomes(intake: Intake, namespace: string): Promise<number>;
  /**
   * Makes the outcomes among an experiment's foreign events durable.
   * @throws AssayError `experiment-unknown`, `outcome-invalid`, `evidence-not-durable`, `request-invalid` where no mapping is declared.
   */
  recordEvents(
    intake: Intake,
    experiment: { readonly name: string; readonly namespace: string },
  ): Promise<EventsAnswer>;
  report(name: string, namespace?: string): Promise<Report>;
  /** The same with all it was made from. */
  judge(name: string, namespace: string): Promise<JudgedReport>;
  /** The evidence as of a time, under allocations that were in force then. */
  readonly countLeft: CountLeft;
  close(): Promise<void>;
}

/** @throws AssayError `control-log-corrupt`, `data-directory-unusable`. */
export async function openControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { dataDirectory, observer, evidence, hashUnit, tell } = options;
  const controlLog = await openFileControlLog({
    directory: dataDirectory,
    now: Date.now,
    onNotice: (sentence) => tell(sentence, { name: 'control-log-mended' }),
  });
  const closers: (() => Promise<unknown>)[] = [() => controlLog.close()];
  const close = async (): Promise<void> => {
    for (const each of closers.splice(0).reverse()) await each();
  };
  const plain = await createExperimentService({ log: controlLog, observer }).catch(async (fault: unknown) => {
    await close();
    throw fault;
  });
  const { registry, reportUrl } = options;
  const service = withModelRegistry(plain, {
    registry,
    reportUrl,
    tell: (sentence, isTrouble) => tell(sentence, { name: isTrouble ? 'registry-behind' : 'registry' }),
    random: Math.random,
    reports: { judge: (name, namespace) => judge(name, namespace) },
  });
  closers.push(() => service.close());
  const outcomes = createOutcomeIntake({ evidence, hashUnit });
  const analytics = openLazily(options.openAnalytics);
  closers.push(() => analytics.close());

  const apply = async (experiment: Experiment, source: string): Promise<void> => {
    for (const { code, text } of valueWarnings(experiment))
      tell(`${source}: warning ${code}: ${text}`, { name: 'file-read', fields: { file: source } });
    const state = await service.apply(experiment, { author: source, reason: 'read from the file' });
    if (!options.startDrafts || state.state !== 'draft') return;
    const { name, namespace } = experiment;
    await service.act('start', { name, namespace, author: source, reason: 'started with the server' });
  };

  const judge = async (name: string, namespace: string): Promise<JudgedReport> => {
    const state = service.get(name, namespace);
    const nowMs = now();
    const { experiment, epochs } = state;
    const summary = await (await analytics.get()).summarise({ experiment, epochs, nowMs });
    const basis = verdictBasis(state, nowMs);
    return { report: makeReport(summary, { experiment, ...basis }), summary, basis };
  };

  return {
    service,
    async take({ experiments, files }) {
      for (const experiment of experiments) await apply(experiment, 'server');
      let isStarting = true;
      for (const path of files) {
        const watch = await watchExperiments({
          path,
          onEvent: async (event) => {
            if (event.kind === 'refused') {
              if (isStarting) throw event.error;
              tell(`${event.file} is refused, the last good one stays: ${event.error.message}`, {
                name: 'file-refused',
                fields: { file: event.file },
              });
            } else if (event.kind === 'removed') {
              tell(`${event.file} is gone; its experiments go on as they are. End them with \`assay stop\`.`, {
                name: 'file-removed',
                fields: { file: event.file },
              });
            } else {
              for (const experiment of event.experiments) await apply(experiment, `file:${event.file}`);
              if (!isStarting)
                tell(`${event.file} was read again`, { name: 'file-read', fields: { file: event.file } });
            }
          },
        });
        closers.push(() => watch.close());
      }
      isStarting = false;
    },
    recordOutcomes: (intake, namespace) => outcomes.take(intake, namespace),
    async recordEvents(intake, { name, namespace }) {
      const mappings = service.get(name, namespace).experiment.outcomes ?? [];
      if (mappings.length === 0) {
        throw new AssayError('request-invalid', `experiment "${name}" declares no outcomes, so no event can be one`, {
          fix: 'Add spec.outcomes to its file, or post outcomes to /api/v1/outcomes.',
        });
      }
      return outcomes.takeEvents(intake, { mappings, namespace });
    },
    report: async (name, namespace = 'default') => (await judge(name, namespace)).report,
    judge,
    countLeft: async (asked) => (await analytics.get()).summarise(asked),
    close,
  };
}

/** Opens analytics once, at the first question; a failed opening is tried again at the next. */
function openLazily(open: () => Promise<Analytics>): { get(): Promise<Analytics>; close(): Promise<void> } {
  let opened: Promise<Analytics> | undefined;
  return {
    get: () => {
      opened ??= open().catch((fault: unknown) => {
        opened = undefined;
        throw fault;
      });
      return opened;
    },
    close: async () => (await opened)?.close(),
  };
}
