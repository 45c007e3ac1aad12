// The whole story on one machine: two models, a gateway, requests, late truth, report, verdict.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { allocate, decide, prepareAssignment } from '../../assignment/index.ts';
import { metricUnits, type Report } from '../../decision/index.ts';
import { type Experiment, parseExperimentFile } from '../../experiment/index.ts';
import { createRandom, type Random } from '../../stats/index.ts';
import { createProgress, formatCount, type ProgressStream, renderReport, type TerminalStyle } from '../render/index.ts';
import { demoExperimentName, demoModel, enhancedShare, writeDemoExperiment } from './demo-experiment.ts';
import { type DriveResult, drive } from './drive.ts';
import { accuracyOn, type ForecastModelName, fitForecastModel, splitInTime } from './forecast-models.ts';
import { loadMarketDays } from './market-data.ts';
import { startModelProcess } from './model-process.ts';
import { type Scenario, type ScenarioName, scenarioOf } from './scenarios.ts';
import { type DemoFacts, tellDrive, tellPage, tellSetting } from './story.ts';
import { planTraffic, trafficShape } from './traffic-plan.ts';

/** The server under demonstration: gateway and control plane, listening, with the experiments started. */
interface RunningServer {
  /** Data plane, for example `http://127.0.0.1:41873`. */
  readonly gatewayUrl: string;
  /** API. */
  readonly apiUrl: string;
  /** The report of an experiment from everything acknowledged so far. */
  report(name: string): Promise<Report>;
  close(): Promise<void>;
}

/** Options of `runDemo`. */
interface DemoOptions {
  readonly requests: number;
  readonly workers: number;
  readonly seed: number;
  readonly scenario: ScenarioName;
  /** Simulated service times, milliseconds; absent: the models answer as fast as they can. */
  readonly serviceMs?: Readonly<Record<ForecastModelName, number>>;
  /** Prints one JSON document instead of the story. */
  readonly json: boolean;
  /** Logs and experiment file are kept here; absent: in a temporary directory that is removed. */
  readonly dataDirectory?: string;
  readonly style: TerminalStyle;
  /** Where the story or the document goes. */
  readonly write: (text: string) => void;
  /** Where progress goes. */
  readonly progressStream: ProgressStream;
  /** Starts gateway and control plane on free ports with these experiments running. */
  readonly startServer: (options: {
    readonly experiments: readonly Experiment[];
    readonly dataDirectory: string;
  }) => Promise<RunningServer>;
  /** Keeps everything running after the verdict, with its live page, until `signal` is aborted. */
  readonly staysOpen?: boolean;
  readonly signal?: AbortSignal;
}

/** What the demo adds to the report in its JSON document. */
interface DemoResult {
  readonly report: Report;
  readonly facts: DemoFacts;
  readonly drive: DriveResult;
}

/** Shortest trading day of the replay clock: the timers of the machine are not finer than a millisecond. */
const shortestDayMs = 5;
/** Head room of the replay clock over what the workers can do with simulated service times. */
const headRoom = 1.3;

/**
 * Runs the demo from the first model to the verdict and closes everything it opened.
 *
 * @throws AssayError when a model, the gateway or the API cannot be started or reached.
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const { requests, workers, seed, json, write, style, signal } = options;
  const serviceMs = options.serviceMs ?? { baseline: 0, enhanced: 0 };
  const scenario = scenarioOf(options.scenario);
  const days = await loadMarketDays();
  const { fit, ask } = splitInTime(days);
  const random = createRandom(seed);
  const closers: (() => Promise<unknown>)[] = [];
  try {
    const dataDirectory = options.dataDirectory ?? (await mkdtemp(join(tmpdir(), 'assay-demo-')));
    if (options.dataDirectory === undefined) {
      closers.push(() => rm(dataDirectory, { recursive: true, force: true }));
    } else await mkdir(dataDirectory, { recursive: true });

    const [baseline, enhanced] = await Promise.all(
      (['baseline', 'enhanced'] as const).map(async (model) => {
        const fault = model === 'enhanced' ? scenario.fault : null;
        const server = await startModelProcess({ model, seed, serviceMs: serviceMs[model], fault });
        closers.push(() => server.close());
        return server;
      }),
    );
    const urls = { baseline: baseline!.url, enhanced: enhanced!.url };
    const dayMs = Math.max(
      shortestDayMs,
      Math.ceil((headRoom * (serviceMs.baseline * (1 - enhancedShare) + serviceMs.enhanced * enhancedShare)) / workers),
    );
    const experimentFile = writeDemoExperiment({ urls, dayMs });
    await writeFile(join(dataDirectory, 'experiment.yaml'), experimentFile);
    const experiment = parseExperimentFile(experimentFile, { file: 'experiment.yaml' });
    const server = await options.startServer({ experiments: [experiment], dataDirectory });
    closers.push(() => server.close());

    const offlineOf = (model: ForecastModelName): number => accuracyOn(fitForecastModel(model, fit), ask);
    const facts: DemoFacts = {
      scenario: scenario.name,
      seed,
      requests,
      workers,
      data: `S&P 500, ${formatCount(days.length)} trading days, ${days[0]!.date} to ${days.at(-1)!.date}`,
      fittedUpTo: fit.at(-1)!.date,
      askedFrom: ask[0]!.date,
      questions: ask.length,
      offlineAccuracy: { baseline: offlineOf('baseline'), enhanced: offlineOf('enhanced') },
      dayMs,
      models: urls,
      gatewayUrl: server.gatewayUrl,
      apiUrl: server.apiUrl,
      experimentFile,
      ...(scenario.injected === null ? {} : { injected: scenario.injected }),
      ...(options.serviceMs === undefined ? {} : { simulatedServiceMs: options.serviceMs }),
      ...(options.dataDirectory === undefined ? {} : { dataDirectory: options.dataDirectory }),
    };
    if (!json) write(tellSetting(facts, style));

    const progress = createProgress('requests', {
      total: requests,
      stream: options.progressStream,
      unicode: style.unicode,
    });
    let done: DriveResult;
    try {
      done = await drive({
        gatewayUrl: server.gatewayUrl,
        apiUrl: server.apiUrl,
        model: demoModel,
        plan: planTraffic({ requests, questions: ask, random: random.stream('traffic') }),
        workers,
        dayMs,
        isLost: lostUnits(experiment, { scenario, random }),
        onProgress: progress.update,
        ...(signal === undefined ? {} : { signal }),
      });
    } finally {
      progress.stop();
    }
    // Truth counts when it has arrived or when its window has ended: let the last window end.
    await sleep(Math.max(0, done.lastSentMs + (trafficShape.windowDays + 1) * dayMs - Date.now()));
    if (!json) write(tellDrive(done, { facts, style }));

    const report = await server.report(demoExperimentName);
    if (json) write(`${JSON.stringify({ ...report, demo: { ...facts, drive: done } }, null, 2)}\n`);
    else write(`${renderReport(report, { ...style, units: metricUnits(experiment) })}\n`);
    if (options.staysOpen === true && signal !== undefined && !signal.aborted) {
      options.progressStream.write(tellPage(facts, style));
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    }
    return { report, facts, drive: done };
  } finally {
    // Newest first: the gateway before the models behind it, the directory last.
    for (const close of closers.reverse()) await close();
  }
}

/** The users a broken client loses: known by the same assignment that the gateway will make. */
function lostUnits(
  experiment: Experiment,
  options: { readonly scenario: Scenario; readonly random: Random },
): (userId: string) => boolean {
  const { scenario, random } = options;
  if (scenario.lostUnits === 0) return () => false;
  const ranges = allocate(experiment.variants.map(({ name, weight }) => ({ variant: name, weight })));
  const prepared = prepareAssignment({ ...experiment, allocation: { kind: 'fixed', ranges } });
  return (userId) => {
    const { variant } = decide(prepared, { unit: userId, forced: null, random: () => 0 });
    return variant === 'enhanced' && random.stream(`lost/${userId}`).uniform() < scenario.lostUnits;
  };
}
