// Is the fast front anywhere laxer than Node's own? Both get the same bytes, sound ones and bent ones, and must let the same through.
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  closeAll,
  experiment,
  json,
  type ModelServer,
  openRig,
  type Rig,
  startModel,
  variant,
} from './gateway-rig.fixture.ts';
import { writeSoon } from './write-turn.ts';

afterAll(closeAll);

/** Small, so that what follows a case on its connection is longer than any body a gateway waits for. */
const maxRequestBytes = 64;

/** Ends whatever was left open: a head, a body of up to `maxRequestBytes`, chunks. Each piece closes, or cannot be read. */
const ending = `\r\n\r\n${'GET /predict?end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'.repeat(3)}`;

interface Side {
  readonly rig: Rig;
  readonly model: ModelServer;
}

/** What one side made of a connection. */
interface Outcome {
  /** Of each reply, in order. */
  readonly statuses: readonly number[];
  /** What the model server was asked. */
  readonly forwarded: readonly string[];
}

/** Fields that each prediction has of its own, or that belong to the connection to the model server. */
const ownFields = new Set(['host', 'connection', 'keep-alive', 'x-assay-prediction-id', 'x-request-id']);

function describeAsked({ method, url, rawHeaders, body }: ModelServer['asked'][number]): string {
  const fields: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    if (!ownFields.has(name)) fields.push(`${name}: ${rawHeaders[at + 1]}`);
  }
  return [`${method} ${url}`, ...fields.sort(), body.toString('latin1')].join('\n');
}

/** Sends the bytes piece by piece over one connection and waits for its end. */
function exchange(port: number, pieces: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let text = '';
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`the connection stays open after ${JSON.stringify(pieces)}; so far ${JSON.stringify(text)}`));
    }, 120_000);
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    // A connection that is cut while we still write is an answer as well.
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
    const next = (at: number): void => {
      const piece = pieces[at];
      if (piece !== undefined && socket.writable) socket.write(piece, 'latin1', () => setImmediate(next, at + 1));
    };
    next(0);
  });
}

async function send({ rig, model }: Side, pieces: readonly string[]): Promise<Outcome> {
  const asked = model.asked.length;
  const text = await exchange(rig.port, pieces);
  while (rig.gateway.status().inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const statuses = [...text.matchAll(/HTTP\/1\.1 ([2-9]\d\d) /g)].map((found) => Number(found[1]));
  return { statuses, forwarded: model.asked.slice(asked).map(describeAsked).sort() };
}

/** Mostly the first, now and then one of the others. */
const mostly = (usual: string, ...others: string[]): fc.Arbitrary<string> =>
  fc.oneof({ weight: 30, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });

const eol = fc.oneof(
  { weight: 150, arbitrary: fc.constant('\r\n') },
  { weight: 1, arbitrary: fc.constantFrom('\n', '\r', '\n\r', '\r\r\n') },
);

const requestLine = fc
  .tuple(
    mostly(
      'POST',
      'GET',
      'HEAD',
      'PUT',
      'OPTIONS',
      'DELETE',
      'TRACE',
      'post',
      'PO ST',
      'PRI',
      'CONNECT',
      'PURGE',
      'SOURCE',
      '',
    ),
    mostly(' ', '  ', '\t', ''),
    mostly(
      '/predict',
      '/predict?a=b',
      '/predict/x y',
      '*',
      'http://x/predict',
      'http://y/predict',
      '//x/predict',
      '/predict#f',
      '/predict\xe9',
      '/predict\x7f',
      'predict',
      '',
      'x:80',
    ),
    mostly(' ', '  ', '\t', ''),
    mostly(
      'HTTP/1.1',
      'HTTP/1.0',
      'HTTP/1.2',
      'HTTP/2.0',
      'HTTP/0.9',
      'HTTP/1.1 ',
      'HTTP/11',
      'http/1.1',
      'HTTP/01.1',
      '',
    ),
  )
  .map((parts) => parts.join(''));

const field = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom('x-user-id: u', 'Accept: */*', 'X-A: b', 'Cookie: a=b; c=d') },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      'Content-Length: 5',
      'Content-Length: 0',
      'content-length:5',
      'Content-Length: 5 ',
      'Content-Length: 05',
      'Content-Length: +5',
      'Content-Length: 5, 5',
      'Content-Length: 5,',
      'Content-Length:',
      'Content-Length: 0x5',
      'Content-Length : 5',
      'Content-Length: 5\x0b',
      'Content-Length: 1e1',
      'Content-Length: 99',
      'Content-Length: 18446744073709551617',
      'Content_Length: 5',
      'Content-Length: -1',
    ),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      'Transfer-Encoding: chunked',
      'transfer-encoding:chunked',
      'Transfer-Encoding: Chunked ',
      'Transfer-Encoding: xchunked',
      'Transfer-Encoding: chunked, chunked',
      'Transfer-Encoding: gzip, chunked',
      'Transfer-Encoding: chunked, gzip',
      'Transfer-Encoding: identity',
      'Transfer-Encoding:\x0bchunked',
      'Transfer-Encoding : chunked',
      'Transfer-Encoding: "chunked"',
      'Transfer-Encoding: ,chunked',
      'Transfer-Encoding: chunked;q=1',
      'Transfer-Encoding:',
      'Transfer-Encoding: identity, chunked',
      'Transfer-Encoding: chunk\r\n ed',
      'Transfer-Encoding:\r\n chunked',
      'X: y\rTransfer-Encoding: chunked',
      'Transfer\x00-Encoding: chunked',
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'Host: x',
      'Host: y',
      'host:x',
      'Host:',
      'Host: x y',
      'Host: x, y',
      'Host: x/',
      'Host: u@x',
      'Host : x',
      ' Host: y',
      'Host: x:80',
      'Host: x:port',
      'Host: [::1]',
      'X-Forwarded-Host: z',
      'Host: \x00',
      'Host: x#',
      'Host: x?a',
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'Connection: close',
      'Connection: keep-alive',
      'Connection: close, keep-alive',
      'Connection: content-length',
      'Connection: x-user-id, X-A',
      'Connection: upgrade',
      'Upgrade: h2c',
      'Upgrade: websocket',
      'Proxy-Connection: close',
      'Keep-Alive: timeout=1',
      'Expect: 100-continue',
      'Expect: 100-Continue',
      'Expect: 200-ok',
      'Expect:',
      'TE: trailers',
      'Trailer: X-T',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ': y',
      'X',
      'X Y: z',
      ' folded',
      '\tfolded',
      'X\x00: y',
      'X: \x01',
      'X: \x7f',
      'X: \xff',
      '"X": y',
      '(X): y',
      'X:',
      'X-\xe9: y',
    ),
  },
);

const chunkSize = mostly(
  '5',
  '05',
  '5;e',
  '5;e="q"',
  '5 ',
  ' 5',
  '0x5',
  '5\t',
  '-5',
  '+5',
  'g',
  '',
  'FFFFFFFFFFFFFFFFF',
  '4',
  '6',
  '5;e=\n',
  '5;\r',
  '0',
);

const chunks = fc
  .tuple(
    fc.array(fc.tuple(chunkSize, eol, fc.constant('hello'), eol), { maxLength: 2 }),
    mostly('0', '00', '0;e', '0 '),
    eol,
    mostly('', 'X-T: t\r\n', 'Content-Length: 9\r\n', 'Transfer-Encoding: chunked\r\n', 'bad\r\n', ' folded\r\n'),
    eol,
  )
  .map((parts) => parts.flat(2).join(''));

/** A sound head with something of everything added, and one of the bodies it could announce. */
const requestText = fc
  .tuple(
    requestLine,
    eol,
    mostly('Host: x\r\n', ''),
    fc.constantFrom('', 'Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n'),
    fc.array(fc.tuple(field, eol), { maxLength: 2 }),
    eol,
    chunks,
    fc.nat(3),
  )
  .map(([line, end, host, framing, fields, last, chunked, odd]) => {
    const usual = framing === '' ? '' : framing.startsWith('C') ? 'hello' : chunked;
    const body = odd === 0 ? (usual === 'hello' ? chunked : 'hello') : usual;
    return [line, end, host, framing, ...fields.flat(), last, body].join('');
  });

/** One byte gone, doubled, or replaced by one that parsers have been seen to quarrel about. */
const bend = fc.tuple(
  fc.nat(),
  fc.constantFrom('delete', 'double', 'replace', 'insert'),
  fc.constantFrom(...'\r\n\t\0\x0b\x0c\x1f\x7f\x85\xa0\xff :;,"0aF'),
);

const bytes = fc
  .tuple(
    fc.array(requestText, { minLength: 1, maxLength: 3 }),
    fc.oneof(
      { weight: 2, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(bend, { minLength: 1, maxLength: 2 }) },
    ),
  )
  .map(([requests, bends]) => {
    let text = requests.join('');
    for (const [place, how, by] of bends) {
      const at = place % Math.max(1, text.length);
      const kept = how === 'insert' ? text.slice(at) : text.slice(at + 1);
      text =
        text.slice(0, at) + (how === 'delete' ? '' : how === 'double' ? text.slice(at, at + 1).repeat(2) : by) + kept;
    }
    return text;
  });

/** The bytes and what ends them, cut where the network might cut them. */
const cutBytes = fc.tuple(bytes, fc.array(fc.nat(), { maxLength: 3 })).map(([text, cuts]) => {
  const places = [...new Set([0, ...cuts.map((cut) => cut % (text.length + 1))])].sort((a, b) => a - b);
  const pieces = places.map((place, at) => text.slice(place, places[at + 1]));
  return [...pieces.slice(0, -1), pieces.at(-1)! + ending].filter((piece) => piece !== '');
});

/** What callers got. Which refusal comes first where there are reasons for several is left open, and so is that to a connection cut at once. */
const sortOut = ({ statuses }: Outcome): unknown => ({
  answers: statuses.filter((status) => status < 400),
  refuses: statuses.length === 0 || statuses.some((status) => status >= 400),
});

/** Has every turn of the event loop write much, until it is stopped: what the fast front sends then goes out together. */
function writeMuch(): () => void {
  let goesOn = true;
  const turn = (): void => {
    for (let count = 0; count < 8; count += 1) writeSoon({ writeLate: () => {} });
    if (goesOn) setImmediate(turn);
  };
  turn();
  return () => {
    goesOn = false;
  };
}

/** Methods that ask for no prediction, where the protocol is plain JSON. */
const unrecorded = new Set(['HEAD', 'OPTIONS', 'TRACE']);

describe('whatever bytes come,', () => {
  let node: Side;
  let fast: Side;
  const open = async (kind: 'node' | 'fast'): Promise<Side> => {
    const model = await startModel((_asked, res) => json(res, { ok: true }));
    const rig = await openRig(
      [experiment([variant('a', model.url), variant('b', model.url)])],
      { maxRequestBytes },
      { kind },
    );
    return { rig, model };
  };
  beforeAll(async () => {
    [node, fast] = await Promise.all([open('node'), open('fast')]);
  });

  it('the fast front answers what the node front answers, refuses what it refuses, and forwards nothing more', async () => {
    await fc.assert(
      fc.asyncProperty(cutBytes, fc.boolean(), async (pieces, isBusy) => {
        const stop = isBusy ? writeMuch() : () => {};
        const [byNode, byFast] = await Promise.all([send(node, pieces), send(fast, pieces)]).finally(stop);
        expect(sortOut(byFast)).toEqual(sortOut(byNode));
        // Node's own begins requests that come in one piece side by side, also those behind one that ends the connection.
        expect(byNode.forwarded).toEqual(expect.arrayContaining([...byFast.forwarded]));
        expect(byFast.forwarded).toHaveLength(byFast.statuses.filter((status) => status < 400).length);
      }),
      { numRuns: 1200 },
    );
    for (const { rig, model } of [node, fast]) {
      const predictions = model.asked.filter(({ method }) => !unrecorded.has(method));
      expect(predictions.length).toBeGreaterThan(500);
      expect(await rig.predictions()).toHaveLength(predictions.length);
      expect([rig.gateway.status().inFlight, rig.faults]).toEqual([0, []]);
    }
  }, 120_000);
});
