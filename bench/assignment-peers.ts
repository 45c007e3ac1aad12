// How long does one assignment take in process, beside two SDKs of experiment platforms? Rounds in turns, medians.
import { GrowthBookClient } from '@growthbook/growthbook';
import { InMemStorageProvider, Unleash } from 'unleash-client';
import { allocate, decide, prepareAssignment } from '../src/assignment/index.ts';

/** One subject's time per assignment, nanoseconds. */
export interface AssignmentTime {
  readonly name: string;
  readonly median: number;
  readonly best: number;
}

/** All subjects, and medians of per-round ratios to Assay's time. */
export interface AssignmentTimes {
  readonly times: readonly AssignmentTime[];
  readonly vsGrowthbook: number;
  readonly vsUnleash: number;
}

const ids = Array.from({ length: 4096 }, (_, index) => `user_${100_000 + index}`);

/**
 * Times a 50/50 decision for known units. The SDKs do more per call than is needed here (targeting, hooks, counts); no
 * tracking callback is set and Unleash's metrics are off.
 * @param options `sliceMs` milliseconds per subject and round.
 */
export async function timeAssignments(options: {
  readonly rounds: number;
  readonly sliceMs: number;
}): Promise<AssignmentTimes> {
  const unleash = await startUnleash();
  try {
    const subjects: readonly { readonly name: string; readonly run: (times: number) => number }[] = [
      { name: 'assay decide', run: assaySubject() },
      { name: 'GrowthBookClient.runInlineExperiment', run: growthbookSubject() },
      { name: 'unleash-client getVariant', run: unleashSubject(unleash) },
    ];
    const samples = subjects.map((): number[] => []);
    const sizes = subjects.map(({ run }) => calibrate(run, options.sliceMs));
    for (let round = 0; round < options.rounds; round += 1) {
      for (const [index, { run }] of subjects.entries()) {
        const before = process.cpuUsage();
        const picked = run(sizes[index]!);
        const { user, system } = process.cpuUsage(before);
        samples[index]!.push(((user + system) * 1000) / sizes[index]!);
        const share = picked / sizes[index]!;
        if (!(share > 0.4 && share < 0.6)) throw new Error(`${subjects[index]!.name} gave ${share} to one of two`);
      }
    }
    const ratio = (index: number): number => median(samples[index]!.map((each, round) => each / samples[0]![round]!));
    return {
      times: subjects.map(({ name }, index) => ({
        name,
        median: median(samples[index]!),
        best: Math.min(...samples[index]!),
      })),
      vsGrowthbook: ratio(1),
      vsUnleash: ratio(2),
    };
  } finally {
    unleash.destroy();
  }
}

/** Each subject counts how often it gave the second variant, so that nothing is optimised away. */
function assaySubject(): (times: number) => number {
  const prepared = prepareAssignment({
    salt: 'default/bench',
    coverage: 1,
    control: 'a',
    variants: [{ name: 'a' }, { name: 'b' }],
    unit: { sources: [{ kind: 'header' }], orElse: 'control' },
    allocation: {
      kind: 'fixed',
      ranges: allocate([
        { variant: 'a', weight: 50 },
        { variant: 'b', weight: 50 },
      ]),
    },
  });
  return (times) => {
    let picked = 0;
    for (let at = 0; at < times; at += 1) {
      const { variant } = decide(prepared, { unit: ids[at & 4095]!, forced: null, random: Math.random });
      if (variant === 'b') picked += 1;
    }
    return picked;
  };
}

function growthbookSubject(): (times: number) => number {
  const client = new GrowthBookClient({});
  const experiment = { key: 'bench', variations: ['a', 'b'] as [string, string], weights: [0.5, 0.5] };
  return (times) => {
    let picked = 0;
    for (let at = 0; at < times; at += 1) {
      if (client.runInlineExperiment(experiment, { attributes: { id: ids[at & 4095]! } }).value === 'b') picked += 1;
    }
    return picked;
  };
}

function unleashSubject(unleash: Unleash): (times: number) => number {
  return (times) => {
    let picked = 0;
    for (let at = 0; at < times; at += 1) {
      if (unleash.getVariant('bench', { userId: ids[at & 4095]! }).name === 'b') picked += 1;
    }
    return picked;
  };
}

/** Unleash's client with its flags given directly; the server it would ask does not exist. */
async function startUnleash(): Promise<Unleash> {
  const variant = (name: string): object => ({ name, weight: 500, weightType: 'variable', stickiness: 'default' });
  const parameters = { rollout: '100', stickiness: 'default', groupId: 'bench' };
  const flag = {
    name: 'bench',
    type: 'experiment',
    enabled: true,
    stale: false,
    impressionData: false,
    project: 'default',
    strategies: [{ name: 'flexibleRollout', parameters, constraints: [], variants: [variant('a'), variant('b')] }],
    variants: [],
  };
  const unleash = new Unleash({
    appName: 'bench',
    url: 'http://127.0.0.1:9/',
    refreshInterval: 0,
    disableMetrics: true,
    skipInstanceCountWarning: true,
    storageProvider: new InMemStorageProvider(),
    // The package's own type of a flag is not exported.
    bootstrap: { data: [flag] as never },
  });
  unleash.on('error', () => {});
  unleash.on('warn', () => {});
  await new Promise<void>((resolve) => unleash.once('ready', () => resolve()));
  return unleash;
}

/** How many calls fill one slice, after warming up for as long. */
function calibrate(run: (times: number) => number, sliceMs: number): number {
  for (let times = 4096; ; times *= 2) {
    const start = performance.now();
    run(times);
    const ms = performance.now() - start;
    if (ms >= sliceMs / 2) return Math.max(4096, Math.round((times * sliceMs) / ms));
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
