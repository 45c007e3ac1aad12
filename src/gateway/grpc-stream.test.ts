// ModelStreamInfer: real bidirectional streams on both sides of a gateway.
import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { closeAll } from './gateway-rig.fixture.ts';
import {
  closeGrpc,
  forecast,
  type GrpcRig,
  grpcFault,
  grpcVariant,
  inferReply,
  inferRequest,
  methods,
  openGrpcRig,
  startGrpcModel,
} from './grpc-rig.fixture.ts';

afterEach(async () => {
  await closeGrpc();
  await closeAll();
});

const { path, requestSerialize, responseDeserialize } = methods.ModelStreamInfer!;

// biome-ignore lint/suspicious/noExplicitAny: decoded messages
type Message = any;

/** A stream to the gateway, and all that came of it. */
function openStream(rig: GrpcRig, headers: Record<string, string> = { 'x-user-id': 'u1' }) {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const stream = rig.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
  const replies: Message[] = [];
  let initial = new grpc.Metadata();
  stream.on('data', (message: Message) => replies.push(message));
  stream.on('metadata', (got: grpc.Metadata) => (initial = got));
  stream.on('error', () => {});
  const ended = new Promise<grpc.StatusObject>((resolve) => stream.on('status', resolve));
  return { stream, replies, ended, header: (name: string) => initial.get(name)[0] };
}

/** Answers each message of a stream by `reply`. */
const answering =
  (reply: (message: Message) => readonly object[]) =>
  (stream: grpc.ServerDuplexStream<object, object>): void => {
    stream.on('data', (message: Message) => {
      for (const each of reply(message)) stream.write(each);
    });
    stream.on('end', () => stream.end());
    stream.on('error', () => {});
  };

const answerStream = (value: number) => answering(({ id }) => [{ infer_response: { ...inferReply(value), id } }]);

describe('a stream of predictions', () => {
  it('gets its replies in order, each prediction on record under the id of its message', async () => {
    const model = await startGrpcModel(() => ({}), { stream: answerStream(0.5) });
    const rig = await openGrpcRig([
      forecast([grpcVariant('a', model.url), grpcVariant('b', model.url)], {
        capture: [{ name: 'prediction', from: 'reply', source: { kind: 'tensor', name: 'up' } }],
      }),
    ]);
    const { stream, replies, ended, header } = openStream(rig);
    for (const id of ['r1', 'r2', 'r3']) stream.write(inferRequest({ id }));
    stream.end();
    expect((await ended).code).toBe(0);
    expect(replies.map(({ infer_response }) => infer_response.id)).toEqual(['r1', 'r2', 'r3']);
    expect(header('x-assay-variant')).toBe('b');
    const records = await rig.predictions();
    expect(records.map(({ requestId, assigned, served, status }) => [requestId, assigned, served, status])).toEqual([
      ['r1', 'b', 'b', 200],
      ['r2', 'b', 'b', 200],
      ['r3', 'b', 'b', 200],
    ]);
    expect((await rig.ends()).map(({ prediction, attempt }) => [prediction, attempt.error])).toEqual([
      [0.5, null],
      [0.5, null],
      [0.5, null],
    ]);
  });

  it('passes any number of replies to one message, also none', async () => {
    const stream = answering(({ id }) =>
      id === 'none' ? [] : [1, 2, 3].map((value) => ({ infer_response: { ...inferReply(value), id } })),
    );
    const model = await startGrpcModel(() => ({}), { stream });
    const rig = await openGrpcRig([forecast([grpcVariant('a', model.url), grpcVariant('b', model.url)])]);
    const { stream: sent, replies, ended } = openStream(rig);
    sent.write(inferRequest({ id: 'none' }));
    sent.write(inferRequest({ id: 'three' }));
    sent.end();
    expect((await ended).code).toBe(0);
    expect(replies.map(({ infer_response }) => infer_response.id)).toEqual(['three', 'three', 'three']);
    expect(await rig.predictions()).toHaveLength(2);
  });

  it('falls back to the control for a message its variant refuses or fails', async () => {
    const control = await startGrpcModel(() => ({}), { stream: answerStream(0) });
    const refusing = await startGrpcModel(() => ({}), { stream: answering(() => [{ error_message: 'no memory' }]) });
    const rig = await openGrpcRig([forecast([grpcVariant('a', control.url), grpcVariant('b', refusing.url)])]);
    const { stream, replies, ended, header } = openStream(rig);
    stream.write(inferRequest({ id: 'r1' }));
    stream.end();
    await ended;
    expect(replies).toMatchObject([{ error_message: '', infer_response: { id: 'r1' } }]);
    expect(header('x-assay-fallback-from')).toBe('b');
    expect((await rig.predictions())[0]!.attempts).toMatchObject([
      { variant: 'b', status: 500, error: 'status' },
      { variant: 'a', status: 200 },
    ]);
  });

  it('goes on after a message that nobody could answer', async () => {
    const stream = (call: grpc.ServerDuplexStream<object, object>): void => {
      call.on('data', ({ id }: Message) => {
        if (id === 'bad') call.emit('error', grpcFault(13, 'broken'));
        else if (id === 'worse') call.write({ error_message: 'shape is [3], must be [4]' });
        else call.write({ infer_response: { ...inferReply(1), id } });
      });
      call.on('end', () => call.end());
    };
    const model = await startGrpcModel(() => ({}), { stream });
    const rig = await openGrpcRig([forecast([grpcVariant('a', model.url), grpcVariant('b', model.url)])]);
    const { stream: sent, replies, ended } = openStream(rig);
    for (const id of ['bad', 'worse', 'good']) sent.write(inferRequest({ id }));
    sent.write(inferRequest({ model_name: 'nobody' }));
    sent.end();
    expect((await ended).code).toBe(0);
    expect(replies.map(({ error_message, infer_response }) => error_message || infer_response.id)).toEqual([
      'broken',
      'shape is [3], must be [4]',
      'good',
      expect.stringContaining('no experiment is routed'),
    ]);
  });

  it('that breaks in the middle of a reply says so and goes on', async () => {
    const stream = (call: grpc.ServerDuplexStream<object, object>): void => {
      call.on('data', () => {
        call.write({ infer_response: inferReply(1) });
        call.emit('error', grpcFault(13, 'broken'));
      });
      call.on('end', () => call.end());
    };
    const model = await startGrpcModel(() => ({}), { stream });
    const rig = await openGrpcRig([forecast([grpcVariant('a', model.url), grpcVariant('b', model.url)])]);
    const { stream: sent, replies, ended } = openStream(rig);
    sent.write(inferRequest());
    sent.end();
    await ended;
    expect(replies.map(({ error_message }) => error_message)).toEqual(['', 'the reply broke off']);
    expect((await rig.ends())[0]!.attempt).toMatchObject({ variant: 'b', error: 'reset' });
  });

  it('of which the caller goes away is cancelled at the model server', async () => {
    const model = await startGrpcModel(() => ({}), {
      stream: (call) => {
        call.on('data', () => call.write({ infer_response: inferReply(1) }));
        call.on('error', () => {});
      },
    });
    const rig = await openGrpcRig([forecast([grpcVariant('a', model.url), grpcVariant('b', model.url)])]);
    const { stream, replies } = openStream(rig);
    stream.write(inferRequest());
    await expect.poll(() => replies.length).toBe(1);
    stream.cancel();
    await expect.poll(() => model.cancelled).toEqual(['ModelStreamInfer']);
    expect((await rig.ends())[0]!.attempt).toMatchObject({ variant: 'b', error: 'aborted' });
  });

  it('holds the model server back while the caller does not read', async () => {
    const large = Buffer.alloc(256 * 1024);
    let written = 0;
    const model = await startGrpcModel(() => ({}), {
      stream: (call) => {
        const pump = (): void => {
          while (written < 400) {
            written += 1;
            if (!call.write({ infer_response: { raw_output_contents: [large] } })) {
              call.once('drain', pump);
              return;
            }
          }
          call.end();
        };
        call.on('data', pump);
        call.on('error', () => {});
      },
    });
    const rig = await openGrpcRig([
      forecast([grpcVariant('a', model.url), grpcVariant('b', model.url, {}, { timeoutMs: 30_000 })]),
    ]);
    const { stream, replies, ended } = openStream(rig);
    stream.pause();
    stream.write(inferRequest());
    stream.end();
    // As far as it gets: nothing more may come once all buffers are full.
    let before = -1;
    while (written !== before) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect(written).toBeLessThan(200);
    stream.resume();
    // The status may overtake the last replies in the client, so its end is what to wait for.
    await expect.poll(() => replies.length, { timeout: 60_000 }).toBe(400);
    expect((await ended).code).toBe(0);
  }, 120_000);

  it('ends after the message it is at when the gateway stops', async () => {
    const model = await startGrpcModel(() => ({}), { stream: answerStream(1) });
    const rig = await openGrpcRig([forecast([grpcVariant('a', model.url), grpcVariant('b', model.url)])]);
    const { stream, replies, ended } = openStream(rig);
    stream.write(inferRequest());
    await expect.poll(() => replies.length).toBe(1);
    rig.stop();
    expect((await ended).code).toBe(0);
  });
});
