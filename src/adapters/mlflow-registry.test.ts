import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { registryClauses } from '../control/model-registry.contract.ts';
import { AssayError } from '../errors.ts';
import { createMlflowRegistry, openMlflowRegistry } from './mlflow-registry.ts';
import { type MlflowDouble, startMlflowDouble } from './mlflow-server.fixture.ts';

let double: MlflowDouble;
beforeEach(async () => {
  double = await startMlflowDouble();
  double.registry.register('wine');
  double.registry.register('wine', { stage: 'shadow' });
  double.registry.register('wine');
  double.registry.setAlias('wine', { alias: 'champion', version: '1' });
});
afterEach(() => double.close());

const champion = { kind: 'alias', name: 'wine', alias: 'champion' } as const;
const faultOf = (work: Promise<unknown>): Promise<AssayError> =>
  work.then(
    () => Promise.reject(new Error('the call was answered')),
    (fault: unknown) => (fault instanceof AssayError ? fault : Promise.reject(fault)),
  );

describe('the registry of an MLflow server', () => {
  test.each(Object.entries(registryClauses))('%s', (_, holds) =>
    holds({ registry: createMlflowRegistry({ url: double.url, random: () => 0 }), model: 'wine' }),
  );

  test('a server that is not itself for a moment is asked again', async () => {
    double.fail(2);
    const registry = createMlflowRegistry({ url: double.url, random: () => 0 });
    expect((await registry.find(champion)).version).toBe('1');
    expect(double.requests).toHaveLength(3);
  });

  test('a server that is away is named, with the reason', async () => {
    await double.close();
    const registry = createMlflowRegistry({ url: double.url, random: () => 0 });
    const fault = await faultOf(registry.find(champion));
    expect(fault.code).toBe('registry-unreachable');
    expect(fault.message).toContain(`MLflow at ${double.url} does not answer: connect ECONNREFUSED`);
  });

  test('a refusal carries what the server said, and is not asked again', async () => {
    const registry = createMlflowRegistry({ url: double.url, random: () => 0 });
    const fault = await faultOf(registry.find({ kind: 'version', name: 'wine', version: '9' }));
    expect(fault.code).toBe('registry-refused');
    expect(fault.message).toContain('answered 404 to GET model-versions/get: model "wine" has no version 9');
    expect(double.requests).toHaveLength(1);
  });
});

describe('the environment names the registry', () => {
  const open = (environment: Record<string, string>) => openMlflowRegistry(environment, () => 0);
  const sent = async (environment: Record<string, string>): Promise<string | undefined> => {
    await open({ MLFLOW_TRACKING_URI: double.url, ...environment })!.find(champion);
    return double.requests.at(-1)?.authorization;
  };

  test('as MLflow reads it: registry before tracking, none without either', () => {
    expect(open({})).toBeNull();
    expect(open({ MLFLOW_TRACKING_URI: 'http://a:5000/' })?.place).toBe('MLflow at http://a:5000');
    expect(open({ MLFLOW_TRACKING_URI: 'http://a:5000', MLFLOW_REGISTRY_URI: 'http://b/mlflow' })?.place).toBe(
      'MLflow at http://b/mlflow',
    );
  });

  test('a file or a database is refused: Assay asks servers', () => {
    expect(() => open({ MLFLOW_TRACKING_URI: 'sqlite:///mlflow.db' })).toThrow(
      'MLFLOW_TRACKING_URI is "sqlite:///mlflow.db", must be an http or https URL',
    );
  });

  test('credentials are a token, or user and password, and never stand in messages', async () => {
    expect(await sent({})).toBeUndefined();
    expect(await sent({ MLFLOW_TRACKING_TOKEN: 'secret' })).toBe('Bearer secret');
    expect(await sent({ MLFLOW_TRACKING_USERNAME: 'ann', MLFLOW_TRACKING_PASSWORD: 'ä:1' })).toBe(
      `Basic ${Buffer.from('ann:ä:1').toString('base64')}`,
    );
    const url = double.url.replace('http://', 'http://ann:secret@');
    expect(await sent({ MLFLOW_TRACKING_URI: url })).toBe(`Basic ${Buffer.from('ann:secret').toString('base64')}`);
    expect(open({ MLFLOW_TRACKING_URI: url })?.place).not.toContain('secret');
  });
});

// Where a real server stands at ASSAY_MLFLOW, as in the systems suite, it is held to the same clauses.
const real = process.env.ASSAY_MLFLOW;
if (real !== undefined) {
  describe('the registry of a real MLflow server', () => {
    let count = 0;
    test.each(Object.entries(registryClauses))(
      '%s',
      async (_, holds) => {
        count += 1;
        const model = `contract-${process.pid}-${count}`;
        await fillReal(real, model);
        await holds({ registry: createMlflowRegistry({ url: real, random: Math.random }), model });
      },
      60_000,
    );
  });
}

async function fillReal(url: string, name: string): Promise<void> {
  const call = async (path: string, body: object): Promise<void> => {
    const reply = await fetch(`${url}/api/2.0/mlflow/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!reply.ok) throw new Error(`${path} was answered ${reply.status}: ${await reply.text()}`);
  };
  await call('registered-models/create', { name });
  for (const tags of [[], [{ key: 'stage', value: 'shadow' }], []])
    await call('model-versions/create', { name, source: 's3://models/none', tags });
  await call('registered-models/alias', { name, alias: 'champion', version: '1' });
}
