// CloudEvents: the real JavaScript and Python SDKs send outcomes in every form there is, twice; each counts once.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CloudEvent, emitterFor, HTTP, httpTransport, Mode } from 'cloudevents';
import { parseExperimentFile } from '../../src/experiment/index.ts';
import { startServer } from '../../src/server/index.ts';
import { experimentText, startModel } from '../e2e/assay-process.ts';
import { installClients } from './python-environments.ts';
import { expectThat, runProgram } from './serving.ts';
import type { System } from './system.ts';

const sender = fileURLToPath(new URL('cloudevents-sender.py', import.meta.url));
const users = 40;

export const system: System = {
  name: 'cloudevents',
  installs: 'cloudevents 2.2.0 from PyPI; the JavaScript SDK is there',
  async run(context) {
    const python = join(await installClients(context.cache), 'bin', 'python');
    const models = [await startModel('a'), await startModel('b')] as const;
    for (const model of models) context.afterwards(() => model.close());
    const server = await startServer({
      experiments: [
        parseExperimentFile(
          experimentText([models[0].url, models[1].url]).replace(
            '"default(outcome.like, 0)", window: 1s',
            'outcome.like, window: 1h',
          ),
        ),
      ],
      dataDirectory: join(context.folder, 'data'),
      port: 0,
      apiPort: 0,
      startDrafts: true,
    });
    context.afterwards(() => server.close());
    for (let each = 0; each < users; each += 1) {
      const headers = { 'x-user-id': `user-${each}`, 'content-type': 'application/json' };
      await (await fetch(`${server.gatewayUrl}/score`, { method: 'POST', headers, body: '{}' })).arrayBuffer();
    }
    const outcomes = `${server.apiUrl}/api/v1/outcomes`;
    const likes = async (): Promise<number> => {
      const { variants } = (await server.report('scores')).metrics.find(({ name }) => name === 'liked')!;
      // A prediction without an outcome is not in the mean, so these are the ones that have one.
      return variants.reduce((sum, { n }) => sum + n, 0);
    };

    const event = (unit: number): CloudEvent<unknown> =>
      new CloudEvent({
        id: `js-${unit}`,
        source: '/shop',
        type: 'com.example.like.v1',
        subject: `unit/user-${unit}`,
        data: { value: true },
      });
    const js = Array.from({ length: 10 }, (_, unit) => event(unit));
    for (const mode of [Mode.BINARY, Mode.STRUCTURED]) {
      const emit = emitterFor(httpTransport(outcomes), { binding: HTTP, mode });
      for (const each of js) await emit(each);
    }
    const batch = await fetch(outcomes, {
      method: 'POST',
      headers: { 'content-type': 'application/cloudevents-batch+json' },
      body: JSON.stringify(js.map((each) => each.toJSON())),
    });
    expectThat(batch.ok, `a batch was answered ${batch.status}: ${await batch.text()}`);
    const { version } = JSON.parse(
      await readFile(new URL('../../node_modules/cloudevents/package.json', import.meta.url), 'utf8'),
    ) as { version: string };
    expectThat((await likes()) === 10, `${await likes()} likes from JavaScript, must be 10`);
    context.note(`JavaScript SDK ${version}: binary, structured, batch; 30 events are 10 outcomes`);

    const given = Array.from({ length: 10 }, (_, each) => ({
      unit: `user-${20 + each}`,
      id: `py-${each} "grün" 100%`,
    }));
    await runProgram([python, sender, outcomes], { input: JSON.stringify(given) });
    expectThat((await likes()) === 20, `${await likes()} likes with those of Python, must be 20`);
    context.note('Python SDK 2.2.0: binary, structured, batch; 20 events are 10 outcomes');
  },
};
