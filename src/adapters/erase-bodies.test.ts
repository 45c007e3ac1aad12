import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { createCountingObserver } from './counting-observer.ts';
import { eraseBodies } from './erase-bodies.ts';
import { createFileBodyStore } from './file-body-store.ts';
import { readKeptExchanges } from './read-kept-bodies.ts';

it('the kept bodies of a person’s predictions go, all others stay readable, also behind a torn end', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'assay-bodies-'));
  const observer = createCountingObserver({ now: Date.now });
  const store = createFileBodyStore({ directory, now: Date.now, observer });
  const body = {
    headers: {},
    text: '{}',
    encoding: 'utf8',
    bytes: 2,
    isCut: false,
    redacted: 0,
    omitted: null,
  } as const;
  for (const [experiment, predictionId] of [
    ['one', 'mine'],
    ['one', 'theirs'],
    ['two', 'mine too'],
  ] as const)
    store.add(
      {
        v: 1,
        timeMs: 1,
        namespace: 'default',
        experiment,
        predictionId,
        variant: 'a',
        method: 'POST',
        path: '/',
        request: body,
        status: 200,
        reply: body,
        latencyMs: 1,
      },
      3_600_000,
    );
  await store.close();
  const folder = join(directory, 'bodies', 'default', 'one');
  const [name = ''] = await readdir(folder);
  // A batch that a crash cut off.
  await writeFile(join(folder, name), gzipSync('{"predictionId":"torn"}\n').subarray(0, -9), { flag: 'a' });
  expect(await eraseBodies(directory, new Set(['mine', 'mine too']))).toBe(2);
  expect(await readdir(join(directory, 'bodies', 'default', 'two'))).toEqual([]);
  expect(gunzipSync(await readFile(join(folder, name))).toString()).not.toContain('mine');
  const left: unknown[] = [];
  for await (const line of readKeptExchanges({ directory, namespace: 'default', experiment: 'one' })) left.push(line);
  expect(left[0]).toEqual({ kind: 'exchange', exchange: expect.objectContaining({ predictionId: 'theirs' }) });
  expect(await eraseBodies(directory, new Set(['mine']))).toBe(0);
  await rm(directory, { recursive: true });
});
