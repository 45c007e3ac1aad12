// Traffic through a running gateway is kept, and run against another model by the command, from the files alone.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { assay, experimentText, serve, startModel } from './assay-process.ts';

it('what a gateway kept is replayed against another model, reply by reply', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'assay-replay-'));
  const [a, b, next] = await Promise.all(['a', 'b', 'a'].map(startModel));
  const data = join(directory, 'data');
  const file = join(directory, 'experiment.yaml');
  await writeFile(file, `${experimentText([a!.url, b!.url])}  bodyCapture: {share: 1, redact: [$.user]}\n`);
  const server = await serve(['-f', file, '--data', data, '--start']);
  const variants: (string | null)[] = [];
  for (let user = 0; user < 30; user += 1) {
    const reply = await fetch(`${server.gatewayUrl}/score`, {
      method: 'POST',
      headers: { 'x-user-id': `u${user}`, 'content-type': 'application/json' },
      // Every third has something to hide; it is kept without it, and is then no question to ask again.
      body: JSON.stringify(user % 3 === 0 ? { n: user, user: 'ann' } : { n: user }),
    });
    expect(reply.status).toBe(200);
    if (user % 3 !== 0) variants.push(reply.headers.get('x-assay-variant'));
  }
  expect(await server.end('SIGTERM')).toBe(0);

  const args = ['replay', 'scores', '--data', data, '--to', next!.url, '--value', '$.score', '--json'];
  const replayed = await assay(args);
  expect(replayed.code, replayed.stderr).toBe(0);
  const result = JSON.parse(replayed.stdout);
  expect(result).toMatchObject({
    experiment: 'scores',
    sent: 20,
    answered: 20,
    notSent: 0,
    broken: 0,
    sameStatus: 20,
  });
  expect(result.skipped).toEqual({ 'request body was redacted': 10 });
  // The other model answers as a does, so that replies differ where b had answered, by what the two say.
  const byA = variants.filter((variant) => variant === 'a').length;
  expect(byA).toBeGreaterThan(0);
  expect(byA).toBeLessThan(20);
  expect(result.replies).toMatchObject({ compared: 20, same: byA });
  expect(result.value.largestDifference).toBeCloseTo(0.2, 10);
  expect(next!.requests()).toBe(20);
  await Promise.all([a!.close(), b!.close(), next!.close()]);
  await rm(directory, { recursive: true, force: true });
});
