// What captures and unit ids see of a gRPC message.
import { describe, expect, it } from 'vitest';
import { grpcTypes } from './grpc-message.ts';
import { methods } from './grpc-rig.fixture.ts';
import { frameMessage } from './grpc-wire.ts';
import { createJsonBody } from './json-body.ts';
import { readTensor, readTensorRows } from './oip-tensor.ts';

const { requestSerialize, responseSerialize } = methods.ModelInfer!;
const { responseSerialize: streamSerialize } = methods.ModelStreamInfer!;

const reply = (message: object) => createJsonBody(['content-type', grpcTypes.reply], responseSerialize(message));
const request = (message: object) => createJsonBody(['content-type', grpcTypes.request], requestSerialize(message));

describe('a gRPC message', () => {
  it('shows the JSON of its REST twin', () => {
    const body = request({
      model_name: 'm',
      model_version: '2',
      id: 'i',
      parameters: {
        user: { string_param: 'ü' },
        priority: { int64_param: '-3' },
        big: { uint64_param: '18446744073709551615' },
        fast: { bool_param: false },
        rate: { double_param: 0.25 },
        __proto__x: { string_param: 'p' },
      },
      inputs: [
        { name: 't', datatype: 'INT64', shape: [2, 1], contents: { int64_contents: ['5', '9007199254740993'] } },
      ],
    });
    expect(body.document()).toEqual({
      model_name: 'm',
      model_version: '2',
      id: 'i',
      parameters: { user: 'ü', priority: -3, big: '18446744073709551615', fast: false, rate: 0.25, __proto__x: 'p' },
      inputs: [{ name: 't', datatype: 'INT64', shape: [2, 1], data: [5, '9007199254740993'] }],
    });
    expect(JSON.parse(body.json()!.toString())).toEqual(body.document());
    expect(body.binary()).toBeNull();
  });

  const kinds: readonly [string, object, unknown][] = [
    ['BOOL', { bool_contents: [true, false] }, true],
    ['INT8', { int_contents: [-7, 1] }, -7],
    ['INT32', { int_contents: [-2147483648, 1] }, -2147483648],
    ['INT64', { int64_contents: ['-9007199254740993', '1'] }, '-9007199254740993'],
    ['UINT32', { uint_contents: [4294967295, 1] }, 4294967295],
    ['UINT64', { uint64_contents: ['18446744073709551615', '1'] }, '18446744073709551615'],
    ['FP32', { fp32_contents: [0.5, 1] }, 0.5],
    ['FP64', { fp64_contents: [0.1, 1] }, 0.1],
    ['BYTES', { bytes_contents: [Buffer.from('ja'), Buffer.from('nein')] }, 'ja'],
  ];
  it.each(kinds)('holds %s tensors element by element', (datatype, contents, first) => {
    const body = reply({ outputs: [{ name: 'up', datatype, shape: [2], contents }] });
    expect(readTensor(body, 'outputs', 'up')).toBe(first);
    expect(readTensorRows(body, { list: 'outputs', name: 'up', rows: 2 })).toHaveLength(2);
  });

  it('holds raw tensors in the order of its tensors, past those in shared memory', () => {
    const two = Buffer.alloc(8);
    two.writeDoubleLE(2);
    const body = reply({
      outputs: [
        { name: 'a', datatype: 'UINT8', shape: [1] },
        { name: 's', datatype: 'FP64', shape: [1], parameters: { shared_memory_region: { string_param: 'r' } } },
        { name: 'b', datatype: 'FP64', shape: [1] },
        { name: 't', datatype: 'BYTES', shape: [1] },
      ],
      raw_output_contents: [Buffer.from([9]), two, Buffer.from([2, 0, 0, 0, 0x6f, 0x6b])],
    });
    expect(readTensor(body, 'outputs', 'a')).toBe(9);
    expect(readTensor(body, 'outputs', 's')).toBeUndefined();
    expect(readTensor(body, 'outputs', 'b')).toBe(2);
    expect(readTensor(body, 'outputs', 't')).toBe('ok');
  });

  it('with more integers than anybody reads shows none of them', () => {
    const body = reply({
      outputs: [
        { name: 'up', datatype: 'INT32', shape: [20_000], contents: { int_contents: new Array(20_000).fill(1) } },
      ],
    });
    expect(readTensor(body, 'outputs', 'up')).toBeUndefined();
  });

  it('that is broken has nothing to say', () => {
    const body = createJsonBody(['content-type', grpcTypes.reply], Buffer.from([0x0a, 0x7f]));
    expect([body.json(), body.document(), body.binary()]).toEqual([null, undefined, null]);
  });

  it('of a stream is the last reply with outputs', () => {
    const framed = [1, 2].map((value) =>
      frameMessage(
        streamSerialize({
          infer_response: {
            outputs: [{ name: 'up', datatype: 'INT32', shape: [1], contents: { int_contents: [value] } }],
          },
        }),
      ),
    );
    const end = frameMessage(streamSerialize({ infer_response: { parameters: { final: { bool_param: true } } } }));
    const body = createJsonBody(['content-type', grpcTypes.stream], Buffer.concat([...framed, end]));
    expect(readTensor(body, 'outputs', 'up')).toBe(2);
  });
});
