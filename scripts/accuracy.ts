// Writes docs/accuracy.md and prints it: how far the distributions are from 60-digit arithmetic. `npm run accuracy`.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { accuracyPage, brokenPromises, committedErrors, oracleErrors } from '../test/accuracy/accuracy-page.ts';

const target = new URL('../docs/accuracy.md', import.meta.url);
const shared = new URL('../../shared/oracles/', import.meta.url);
const committed = committedErrors();
const oracles = existsSync(shared) ? oracleErrors(shared) : undefined;
if (oracles === undefined) console.error('skipped: ../shared/oracles is not here; what the page says of it is kept');
const page = accuracyPage({
  committed,
  ...(oracles === undefined ? {} : { oracles }),
  ...(existsSync(target) ? { previous: readFileSync(target, 'utf8') } : {}),
});
writeFileSync(target, page);
console.log(page);
const all = [...committed, ...(oracles ?? [])];
const worst = all.reduce((a, b) => (b.largest > a.largest ? b : a));
console.log(`Largest of all: ${worst.largest.toExponential(1)}, ${worst.distribution} ${worst.worst}`);
const broken = brokenPromises(all);
for (const row of broken) console.error(`beyond what is promised: ${row.distribution} ${row.worst}: ${row.largest}`);
if (broken.length > 0) process.exitCode = 1;
