// Writes the JSON Schema of experiment files for editors: `npx tsx scripts/make-schema.ts`.
import { writeFileSync } from 'node:fs';
import { makeExperimentSchema } from '../src/experiment/index.ts';

const target = new URL('../schema/experiment.schema.json', import.meta.url);
writeFileSync(target, `${JSON.stringify(makeExperimentSchema(), null, 2)}\n`);
