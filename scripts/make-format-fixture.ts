// Writes src/adapters/evidence-store/format-1.fixture.json: a small data directory as format 1 left it, for ever.
// Run it once per format: npx tsx scripts/make-format-fixture.ts > src/adapters/evidence-store/format-N.fixture.json
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { outcome, prediction, t0 } from '../src/adapters/analytics-records.fixture.ts';
import { eraseUnit } from '../src/adapters/evidence-store/erase-unit.ts';
import { readEvidence } from '../src/adapters/evidence-store/read-evidence.ts';
import { sealLogs } from '../src/adapters/evidence-store/seal-logs.ts';
import { writeLog } from '../src/adapters/evidence-store/store-directory.fixture.ts';

const directory = await mkdtemp(join(tmpdir(), 'assay-format-'));
const common = {
  namespace: 'default',
  timeMs: t0,
  predictionId: '1',
  row: 0,
  prediction: 0.25,
  captured: { tokens: 7 },
};
const attempt = { variant: 'a', status: 200, latencyMs: 12.5, error: null };
await writeLog(directory, [
  prediction('1', { context: { page: 'home', isNew: true }, streaming: true, callerMs: null }),
  prediction('2', { assigned: 'b', experiment: 'Other one', served: null, status: null, unit: null }),
  prediction('gone', { unit: 'e'.repeat(16) }),
  { kind: 'prediction-end', callerMs: 30, attempt, ...common },
  { kind: 'mirror', experiment: 'test', attempt, ...common },
  outcome('1', { value: 'yes', attributes: { currency: 'EUR' } }),
  outcome('2', { subject: { kind: 'request', requestId: 'r-2' }, value: true }),
  outcome('3', { subject: { kind: 'unit', unit: 'f'.repeat(16) }, value: -1.5e-7 }),
]);
await sealLogs({ directory, nowMs: t0 });
await eraseUnit({ directory, unit: 'e'.repeat(16), nowMs: t0 });
await writeLog(directory, [prediction('3'), outcome('4')]);
const records: unknown[] = [];
for await (const record of readEvidence(directory)) records.push(record);
const files: Record<string, string> = {};
for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const path = join(entry.parentPath, entry.name);
  files[relative(directory, path).split(sep).join('/')] = (await readFile(path)).toString('base64');
}
await rm(directory, { recursive: true });
process.stdout.write(`${JSON.stringify({ files, records }, null, 1)}\n`);
