// Requests that ask for many predictions at once, through a real gateway: one record per row.
import { afterAll, describe, expect, it } from 'vitest';
import type { Capture, UpstreamSpec } from '../experiment/index.ts';
import {
  call,
  closeAll,
  experiment,
  halves,
  json,
  openRig,
  startModel,
  twoOn,
  variant,
} from './gateway-rig.fixture.ts';

afterAll(closeAll);

const asUser = { 'x-user-id': 'u1' };
const prediction = (source: Capture['source']): Capture => ({ name: 'prediction', from: 'reply', source });

describe('a batch', () => {
  const iris = { kind: 'model', model: 'iris' } as const;
  const rowsOf = async (rig: Awaited<ReturnType<typeof openRig>>) =>
    (await rig.predictions()).map((record) => ({
      row: record.row,
      prediction: record.prediction,
      context: record.context,
    }));

  it('of Open Inference Protocol tensors is a record per row, with one assignment', async () => {
    const answer = {
      outputs: [
        { name: 'up', shape: [3, 2], datatype: 'FP64', data: [0.1, 0.9, 0.2, 0.8, 0.7, 0.3] },
        { name: 'label', shape: [3], datatype: 'BYTES', data: ['x', 'y', 'z'] },
      ],
    };
    const capture: Capture[] = [
      { ...prediction({ kind: 'tensor', name: 'up' }), threshold: 0.5 },
      { name: 'label', from: 'reply', source: { kind: 'tensor', name: 'label' } },
      { name: 'age', from: 'request', source: { kind: 'tensor', name: 'age' } },
      { name: 'page', from: 'request', source: { kind: 'header', name: 'x-page' } },
    ];
    const { rig } = await twoOn({ protocol: 'oip', model: 'm' }, { route: iris, capture }, answer);
    const body = { inputs: [{ name: 'age', shape: [3, 1], datatype: 'INT32', data: [[30], [40], [50]] }] };
    await call(`${rig.url}/v2/models/iris/infer`, { body, headers: { ...asUser, 'x-page': 'home' } });
    const records = await rig.predictions();
    expect(records.map(({ row, prediction: value, captured, context }) => [row, value, captured, context])).toEqual([
      [0, 0, { label: 'x' }, { age: 30, page: 'home' }],
      [1, 0, { label: 'y' }, { age: 40, page: 'home' }],
      [2, 1, { label: 'z' }, { age: 50, page: 'home' }],
    ]);
    const { assigned, unit, predictionId, attempts, epoch, status } = records[0]!;
    for (const record of records)
      expect(record).toMatchObject({ assigned, unit, predictionId, attempts, epoch, status });
  });

  it('of binary tensors is read at the right offsets', async () => {
    const text = (word: string): Buffer => Buffer.from([word.length, 0, 0, 0, ...Buffer.from(word)]);
    const words = Buffer.concat(['a', 'bb', 'ccc', 'd', 'ee', 'fff'].map(text));
    const scores = Buffer.from(new Float32Array([0.5, 1.5]).buffer);
    const head = JSON.stringify({
      outputs: [
        { name: 'words', shape: [2, 3], datatype: 'BYTES', parameters: { binary_data_size: words.length } },
        { name: 'score', shape: [2], datatype: 'FP32', parameters: { binary_data_size: scores.length } },
      ],
    });
    const body = Buffer.concat([Buffer.from(head), words, scores]);
    const model = await startModel((_asked, res) => {
      res.writeHead(200, { 'inference-header-content-length': head.length, 'content-length': body.length });
      res.end(body);
    });
    const upstream = { protocol: 'oip', model: 'm' } as const;
    const capture = [
      prediction({ kind: 'tensor', name: 'score' }),
      { name: 'word', from: 'reply', source: { kind: 'tensor', name: 'words' } } as const,
    ];
    const rig = await openRig([
      experiment([variant('a', model.url, { upstream }), variant('b', model.url, { upstream })], {
        route: iris,
        capture,
      }),
    ]);
    const asked = { inputs: [{ name: 'x', shape: [2], datatype: 'FP32', data: [1, 2] }] };
    await call(`${rig.url}/v2/models/iris/infer`, { body: asked, headers: asUser });
    expect((await rig.predictions()).map((record) => [record.prediction, record.captured.word])).toEqual([
      [0.5, 'a'],
      [1.5, 'd'],
    ]);
  });

  it('is none where the reply has another number of rows: a vector in, one number out', async () => {
    const answer = { outputs: [{ name: 'up', shape: [1], datatype: 'FP64', data: [0.5] }] };
    const capture = [prediction({ kind: 'tensor', name: 'up' })];
    const { rig } = await twoOn({ protocol: 'oip', model: 'm' }, { route: iris, capture }, answer);
    const body = { inputs: [{ name: 'x', shape: [4], datatype: 'FP64', data: [1, 2, 3, 4] }] };
    await call(`${rig.url}/v2/models/iris/infer`, { body, headers: asUser });
    expect(await rowsOf(rig)).toEqual([{ row: 0, prediction: 0.5, context: {} }]);
  });

  it.each<[UpstreamSpec['protocol'], string, object, string]>([
    ['mlflow', 'dataframe_split', { columns: ['age'], data: [[30], [40]] }, '$.dataframe_split.data[0][0]'],
    ['mlflow', 'dataframe_records', [{ age: 30 }, { age: 40 }], '$.dataframe_records[0].age'],
    ['mlflow', 'instances', [{ age: 30 }, { age: 40 }], '$.instances[0].age'],
    ['mlflow', 'inputs', [[30], [40]], '$.inputs[0][0]'],
    ['tensorflow', 'instances', [[30], [40]], '$.instances[0][0]'],
  ])('of %s %s is a record per row', async (protocol, key, rows, path) => {
    const capture: Capture[] = [
      prediction({ kind: 'json', path: '$.predictions[0].score' }),
      { name: 'age', from: 'request', source: { kind: 'json', path } },
      { name: 'tenant', from: 'request', source: { kind: 'json', path: '$.tenant' } },
    ];
    const isTensorflow = protocol === 'tensorflow';
    const { rig } = await twoOn(
      { protocol, ...(isTensorflow ? { model: 'm' } : {}) },
      { route: isTensorflow ? iris : { kind: 'path', path: '/invocations' }, capture },
      { predictions: [{ score: 0.25 }, { score: 0.75 }] },
    );
    const place = isTensorflow ? '/v1/models/iris:predict' : '/invocations';
    await call(rig.url + place, { body: { tenant: 't', [key]: rows }, headers: asUser });
    expect(await rowsOf(rig)).toEqual([
      { row: 0, prediction: 0.25, context: { age: 30, tenant: 't' } },
      { row: 1, prediction: 0.75, context: { age: 40, tenant: 't' } },
    ]);
  });

  it("is copied to a shadow as one request and recorded row by row beside the caller's own", async () => {
    const answer = { predictions: [1, 2] };
    const model = await startModel((_asked, res) => json(res, answer));
    const upstream = { protocol: 'mlflow' } as const;
    const variants = ['a', 'b', 'shadow'].map((name) => variant(name, model.url, { upstream }));
    const capture = [prediction({ kind: 'json', path: '$.predictions[0]' })];
    const route = { kind: 'path', path: '/invocations' } as const;
    const rig = await openRig([
      experiment(variants, { route, capture, mirror: { variant: 'shadow', share: 1 }, allocation: halves('a', 'b') }),
    ]);
    await call(`${rig.url}/invocations`, { body: { instances: [1, 2] }, headers: asUser });
    while ((rig.counts.get('mirror_ok') ?? 0) === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    const records = await rig.records();
    const id = (await rig.predictions())[0]!.predictionId;
    expect(records.filter((record) => record.kind === 'mirror')).toMatchObject([
      { predictionId: id, row: 0, prediction: 1 },
      { predictionId: id, row: 1, prediction: 2 },
    ]);
    expect(model.asked).toHaveLength(2);
  });

  it('that failed is one record: nothing is known of its rows', async () => {
    const model = await startModel((_asked, res) => json(res, {}, 500));
    const upstream = { protocol: 'mlflow' } as const;
    const rig = await openRig([
      experiment([variant('a', model.url, { upstream }), variant('b', model.url, { upstream })], {
        route: { kind: 'path', path: '/invocations' },
      }),
    ]);
    await call(`${rig.url}/invocations`, { body: { instances: [1, 2] }, headers: asUser });
    expect(await rowsOf(rig)).toHaveLength(1);
  });

  it('of more than 1,000 rows is one record that says how many', async () => {
    const capture = [prediction({ kind: 'json', path: '$.predictions[0]' })];
    const rows = Array(1001).fill(1);
    const { rig } = await twoOn(
      { protocol: 'mlflow' },
      { route: { kind: 'path', path: '/invocations' }, capture },
      { predictions: rows },
    );
    await call(`${rig.url}/invocations`, { body: { instances: rows }, headers: asUser });
    expect(await rig.predictions()).toMatchObject([{ row: 0, prediction: 1, captured: { batch_rows: 1001 } }]);
    expect(rig.counts.get('batch_too_large')).toBe(1);
  });

  it('whose reply streams is completed row by row at its end', async () => {
    const pad = 'x'.repeat(50_000);
    const capture = [prediction({ kind: 'json', path: '$.predictions[0].score' })];
    const { rig } = await twoOn(
      { protocol: 'mlflow' },
      { route: { kind: 'path', path: '/invocations' }, capture },
      {
        predictions: [
          { score: 1, pad },
          { score: 2, pad },
        ],
      },
    );
    await call(`${rig.url}/invocations`, { body: { instances: [1, 2] }, headers: asUser });
    expect(await rig.ends()).toMatchObject([{ row: 0, prediction: 1 }]);
    expect(await rig.predictions()).toMatchObject([
      { row: 0, prediction: null, streaming: true },
      { row: 1, prediction: 2, streaming: false, status: 200 },
    ]);
  });
});
