// How long does one assignment take, by kind of id, and beside two SDKs? Nanoseconds per call, medians: `npm run bench:assignment`.

import { type AssignableExperiment, allocate, decide, prepareAssignment } from '../src/assignment/index.ts';
import { timeAssignments } from './assignment-peers.ts';

const rounds = 7;
const calls = 2_000_000;

const experiment: AssignableExperiment = {
  salt: 'default/financial-forecast',
  coverage: 0.5,
  control: 'baseline',
  variants: [{ name: 'baseline' }, { name: 'enhanced' }],
  unit: { sources: [{ kind: 'header' }], orElse: 'request' },
  allocation: {
    kind: 'fixed',
    ranges: allocate([
      { variant: 'baseline', weight: 70 },
      { variant: 'enhanced', weight: 30 },
    ]),
  },
};

const kinds: Readonly<Record<string, (index: number) => string | null>> = {
  'integer id (6 bytes)': (index) => String(100_000 + index),
  'prefixed id (11 bytes)': (index) => `user_${100_000 + index}`,
  'UUID (36 bytes)': (index) => `3f2504e0-4f89-41d3-9a0c-0305e82c${String(index).padStart(4, '0')}`,
  'non-ASCII id (18 bytes)': (index) => `用户-${100_000 + index}-é`,
  'request as its own unit': () => null,
};

const prepared = prepareAssignment(experiment);
for (const [kind, makeId] of Object.entries(kinds)) {
  // A few thousand ids stay in the cache: this times the assignment, not the memory.
  const ids = Array.from({ length: 4096 }, (_, index) => makeId(index));
  const times: number[] = [];
  let split = 0;
  for (let round = 0; round < rounds; round += 1) {
    const start = process.hrtime.bigint();
    for (let call = 0; call < calls; call += 1) {
      const answer = decide(prepared, { unit: ids[call & 4095]!, forced: null, random: Math.random });
      if (answer.reason === 'split') split += 1;
    }
    times.push(Number(process.hrtime.bigint() - start) / calls);
  }
  times.sort((a, b) => a - b);
  const share = ((100 * split) / (rounds * calls)).toFixed(1);
  console.log(
    `${kind.padEnd(26)} ${times[3]!.toFixed(0).padStart(5)} ns  (best ${times[0]!.toFixed(0)}, covered ${share} %)`,
  );
}
const { times, vsGrowthbook, vsUnleash } = await timeAssignments({ rounds: 15, sliceMs: 100 });
console.log('\nbeside other SDKs, one of two variants for a known user, CPU time:');
for (const { name, median, best } of times)
  console.log(`${name.padEnd(40)} ${median.toFixed(0).padStart(5)} ns  (best ${best.toFixed(0)})`);
console.log(`GrowthBook takes ${vsGrowthbook.toFixed(1)} times as long, unleash-client ${vsUnleash.toFixed(1)} times`);
console.log(`Node ${process.version}, ${process.arch}`);
// Unleash's client keeps a timer of its own.
process.exit(0);
