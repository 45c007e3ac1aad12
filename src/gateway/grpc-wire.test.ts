// Changing messages as bytes against protobufjs, which reads them, changes them and writes them anew.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { grpcMessageFor, grpcTarget } from './grpc-call.ts';
import { grpcVariant, methods } from './grpc-rig.fixture.ts';
import { frameMessage, readFields, readVarint, setTextFields, unframeMessages } from './grpc-wire.ts';
import { parseModelPath } from './upstream-path.ts';

const { requestSerialize: write, requestDeserialize: read } = methods.ModelInfer!;

const parameters = fc.dictionary(
  fc.string({ maxLength: 8 }).filter((name) => name !== '__proto__'),
  fc.oneof(
    fc.record({ bool_param: fc.boolean() }),
    fc.record({ int64_param: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String) }),
    fc.record({ string_param: fc.string() }),
    fc.record({ double_param: fc.double({ noNaN: true }) }),
  ),
  { maxKeys: 3 },
);

const bytes = fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each));

const contents = fc.oneof(
  fc.record({ bool_contents: fc.array(fc.boolean()) }),
  fc.record({ int_contents: fc.array(fc.integer()) }),
  fc.record({ int64_contents: fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)) }),
  fc.record({ fp32_contents: fc.array(fc.float({ noNaN: true })) }),
  fc.record({ fp64_contents: fc.array(fc.double({ noNaN: true })) }),
  fc.record({ bytes_contents: fc.array(bytes) }),
);

const request = fc.record(
  {
    model_name: fc.string({ unit: 'grapheme' }),
    model_version: fc.string(),
    id: fc.string(),
    parameters,
    inputs: fc.array(
      fc.record({
        name: fc.string(),
        datatype: fc.constantFrom('FP32', 'INT64'),
        shape: fc.array(fc.nat()),
        parameters,
        contents,
      }),
      { maxLength: 4 },
    ),
    outputs: fc.array(fc.record({ name: fc.string(), parameters }), { maxLength: 3 }),
    raw_input_contents: fc.array(bytes, { maxLength: 4 }),
  },
  { requiredKeys: [] },
);

describe('setting text fields of a message', () => {
  it('gives the bytes that decoding, changing and encoding gives', () => {
    fc.assert(
      fc.property(request, fc.string({ unit: 'grapheme' }), fc.string(), (message, model, version) => {
        const original = write(message);
        const spliced = setTextFields(
          original,
          new Map([
            [1, model],
            [2, version],
          ]),
        );
        const changed = { ...(read(original) as object), model_name: model, model_version: version };
        expect(read(spliced!)).toEqual(read(write(changed)));
        const rest = { ...message, model_name: model, model_version: version };
        expect(spliced!.equals(dropDefaults(write(rest), { model, version }))).toBe(true);
      }),
    );
  });

  it('leaves everything else byte for byte, fields nobody here knows included', () => {
    const unknown = Buffer.from([0xfa, 0x3f, 3, 1, 2, 3, 0xf8, 0x3f, 0x96, 0x01]);
    const original = Buffer.concat([unknown, write({ model_name: 'old', id: 'i' }), unknown]);
    const spliced = setTextFields(
      original,
      new Map([
        [1, 'new'],
        [2, ''],
      ]),
    )!;
    expect(spliced).toEqual(Buffer.concat([write({ model_name: 'new' }), unknown, write({ id: 'i' }), unknown]));
  });

  it('takes out every occurrence of a field that stands several times', () => {
    const twice = Buffer.concat([write({ model_name: 'one' }), write({ id: 'i' }), write({ model_name: 'two' })]);
    expect(read(setTextFields(twice, new Map([[1, 'new']]))!)).toMatchObject({ model_name: 'new', id: 'i' });
    expect(setTextFields(twice, new Map([[1, 'new']]))).toEqual(write({ model_name: 'new', id: 'i' }));
  });
});

/** An empty text that was set is written by protobufjs, and left out here as proto3 has it. */
function dropDefaults(encoded: Buffer, { model, version }: { model: string; version: string }): Buffer {
  const empty = [...(model === '' ? [1] : []), ...(version === '' ? [2] : [])];
  const fields = readFields(encoded)!.filter(({ number }) => !empty.includes(number));
  return Buffer.concat(fields.map(({ start, to }) => encoded.subarray(start, to)));
}

describe('reading a message', () => {
  it('refuses bytes that are none, and never reads past their end', () => {
    for (const broken of [[0x0a, 0x7f], [0x0a], [0x00], [0x0b], [0x08, 0xff], [0x0d, 1, 2], [0x09, 1]]) {
      expect(readFields(Buffer.from(broken))).toBeNull();
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (any) => {
        for (const { from, to } of readFields(Buffer.from(any)) ?? [])
          expect(to <= any.length && from <= to).toBe(true);
      }),
    );
  });

  it('reads varints of up to 64 bits', () => {
    expect(readVarint(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]), 0)).toEqual({
      low: 0xffffffff,
      high: 0xffffffff,
      next: 10,
    });
    expect(readVarint(Buffer.from([0x80, 0x80, 0x80, 0x80, 0x10]), 0)).toEqual({ low: 0, high: 1, next: 5 });
  });
});

describe('a call and its path', () => {
  const path = '/inference.GRPCInferenceService/ModelInfer';

  it('name the same model, whatever its name is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
        const target = grpcTarget(path, write({ model_name: name }))!;
        expect(parseModelPath(target)).toMatchObject({ model: name, rest: '/infer' });
      }),
    );
  });

  it('carry a version only where the caller asked for one', () => {
    expect(grpcTarget(path, write({ model_name: 'm' }))).toBe('/v2/models/m/infer');
    expect(grpcTarget(path, write({ model_name: 'm', model_version: '3' }))).toBe('/v2/models/m/versions/3/infer');
    expect(grpcTarget(path, Buffer.from([0x0a, 0x7f]))).toBeNull();
  });

  it('are rewritten by the rules of REST: a version asked for is dropped for a variant with its own model', () => {
    const asked = { path: '/v2/models/m/versions/3/infer', query: '', model: parseModelPath('/v2/models/m/infer') };
    const message = write({ model_name: 'm', model_version: '3', id: 'i' });
    expect(read(grpcMessageFor(grpcVariant('a', 'http://127.0.0.1:1'), message, asked)!)).toMatchObject({
      model_name: 'model-a',
      model_version: '',
      id: 'i',
    });
  });
});

describe('messages of a stream', () => {
  it('come out as they went in', () => {
    fc.assert(
      fc.property(fc.array(bytes), (messages) => {
        expect(unframeMessages(Buffer.concat(messages.map(frameMessage)))).toEqual(messages);
      }),
    );
  });
});
