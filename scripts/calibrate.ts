// Do tests and intervals keep their word where it is hard? Simulates every case: `npm run calibrate [-- --full] [-- --json]`.
// The short form writes its table into docs/statistics.md, the long one into docs/calibration.md. Same seeds, same table:
// `--check` writes nothing and fails where the page says otherwise. `--only TEXT` plays the settings that hold the text.
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { calibrationCases } from '../test/calibration/all-cases.ts';
import { type CalibrationRow, isSound, runCase } from '../test/calibration/calibration-case.ts';
import { calibrationLine, calibrationSection, withCalibration } from '../test/calibration/calibration-table.ts';

const { values } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
});
const scale = values.full ? 5 : 1;
const only = values.only;
const chosen = calibrationCases.filter(
  (each) =>
    only === undefined ||
    [each.setting, ...each.promises.map(({ method }) => method)].some((text) => text.includes(only)),
);
const rows: CalibrationRow[] = [];
const started = process.hrtime.bigint();
for (const each of chosen) {
  const made = runCase(each, scale);
  rows.push(...made);
  if (!values.json) console.log([each.setting, ...made.map(calibrationLine)].join('\n'));
}
const seconds = Number(process.hrtime.bigint() - started) / 1e9;
const unsound = rows.filter((row) => !isSound(row));
if (values.json) console.log(JSON.stringify({ scale, seconds, sound: unsound.length === 0, rows }, null, 2));
else console.log(`${rows.length} promises in ${seconds.toFixed(0)} s, ${unsound.length} not kept`);
if (only === undefined) {
  const how = values.full ? 'npm run calibrate -- --full' : 'npm run calibrate';
  const target = new URL(values.full ? '../docs/calibration.md' : '../docs/statistics.md', import.meta.url);
  const page = values.full
    ? '# Calibration, the long form\n\nFive times the rounds of the table in [statistics.md](statistics.md).\n'
    : readFileSync(target, 'utf8');
  const made = withCalibration(page, calibrationSection(rows, how));
  if (!values.check) writeFileSync(target, made);
  else if (made !== readFileSync(target, 'utf8')) {
    console.error(`${target.pathname} says otherwise: run ${how}`);
    process.exitCode = 1;
  }
}
for (const row of unsound) console.error(`${row.verdict}: ${row.method} on ${row.setting}, ${row.observed}`);
if (unsound.length > 0) process.exitCode = 1;
