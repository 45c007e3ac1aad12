// Writes docs/errors.md from the catalogue, so that the page cannot lag behind the code.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { errorDocs } from './error-docs.ts';

writeFileSync(fileURLToPath(new URL('../docs/errors.md', import.meta.url)), errorDocs());
