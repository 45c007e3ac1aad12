// Which sampled bodies does a data directory hold for an experiment? Reads them back, oldest first, past what a crash broke off.
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import { z } from 'zod';
import type { KeptExchange } from '../gateway/index.ts';
import { folderOf, isBodyFile } from './file-body-store.ts';

/** What `readKeptExchanges` gives. */
export type KeptLine =
  | { readonly kind: 'exchange'; readonly exchange: KeptExchange }
  /** A line, or the rest of a file, that cannot be read: a crash, or a file that is being written to. */
  | { readonly kind: 'broken'; readonly file: string; readonly message: string };

const bodySchema: z.ZodType<KeptExchange['request']> = z.object({
  headers: z.record(z.string(), z.string()),
  text: z.string().nullable(),
  encoding: z.enum(['utf8', 'base64']),
  bytes: z.number(),
  isCut: z.boolean(),
  redacted: z.number(),
  omitted: z.string().nullable(),
});

const exchangeSchema: z.ZodType<KeptExchange> = z.object({
  v: z.literal(1),
  timeMs: z.number(),
  namespace: z.string(),
  experiment: z.string(),
  predictionId: z.string(),
  variant: z.string(),
  method: z.string(),
  path: z.string().startsWith('/'),
  request: bodySchema,
  status: z.number(),
  reply: bodySchema,
  latencyMs: z.number(),
});

/** Every kept exchange of an experiment in the order of its files; nothing when there is none. */
export async function* readKeptExchanges(place: {
  readonly directory: string;
  readonly namespace: string;
  readonly experiment: string;
}): AsyncGenerator<KeptLine> {
  const folder = folderOf(place.directory, place);
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw cause;
  }
  const files = names.filter(isBodyFile).sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  for (const name of files) {
    const file = join(folder, name);
    const unpacked = createReadStream(file)
      .on('error', (fault) => unpacked.destroy(fault))
      .pipe(createGunzip());
    try {
      for await (const line of createInterface({ input: unpacked, crlfDelay: Number.POSITIVE_INFINITY })) {
        const exchange = parseLine(line);
        yield exchange === null
          ? { kind: 'broken', file, message: 'a line is no kept exchange' }
          : { kind: 'exchange', exchange };
      }
      const fault = unpacked.errored;
      if (fault !== null) yield { kind: 'broken', file, message: fault.message };
    } catch (cause) {
      yield { kind: 'broken', file, message: (cause as Error).message };
    }
  }
}

function parseLine(line: string): KeptExchange | null {
  try {
    const result = exchangeSchema.safeParse(JSON.parse(line));
    return result.success ? result.data : null;
  } catch {
    return null;
  }
}
