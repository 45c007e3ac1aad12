// What must every front do with HTTP/1.1, above all with requests that two parsers on their way could read in two ways? One suite for all fronts.
// Long because it is one table of such requests and one list of what an exchange must do.
import type { AddressInfo, Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CallerHandler, CallerReply } from './caller.ts';
import { createFastFront } from './fast-front.ts';
import type { Front, FrontOptions } from './front.ts';
import {
  type Answer,
  experiment,
  json,
  type ModelServer,
  openRig,
  type Rig,
  startModel,
  variant,
} from './gateway-rig.fixture.ts';
import { createNodeFront } from './node-front.ts';

/** One kind of front: how a rig with it is opened, and how a caller connects to it. */
export interface FrontUnderTest {
  readonly kind: 'node' | 'fast';
  readonly options?: FrontOptions;
  connect(port: number): Socket;
}

const hasty: FrontOptions = { headTimeoutMs: 300, requestTimeoutMs: 600, keepAliveMs: 400, checkMs: 50 };
const maxRequestBytes = 100_000;
/** Longer than anything here takes on a busy machine; whoever waits for it has failed. */
const patienceMs = 10_000;

/** What came back over one connection. */
interface Said {
  readonly text: string;
  readonly isClosed: boolean;
}

/** Sends bytes as they are, and waits until the text matches or, without a pattern, until the other side closes. */
function talk(socket: Socket, bytes: string | null, until?: RegExp): Promise<Said> {
  return new Promise((resolve) => {
    let text = '';
    const done = (isClosed: boolean): void => {
      clearTimeout(timer);
      socket.off('data', onData);
      socket.off('close', onClose);
      resolve({ text, isClosed });
    };
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      if (until?.test(text)) done(false);
    };
    const onClose = (): void => done(true);
    const timer = setTimeout(() => done(false), patienceMs);
    socket.on('data', onData);
    socket.on('close', onClose);
    if (bytes !== null) socket.write(bytes, 'latin1');
  });
}

const statusesOf = ({ text }: Said): number[] =>
  [...text.matchAll(/(?:^|\r\n|\})HTTP\/1\.1 (\d{3}) /g)].map((found) => Number(found[1]));

const head = 'POST /predict HTTP/1.1\r\nHost: x\r\nx-user-id: u\r\n';
const close = 'Connection: close\r\n';
const post = (body: string, more = ''): string => `${head}${more}Content-Length: ${body.length}\r\n\r\n${body}`;
const big = 'y'.repeat(70_000);

/** Requests that are refused, with the only status allowed; nothing of them reaches a model server. */
const refused: readonly [string, number, string][] = [
  [
    'Content-Length beside Transfer-Encoding',
    400,
    `${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  [
    'Transfer-Encoding before Content-Length',
    400,
    `${head}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n`,
  ],
  ['two Content-Lengths that differ', 400, `${head}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde`],
  ['two Content-Lengths that agree', 400, `${head}Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd`],
  ['a list of Content-Lengths', 400, `${head}Content-Length: 4, 4\r\n\r\nabcd`],
  ['a signed Content-Length', 400, `${head}Content-Length: +4\r\n\r\nabcd`],
  ['a negative Content-Length', 400, `${head}Content-Length: -4\r\n\r\nabcd`],
  ['a hexadecimal Content-Length', 400, `${head}Content-Length: 0x4\r\n\r\nabcd`],
  ['a Content-Length beyond all numbers', 400, `${head}Content-Length: 99999999999999999999999\r\n\r\nabcd`],
  ['a Transfer-Encoding without a value', 400, `${head}Transfer-Encoding:\r\n\r\n`],
  [
    'chunked and a Transfer-Encoding without a value',
    400,
    `${head}Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n`,
  ],
  ['a space before the colon', 400, `${head}Content-Length : 4\r\n\r\nabcd`],
  ['a folded Transfer-Encoding', 400, `${head}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`],
  ['a folded line', 400, `${head}X-A: b\r\n c\r\n\r\n`],
  ['a first line that is folded', 400, `POST /predict HTTP/1.1\r\n Host: x\r\n\r\n`],
  ['an unknown coding', 400, `${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
  ['chunked before another coding', 400, `${head}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
  ['Transfer-Encoding: identity', 400, `${head}Transfer-Encoding: identity\r\n\r\n`],
  ['a coding that nobody undoes', 501, `${head}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
  ['chunked with HTTP/1.0', 400, 'POST /predict HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['lines that end with a bare LF', 400, 'POST /predict HTTP/1.1\nHost: x\nContent-Length: 0\n\n'],
  ['one line that ends with a bare LF', 400, 'POST /predict HTTP/1.1\r\nHost: x\nX-A: b\n\r\n'],
  ['a bare CR within a line', 400, `${head}X-A: b\rX-C: d\r\n\r\n`],
  ['a NUL in a value', 400, `${head}X-A: b\0c\r\n\r\n`],
  ['a line without a name', 400, `${head}: b\r\n\r\n`],
  ['a line without a colon', 400, `${head}nonsense\r\n\r\n`],
  ['a name with a space', 400, `${head}X A: b\r\n\r\n`],
  ['a name with a quote', 400, `${head}X"A: b\r\n\r\n`],
  ['a bare LF within a chunk extension', 400, `${head}Transfer-Encoding: chunked\r\n\r\n2;a=\nb\r\nhi\r\n0\r\n\r\n`],
  ['a chunk that ends with a bare LF', 400, `${head}Transfer-Encoding: chunked\r\n\r\n2\nhi\n0\n\n`],
  ['a chunk longer than it says', 400, `${head}Transfer-Encoding: chunked\r\n\r\n2\r\nhigh\r\n0\r\n\r\n`],
  [
    'a chunk size beyond all numbers',
    400,
    `${head}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nhi\r\n0\r\n\r\n`,
  ],
  ['a chunk size that is none', 400, `${head}Transfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n`],
  ['no Host', 400, 'POST /predict HTTP/1.1\r\nContent-Length: 0\r\n\r\n'],
  ['two Hosts', 400, `POST /predict HTTP/1.1\r\nHost: a\r\nHost: b\r\n${close}\r\n`],
  ['two Hosts that agree', 400, `POST /predict HTTP/1.1\r\nHost: a\r\nhost: a\r\n${close}\r\n`],
  ['a Host with a path', 400, `GET /predict HTTP/1.1\r\nHost: a/b\r\n${close}\r\n`],
  ['a Host with user information', 400, `GET /predict HTTP/1.1\r\nHost: a@b\r\n${close}\r\n`],
  ['a list of Hosts', 400, `GET /predict HTTP/1.1\r\nHost: a b\r\n${close}\r\n`],
  ['a target that names another host', 400, `GET http://a/predict HTTP/1.1\r\nHost: b\r\n${close}\r\n`],
  ['a target of another scheme', 400, `GET ftp://x/predict HTTP/1.1\r\nHost: x\r\n${close}\r\n`],
  ['a target without a slash', 400, `GET predict HTTP/1.1\r\nHost: x\r\n${close}\r\n`],
  ['a space within the target', 400, `GET /predict /x HTTP/1.1\r\nHost: x\r\n${close}\r\n`],
  ['a control character in the target', 400, `GET /predict\x01 HTTP/1.1\r\nHost: x\r\n${close}\r\n`],
  ['a method that is no token', 400, `PO(ST /predict HTTP/1.1\r\nHost: x\r\n\r\n`],
  ['a method in lower case', 400, `post /predict HTTP/1.1\r\nHost: x\r\n\r\n`],
  ['a method of another protocol', 400, `DESCRIBE /predict HTTP/1.1\r\nHost: x\r\n\r\n`],
  ['a tunnel', 400, 'CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n'],
  ['a tunnel of another version', 505, 'CONNECT x:80 HTTP/0.9\r\nHost: x:80\r\n\r\n'],
  ['the preface of HTTP/2', 400, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a version that does not exist', 400, 'GET /predict HTTP/1.2\r\nHost: x\r\n\r\n'],
  ['HTTP/2 as a line of text', 505, 'GET /predict HTTP/2.0\r\nHost: x\r\n\r\n'],
  ['HTTP/0.9', 505, 'GET /predict HTTP/0.9\r\nHost: x\r\n\r\n'],
  ['another protocol altogether', 400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['an expectation nobody knows', 417, `${head}Expect: tea\r\n${close}Content-Length: 0\r\n\r\n`],
  ['an expectation that only holds the known one', 417, `${head}Expect: 1.100-continue\r\nContent-Length: 0\r\n\r\n`],
  [
    'the known expectation, twice',
    417,
    `${head}Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n`,
  ],
  ['no Host, with a sound request behind it', 400, `POST /predict HTTP/1.1\r\nContent-Length: 0\r\n\r\n${post('x')}`],
  ['no Host, with rubbish behind it', 400, 'POST /predict HTTP/1.1\r\nContent-Length: 0\r\n\r\n\0\0\0'],
  [
    'an unknown expectation, with a sound request behind it',
    417,
    `${head}Expect: tea\r\nContent-Length: 0\r\n\r\n${post('x')}`,
  ],
  ['a head above the limit', 431, `${head}X-A: ${big}\r\n\r\n`],
  ['a target above the limit', 431, `GET /predict?${big} HTTP/1.1\r\nHost: x\r\n\r\n`],
  ['a Content-Length among trailers', 400, `${head}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 9\r\n\r\n`],
  ['many fields above the limit', 431, `${head}${'X-A: bcdefghijklmnop\r\n'.repeat(4000)}\r\n`],
  ['trailers above the limit', 431, `${head}Transfer-Encoding: chunked\r\n\r\n0\r\nX-A: ${big}\r\n\r\n`],
  ['a chunk extension above the limit', 413, `${head}Transfer-Encoding: chunked\r\n\r\n2;${big}\r\nhi\r\n0\r\n\r\n`],
  ['a body announced too long', 413, `${head}Content-Length: ${maxRequestBytes + 1}\r\n\r\n`],
  [
    'a body announced too long, that waits to be asked for',
    413,
    `${head}Expect: 100-continue\r\nContent-Length: ${maxRequestBytes + 1}\r\n\r\n`,
  ],
  [
    'chunks that become too long',
    413,
    `${head}Transfer-Encoding: chunked\r\n\r\n${`ffff\r\n${'z'.repeat(0xffff)}\r\n`.repeat(3)}`,
  ],
];

/** Declares the suite for one kind of front. */
export function testFront(name: string, { kind, options, connect }: FrontUnderTest): void {
  describe(`${name} keeps the contract of a front:`, () => {
    let model: ModelServer;
    let rig: Rig;
    const sockets = new Set<Socket>();
    const routed = ({ url } = model) => experiment([variant('control', url), variant('candidate', url)]);
    const dial = (port: number): Socket => {
      const socket = connect(port);
      sockets.add(socket);
      socket.on('error', () => {});
      return socket;
    };
    const open = (): Socket => dial(rig.port);
    /** One connection, from the bytes to its end. */
    const say = (bytes: string, until?: RegExp): Promise<Said> => talk(open(), bytes, until);

    const answer: Answer = ({ url, body, headers }, res) => {
      const status = Number(/status=(\d+)/.exec(url)?.[1] ?? 200);
      if (url.includes('stream')) {
        res.writeHead(200, { 'content-type': 'text/event-stream' });
        res.write('data: 1\n\n');
        res.end('data: 2\n\n');
      } else if (status !== 200) res.writeHead(status, status === 304 ? { etag: '"a"' } : {}).end();
      else if (url.includes('slow')) setTimeout(() => json(res, { slow: true }), url.includes('slower') ? 900 : 100);
      else json(res, { got: body.toString('latin1'), headers });
    };

    beforeAll(async () => {
      model = await startModel(answer);
      rig = await openRig([routed()], { maxRequestBytes }, { ...options, kind });
    });
    afterAll(() => {
      for (const socket of sockets) socket.destroy();
    });

    // None of them reaches the model, so they may be sent side by side.
    describe.concurrent('it refuses', () => {
      it.each(refused)('%s with %i', async (_name, status, bytes) => {
        const before = [model.asked.length, (await rig.records()).length];
        const said = await say(bytes);
        expect(said.isClosed).toBe(true);
        expect(statusesOf(said)).toEqual([status]);
        expect(model.asked).toHaveLength(before[0]!);
        const later = (await rig.records()).slice(before[1]);
        expect(later.filter((record) => record.kind === 'prediction' && record.status === 200)).toEqual([]);
      });
    });

    describe.concurrent('it waits no longer than it should', () => {
      let quick: Rig;
      let quickModel: ModelServer;
      const open = (): Socket => dial(quick.port);
      const say = (bytes: string): Promise<Said> => talk(open(), bytes);
      beforeAll(async () => {
        // Its own: these tests and those of refusals, which count what reaches theirs, go on side by side.
        quickModel = await startModel(answer);
        quick = await openRig([routed(quickModel)], { maxRequestBytes }, { ...hasty, ...options, kind });
      });

      it('for a head that does not come', async () => {
        const said = await say('POST /predict HTTP/1.1\r\nHost:');
        expect([said.isClosed, ...statusesOf(said)]).toEqual([true, 408]);
      });

      it('for a head that comes byte by byte', async () => {
        const socket = open();
        const drip = setInterval(() => socket.write('a'), 20);
        const said = await talk(socket, 'POST /predict HTTP/1.1\r\nX-A: ');
        clearInterval(drip);
        expect([said.isClosed, ...statusesOf(said)]).toEqual([true, 408]);
      });

      it('for a second head that comes byte by byte', async () => {
        const socket = open();
        await talk(socket, post('one'), /"one"/);
        const drip = setInterval(() => socket.write('a'), 20);
        const said = await talk(socket, 'POST /predict HTTP/1.1\r\nX-A: ');
        clearInterval(drip);
        expect([said.isClosed, ...statusesOf(said)]).toEqual([true, 408]);
      });

      it('for a body that does not come', async () => {
        const said = await say('POST /predict/half HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab');
        expect([said.isClosed, ...statusesOf(said)]).toEqual([true, 408]);
        expect(quickModel.asked.some(({ url }) => url.endsWith('/half'))).toBe(false);
      });

      it('for a body that comes byte by byte', async () => {
        const socket = open();
        const drip = setInterval(() => socket.write('1\r\na\r\n'), 20);
        const said = await talk(socket, `${head}Transfer-Encoding: chunked\r\n\r\n`);
        clearInterval(drip);
        expect([said.isClosed, ...statusesOf(said)]).toEqual([true, 408]);
      });

      it('but longer for a model that takes its time', async () => {
        const said = await say(`POST /predict/slower HTTP/1.1\r\nHost: x\r\n${close}Content-Length: 0\r\n\r\n`);
        expect(statusesOf(said)).toEqual([200]);
      });
    });

    describe('it refuses in its turn', () => {
      it('nothing of what stands before the request: both are answered, in order', async () => {
        const said = await say(`${post('one')}${post('two')}GET / HTTP/1.1\r\nHost : x\r\n\r\n${post('three')}`);
        expect(statusesOf(said)).toEqual([200, 200, 400]);
        expect(said.text).toMatch(/"got":"one"[\s\S]*"got":"two"/);
        expect(said.text).not.toContain('three');
      });

      it('a tunnel in its turn, behind the request before it', async () => {
        const slow = 'POST /predict/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n';
        const said = await say(`${slow}CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n`);
        expect([said.isClosed, ...statusesOf(said)]).toEqual([true, 200, 400]);
      });

      it('never a second time, where a request had its answer before its body turned out to be broken', async () => {
        const socket = open();
        const early = 'POST /nobody HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
        expect(statusesOf(await talk(socket, early, /\}$/))).toEqual([404]);
        expect(await talk(socket, 'no chunk\r\n')).toEqual({ text: '', isClosed: true });
      });
    });

    describe('it answers', () => {
      it('several requests over one connection', async () => {
        const socket = open();
        for (const body of ['one', 'two', 'three']) {
          const said = await talk(socket, post(body), /"got":"\w+"[\s\S]*\}$/);
          expect(said.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
          expect(said.text).toContain(`"got":"${body}"`);
        }
      });

      it('pipelined requests in their order, also when they come in one piece', async () => {
        const bodies = Array.from({ length: 20 }, (_none, at) => `body-${at}-`);
        const said = await say(bodies.map((body) => post(body)).join('') + post('last', close));
        expect(statusesOf(said)).toEqual(Array(21).fill(200));
        expect([...said.text.matchAll(/"got":"([^"]*)"/g)].map((found) => found[1])).toEqual([...bodies, 'last']);
      });

      it('a fast request behind a slow one, after it', async () => {
        const slow = 'POST /predict/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n';
        const said = await say(slow + post('fast', close));
        expect(said.text).toMatch(/"slow":true[\s\S]*"got":"fast"/);
      });

      it('nothing that comes after Connection: close', async () => {
        const asked = model.asked.length;
        const said = await say(post('one', close) + post('two'));
        expect(statusesOf(said)).toEqual([200]);
        expect(said.text).toMatch(/\r\nconnection: close\r\n/i);
        expect(model.asked).toHaveLength(asked + 1);
      });

      it('a request that comes byte by byte', async () => {
        const socket = open();
        socket.setNoDelay(true);
        const answered = talk(socket, null, /"got":"abc"/);
        for (const byte of `${head}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x=y\r\nbc\r\n0\r\nX-T: t\r\n\r\n`) {
          await new Promise<void>((resolve) => socket.write(byte, 'latin1', () => resolve()));
        }
        expect((await answered).isClosed).toBe(false);
      });

      it('chunks, which the model server gets with one Content-Length and without trailers', async () => {
        const said = await say(
          `${head}${close}Trailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;e\r\ndefg\r\n0\r\nX-T: t\r\n\r\n`,
        );
        expect(statusesOf(said)).toEqual([200]);
        const { headers, body } = model.asked.at(-1)!;
        expect([body.toString(), headers['content-length']]).toEqual(['abcdefg', '7']);
        for (const gone of ['transfer-encoding', 'trailer', 'x-t']) expect(headers).not.toHaveProperty(gone);
      });

      it('100 and then 200 to a caller that waits to be asked for its body', async () => {
        const socket = open();
        const asked = await talk(
          socket,
          `${head}${close}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`,
          /100 Continue\r\n\r\n$/,
        );
        expect(statusesOf(asked)).toEqual([100]);
        const said = await talk(socket, 'hi');
        expect(statusesOf(said)).toEqual([200]);
        expect(model.asked.at(-1)!.headers).not.toHaveProperty('expect');
      });

      it('200 alone when the body came without waiting', async () => {
        const said = await say(post('hi', `${close}Expect: 100-continue\r\n`));
        expect(statusesOf(said).at(-1)).toBe(200);
      });

      it('nothing that comes behind a caller that waited in vain to be asked for its body', async () => {
        const asked = model.asked.length;
        const said = await say(`${head}Expect: 100-continue\r\nContent-Length: 0\r\n\r\n${post('two')}`);
        expect([said.isClosed, ...statusesOf(said)]).toEqual([true, 200]);
        await rig.records();
        expect(model.asked).toHaveLength(asked + 1);
      });

      it.each(['websocket', 'h2c'])('a request to switch to %s in HTTP/1.1, and the one after it', async (protocol) => {
        const upgrade = `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`;
        const said = await say(`GET /predict HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`, /"got":""[\s\S]*\}$/);
        expect(statusesOf(said)).toEqual([200]);
        expect(model.asked.at(-1)!.headers).not.toHaveProperty('upgrade');
        const socket = open();
        await talk(socket, post('one', upgrade), /"got":"one"[\s\S]*\}$/);
        expect((await talk(socket, post('two', close))).text).toContain('"got":"two"');
      });

      it('HTTP/1.0: closes after it, or keeps it when asked to', async () => {
        const once = await say('GET /predict HTTP/1.0\r\n\r\n');
        expect([once.isClosed, ...statusesOf(once)]).toEqual([true, 200]);
        expect(once.text).toMatch(/\r\nconnection: close\r\n/i);
        const kept = await say('GET /predict HTTP/1.0\r\nConnection: keep-alive\r\n\r\n', /\}$/);
        expect(kept.isClosed).toBe(false);
        expect(kept.text).toMatch(/\r\nconnection: keep-alive\r\n/i);
      });

      it('a stream in chunks, and to HTTP/1.0 until the connection ends', async () => {
        const chunked = await say(`GET /predict/stream HTTP/1.1\r\nHost: x\r\n${close}\r\n`);
        expect(chunked.text).toMatch(/\r\ntransfer-encoding: chunked\r\n/i);
        expect(chunked.text).toMatch(/\r\n0\r\n\r\n$/);
        const plain = await say('GET /predict/stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
        expect(plain.isClosed).toBe(true);
        expect(plain.text).toMatch(/\r\n\r\ndata: 1\n\ndata: 2\n\n$/);
        expect(plain.text).not.toMatch(/transfer-encoding/i);
      });

      it('HEAD with the length of what GET would bring and no body, and the request after it', async () => {
        const said = await say(`HEAD /predict HTTP/1.1\r\nHost: x\r\n\r\n${post('next', close)}`);
        expect(statusesOf(said)).toEqual([200, 200]);
        expect(said.text).toMatch(
          /^HTTP\/1\.1 200 OK\r\n[\s\S]*?content-length: \d+\r\n[\s\S]*?\r\n\r\nHTTP\/1\.1 200 OK/i,
        );
      });

      it.each([204, 304])('%i without a body, and the request after it', async (status) => {
        const said = await say(`GET /predict?status=${status} HTTP/1.1\r\nHost: x\r\n\r\n${post('next', close)}`);
        expect(statusesOf(said)).toEqual([status, 200]);
        const first = said.text.slice(0, said.text.indexOf('\r\n\r\n') + 4);
        expect(first).not.toMatch(/transfer-encoding/i);
        if (status === 204) expect(first).not.toMatch(/content-length/i);
        expect(said.text.slice(first.length)).toMatch(/^HTTP\/1\.1 200 OK/);
      });

      it('a head of 60 KB, of one field, of a target, of many fields', async () => {
        const long = 'y'.repeat(60_000);
        expect(statusesOf(await say(post('', `${close}X-A: ${long}\r\n`)))).toEqual([200]);
        expect(statusesOf(await say(`GET /predict?${long} HTTP/1.1\r\nHost: x\r\n${close}\r\n`))).toEqual([200]);
        const fields = Array.from({ length: 500 }, (_none, at) => `X-F-${at}: ${'z'.repeat(50)}\r\n`).join('');
        expect(statusesOf(await say(post('', close + fields)))).toEqual([200]);
        expect(model.asked.at(-1)!.rawHeaders.filter((text) => text.startsWith('X-F-'))).toHaveLength(500);
      });

      it('and passes neither hop-by-hop fields nor those named in Connection', async () => {
        const stops =
          'Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\nProxy-Connection: x\r\n';
        await say(post('', stops));
        const { headers } = model.asked.at(-1)!;
        for (const gone of ['x-hop', 'keep-alive', 'te', 'proxy-connection']) expect(headers).not.toHaveProperty(gone);
        expect(headers.connection ?? 'keep-alive').toBe('keep-alive');
      });

      it('a target that names the host itself', async () => {
        const said = await say(`GET http://X/predict HTTP/1.1\r\nHost: x\r\n${close}\r\n`);
        expect(statusesOf(said)).toEqual([200]);
      });
    });

    describe('a caller that goes away', () => {
      const aborted = async (leave: (socket: Socket) => void): Promise<void> => {
        const before = (await rig.predictions()).length;
        const asked = model.asked.length;
        const socket = open();
        socket.write('POST /predict/slow HTTP/1.1\r\nHost: x\r\nx-user-id: u\r\nContent-Length: 0\r\n\r\n');
        while (model.asked.length === asked) await new Promise((resolve) => setTimeout(resolve, 2));
        leave(socket);
        const record = (await rig.predictions()).slice(before).at(-1);
        expect(record).toMatchObject({ status: null, attempts: [{ error: 'aborted' }] });
      };

      it('is on record when it breaks the connection', () => aborted((socket) => socket.destroy()));

      it('is on record when it closes its half of it, as for every proxy that must not compute for nobody', () =>
        aborted((socket) => socket.end()));

      it('leaves nothing behind when it goes with several requests waiting', async () => {
        const asked = model.asked.length;
        const socket = open();
        const slow = 'POST /predict/slow HTTP/1.1\r\nHost: x\r\nx-user-id: u\r\nContent-Length: 0\r\n\r\n';
        socket.write(slow.repeat(3));
        while (model.asked.length === asked) await new Promise((resolve) => setTimeout(resolve, 2));
        socket.destroy();
        while (rig.gateway.status().inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 2));
        expect((await rig.predictions()).length).toBeGreaterThan(0);
      });

      it('leaves nothing behind when it goes within its body', async () => {
        const asked = model.asked.length;
        const socket = open();
        socket.write(`${head}Content-Length: 10\r\n\r\nabc`, 'latin1');
        while (rig.gateway.status().inFlight === 0) await new Promise((resolve) => setTimeout(resolve, 2));
        socket.destroy();
        while (rig.gateway.status().inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 2));
        expect(model.asked).toHaveLength(asked);
      });
    });

    describe('it comes to an end', () => {
      const start = async (handle: CallerHandler): Promise<{ front: Front; port: number }> => {
        const create = kind === 'fast' ? createFastFront : createNodeFront;
        const front = create(handle, { ...hasty, ...options });
        await new Promise<void>((resolve) => front.server.listen(0, '127.0.0.1', resolve));
        return { front, port: (front.server.address() as AddressInfo).port };
      };
      const get = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

      it('by closing idle connections and letting a request finish, whose connection closes then', async () => {
        const replies: CallerReply[] = [];
        const { front, port } = await start((_request, reply) => void replies.push(reply));
        const idle = connect(port);
        const busy = connect(port);
        const first = talk(idle, get, /\r\n\r\nhi$/);
        while (replies.length < 1) await new Promise((resolve) => setTimeout(resolve, 2));
        replies[0]!.writeHead(200, ['content-length', '2']);
        replies[0]!.end(Buffer.from('hi'));
        expect((await first).isClosed).toBe(false);
        const second = talk(busy, get);
        while (replies.length < 2) await new Promise((resolve) => setTimeout(resolve, 2));
        const gone = talk(idle, null);
        front.stop();
        expect(await gone).toEqual({ text: '', isClosed: true });
        replies[1]!.writeHead(200, ['content-length', '2']);
        replies[1]!.end(Buffer.from('ho'));
        const said = await second;
        expect([said.isClosed, said.text.endsWith('ho')]).toEqual([true, true]);
        expect(said.text).toMatch(/\r\nconnection: close\r\n/i);
        const refusedNow = connect(port);
        await expect(new Promise((_resolve, reject) => refusedNow.on('error', reject))).rejects.toThrow('ECONNREFUSED');
        await front.close();
      });

      it('at once when it must: what is open is cut, and the gateway learns of it', async () => {
        const replies: CallerReply[] = [];
        const { front, port } = await start((_request, reply) => void replies.push(reply));
        const said = talk(
          connect(port).on('error', () => {}),
          get,
        );
        const silent = talk(
          connect(port).on('error', () => {}),
          null,
        );
        while (replies.length < 1) await new Promise((resolve) => setTimeout(resolve, 2));
        const closed = new Promise<void>((resolve) => replies[0]!.on('close', resolve));
        await front.close();
        await closed;
        expect([replies[0]!.destroyed, replies[0]!.writableFinished]).toEqual([true, false]);
        expect((await said).isClosed && (await silent).isClosed).toBe(true);
        await front.close();
      });

      it('by closing connections that were idle too long', async () => {
        const { front, port } = await start((_request, reply) => {
          reply.writeHead(200, ['content-length', '0']);
          reply.end();
        });
        const socket = connect(port);
        expect((await talk(socket, get, /\r\n\r\n$/)).isClosed).toBe(false);
        expect(await talk(socket, null)).toEqual({ text: '', isClosed: true });
        await front.close();
      });
    });
  });
}
