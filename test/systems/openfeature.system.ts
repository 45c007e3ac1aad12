// OpenFeature: the real JavaScript and Python SDKs with their OFREP providers get the variant that the gateway gives the same user.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature } from '@openfeature/server-sdk';
import { parseExperimentFile } from '../../src/experiment/index.ts';
import { startServer } from '../../src/server/index.ts';
import { experimentText, startModel } from '../e2e/assay-process.ts';
import { installClients } from './python-environments.ts';
import { expectThat, runProgram } from './serving.ts';
import type { System } from './system.ts';

const client = fileURLToPath(new URL('openfeature-client.py', import.meta.url));
const users = 60;
const token = 'a-token-of-the-systems-suite';

export const system: System = {
  name: 'openfeature',
  installs: 'openfeature-sdk 0.10.0 and openfeature-provider-ofrep 0.3.0 from PyPI; the JavaScript SDK is there',
  async run(context) {
    const python = join(await installClients(context.cache), 'bin', 'python');
    const models = [await startModel('a'), await startModel('b')] as const;
    for (const model of models) context.afterwards(() => model.close());
    const server = await startServer({
      experiments: [parseExperimentFile(experimentText([models[0].url, models[1].url]))],
      dataDirectory: join(context.folder, 'data'),
      port: 0,
      apiPort: 0,
      token,
      startDrafts: true,
    });
    context.afterwards(() => server.close());

    const served = new Map<string, string>();
    for (let each = 0; each < users; each += 1) {
      const headers = { 'x-user-id': `user-${each}`, 'content-type': 'application/json' };
      const reply = await fetch(`${server.gatewayUrl}/score`, { method: 'POST', headers, body: '{}' });
      served.set(`user-${each}`, ((await reply.json()) as { model: string }).model);
    }
    expectThat(new Set(served.values()).size === 2, 'the gateway gave everybody the same model');

    const version = async (name: string): Promise<string> => {
      const place = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
      return (JSON.parse(await readFile(place, 'utf8')) as { version: string }).version;
    };
    for (const [name, headers] of [
      ['Authorization', { Authorization: `Bearer ${token}` }],
      ['X-API-Key', { 'X-API-Key': token }],
    ] as const) {
      await OpenFeature.setProviderAndWait(
        new OFREPProvider({
          baseUrl: server.apiUrl,
          headers: Object.entries(headers).map(([key, value]) => [key, value]),
        }),
      );
      const sdk = OpenFeature.getClient();
      for (const [targetingKey, model] of served) {
        const details = await sdk.getStringDetails('scores', 'none', { targetingKey });
        expectThat(
          details.value === model && details.reason === 'SPLIT',
          `${targetingKey} gets ${details.value} (${details.reason}) with ${name}, the gateway gave ${model}`,
        );
      }
      const missing = await sdk.getStringDetails('nobody', 'mine', { targetingKey: 'u' });
      expectThat(missing.value === 'mine' && missing.errorCode === 'FLAG_NOT_FOUND', 'an unknown flag has a value');
    }
    await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: server.apiUrl }));
    const refused = await OpenFeature.getClient().getStringDetails('scores', 'mine', { targetingKey: 'user-1' });
    expectThat(refused.value === 'mine', 'somebody without a token was answered');
    await OpenFeature.close();
    context.note(
      `JavaScript: server-sdk ${await version('@openfeature/server-sdk')}, ofrep-provider ${await version('@openfeature/ofrep-provider')}`,
    );

    const printed = await runProgram([python, client, server.apiUrl, 'scores', users], { env: { ASSAY_TOKEN: token } });
    const said = JSON.parse(printed) as {
      answers: Record<string, [string, string, string]>;
      missing: string;
      anonymous: string;
    };
    for (const [unit, model] of served) {
      const [variant, reason, experiment] = said.answers[unit] ?? [];
      expectThat(
        variant === model && /SPLIT$/.test(reason ?? '') && experiment === 'scores',
        `${unit} gets ${variant} (${reason}, ${experiment}) in Python, the gateway gave ${model}`,
      );
    }
    expectThat(/FLAG_NOT_FOUND/.test(said.missing), `an unknown flag is ${said.missing} in Python`);
    expectThat(/TARGETING_KEY_MISSING/.test(said.anonymous), `a context without a key is ${said.anonymous} in Python`);
    context.note(`Python: ${users} users get what the gateway gave them`);
  },
};
