// How does the demo's forecasting model speak? Open Inference Protocol v2 over REST, as Triton, MLServer and KServe do.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { parseArgs } from 'node:util';
import { AssayError } from '../../errors.ts';
import { createRandom } from '../../stats/index.ts';
import {
  type ForecastCase,
  type ForecastModel,
  type ForecastModelName,
  fitForecastModel,
  forecast,
  historyDays,
  type Ohlc,
  splitInTime,
} from './forecast-models.ts';
import { loadMarketDays } from './market-data.ts';
import type { ModelFault } from './scenarios.ts';

/** Options of a model server. */
export interface ModelServerOptions {
  /** Name under `/v2/models/`. */
  readonly name: string;
  /** Version under `/v2/models/NAME/versions/`; default `1`. */
  readonly version?: string;
  readonly model: ForecastModel;
  /** Simulated service time, mean in milliseconds; 0 (the default) answers at once. */
  readonly serviceMs?: number;
  /** Seeds the jitter of the service time and the choice of faulty requests; default 1. */
  readonly seed?: number;
  readonly fault?: ModelFault | null;
  /** Questions whose truth an `oracle-leak` may give away. */
  readonly known?: readonly ForecastCase[];
}

/** Log-scale spread of the simulated service time: the slowest 5 % take about 1.5 times the mean. */
const serviceSpread = 0.25;
const maxBodyBytes = 1_000_000;

/** A fault of the request, answered as OIP says: the status and `{error}`. */
class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Gives an HTTP server for one model; `listen` is the caller's.
 *
 * Input: tensor `ohlc` FP64 [1, 63, 4], the last 63 days oldest first, each open, high, low, close.
 * Output: tensor `up` FP64 [1, 1], the probability that the next day's range exceeds the median of these days' ranges.
 *
 * @see Open Inference Protocol v2, REST.
 */
export function createModelServer(options: ModelServerOptions): Server {
  const { name, version = '1', model, serviceMs = 0, seed = 1, fault = null } = options;
  const random = createRandom(seed);
  const jitter = random.stream(`${name}/service`);
  const truths = new Map((options.known ?? []).map((question) => [keyOf(question.history), question.label]));

  /** The same question is hit or spared whatever the order of arrival, so that a run can be repeated. */
  const isHit = (history: readonly Ohlc[], kind: ModelFault['kind']): boolean =>
    fault?.kind === kind && random.stream(`${kind}/${keyOf(history)}`).uniform() < fault.share;

  const infer = async (request: IncomingMessage): Promise<object> => {
    const { id, history } = parseInfer(await readJson(request));
    // Lognormal with mean serviceMs.
    if (serviceMs > 0) await sleep(serviceMs * Math.exp(serviceSpread * jitter.normal() - serviceSpread ** 2 / 2));
    if (isHit(history, 'server-error')) throw new Refusal(500, 'injected fault: the model failed');
    const truth = isHit(history, 'oracle-leak') ? truths.get(keyOf(history)) : undefined;
    return {
      model_name: name,
      model_version: version,
      ...(id === undefined ? {} : { id }),
      outputs: [{ name: 'up', datatype: 'FP64', shape: [1, 1], data: [truth ?? forecast(model, history)] }],
    };
  };

  const answer = async (request: IncomingMessage): Promise<object> => {
    const path = (request.url ?? '/').split('?')[0]!;
    const [root, first, second, ...rest] = path.split('/').slice(1);
    if (root !== 'v2') throw new Refusal(404, `nothing is served at ${path}`);
    if (first === undefined || first === '') {
      only(request, 'GET');
      return { name: 'assay-demo-model-server', version: '1', extensions: [] };
    }
    if (first === 'health' && (second === 'live' || second === 'ready') && rest.length === 0) {
      only(request, 'GET');
      return { [second]: true };
    }
    if (first !== 'models') throw new Refusal(404, `nothing is served at ${path}`);
    if (second !== name) throw new Refusal(404, `model "${second ?? ''}" is unknown, must be "${name}"`);
    if (rest[0] === 'versions') {
      if (rest[1] !== version) throw new Refusal(404, `version "${rest[1] ?? ''}" is unknown, must be "${version}"`);
      rest.splice(0, 2);
    }
    if (rest.length === 0) {
      only(request, 'GET');
      return describe(name, version);
    }
    if (rest.length === 1 && rest[0] === 'ready') {
      only(request, 'GET');
      return { name, ready: true };
    }
    if (rest.length === 1 && rest[0] === 'infer') {
      only(request, 'POST');
      return infer(request);
    }
    throw new Refusal(404, `nothing is served at ${path}`);
  };

  return createServer((request, response) => {
    answer(request).then(
      (body) => reply(response, 200, body),
      (error: unknown) => {
        const status = error instanceof Refusal ? error.status : 500;
        reply(response, status, { error: error instanceof Error ? error.message : String(error) });
      },
    );
  });
}

/**
 * Runs one model server as a process of its own: reads the days, fits, listens, prints `{"port", "model", "fittedUpTo"}`
 * as one line, and ends when its standard input does, so that it never outlives its parent.
 *
 * @param args `--model baseline|enhanced --name NAME --port 0 --seed 1 --service-ms 0`, and for a scenario
 *   `--oracle-leak SHARE` or `--server-error SHARE`.
 * @throws AssayError `usage-invalid` for another model.
 */
export async function modelServerMain(args: readonly string[]): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { ...text, default: 'baseline' },
      name: text,
      port: { ...text, default: '0' },
      seed: { ...text, default: '1' },
      'service-ms': { ...text, default: '0' },
      'oracle-leak': text,
      'server-error': text,
    },
  });
  if (values.model !== 'baseline' && values.model !== 'enhanced') {
    throw new AssayError('usage-invalid', `--model is ${values.model}, must be baseline or enhanced`);
  }
  const kind: ForecastModelName = values.model;
  const fault: ModelFault | null =
    values['oracle-leak'] !== undefined
      ? { kind: 'oracle-leak', share: Number(values['oracle-leak']) }
      : values['server-error'] !== undefined
        ? { kind: 'server-error', share: Number(values['server-error']) }
        : null;
  const { fit, ask } = splitInTime(await loadMarketDays());
  const model = fitForecastModel(kind, fit);
  const server = createModelServer({
    name: values.name ?? `forecast-${kind}`,
    model,
    serviceMs: Number(values['service-ms']),
    seed: Number(values.seed),
    fault,
    known: fault?.kind === 'oracle-leak' ? ask : [],
  });
  server.listen(Number(values.port), '127.0.0.1', () => {
    const address = server.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    process.stdout.write(`${JSON.stringify({ port, model: kind, fittedUpTo: model.fittedUpTo })}\n`);
  });
  process.stdin.resume();
  process.stdin.on('end', () => process.exit(0));
  process.stdin.on('error', () => process.exit(0));
  // Ctrl-C reaches the whole process group; the parent decides when its models may stop.
  process.on('SIGINT', () => {});
}

function describe(name: string, version: string): object {
  return {
    name,
    versions: [version],
    platform: 'assay_demo',
    inputs: [{ name: 'ohlc', datatype: 'FP64', shape: [1, historyDays, 4] }],
    outputs: [{ name: 'up', datatype: 'FP64', shape: [1, 1] }],
  };
}

/** Reads an infer request; every complaint is the caller's fault (400). */
function parseInfer(body: unknown): { readonly id?: string; readonly history: readonly Ohlc[] } {
  if (body === null || typeof body !== 'object') throw new Refusal(400, 'the body must be a JSON object');
  const { id, inputs } = body as { readonly id?: unknown; readonly inputs?: unknown };
  if (id !== undefined && typeof id !== 'string') throw new Refusal(400, `id is ${JSON.stringify(id)}, must be a text`);
  if (!Array.isArray(inputs)) throw new Refusal(400, 'inputs is missing, must be a list of tensors');
  const tensor = inputs.find((input) => input?.name === 'ohlc');
  if (tensor === undefined) throw new Refusal(400, 'inputs holds no tensor "ohlc"');
  if (tensor.datatype !== 'FP64') {
    throw new Refusal(400, `inputs.ohlc.datatype is ${JSON.stringify(tensor.datatype)}, must be "FP64"`);
  }
  const wanted = [1, historyDays, 4];
  if (JSON.stringify(tensor.shape) !== JSON.stringify(wanted)) {
    throw new Refusal(400, `inputs.ohlc.shape is ${JSON.stringify(tensor.shape)}, must be ${JSON.stringify(wanted)}`);
  }
  // The protocol allows nested and flat data alike.
  const flat: unknown[] = Array.isArray(tensor.data) ? tensor.data.flat(3) : [];
  if (flat.length !== historyDays * 4) {
    throw new Refusal(400, `inputs.ohlc.data has ${flat.length} numbers, must have ${historyDays * 4}`);
  }
  const history = Array.from({ length: historyDays }, (_, day): Ohlc => {
    const row = flat.slice(day * 4, day * 4 + 4);
    const [open, high, low, close] = row as [number, number, number, number];
    if (!row.every((value) => typeof value === 'number' && value > 0) || high <= low) {
      throw new Refusal(
        400,
        `inputs.ohlc.data row ${day} is ${JSON.stringify(row)}, must be prices > 0 with high above low`,
      );
    }
    return [open, high, low, close];
  });
  return { ...(id === undefined ? {} : { id }), history };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw new Refusal(413, `the body is longer than ${maxBodyBytes} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new Refusal(400, 'the body is not JSON');
  }
}

function reply(response: ServerResponse, status: number, body: object): void {
  const text = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length });
  response.end(text);
}

function only(request: IncomingMessage, method: string): void {
  if (request.method !== method) throw new Refusal(405, `method is ${request.method}, must be ${method}`);
}

/** The last day names the question: no two days have the same four prices. */
function keyOf(history: readonly Ohlc[]): string {
  return history.at(-1)!.join(',');
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
