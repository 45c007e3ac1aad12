import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PowerPlan, Report, Simulation } from '../../src/decision/index.ts';
import { assay, type Serving, serve, startModel } from './assay-process.ts';

const example = fileURLToPath(new URL('../../examples/financial-forecast/experiment.yaml', import.meta.url));

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assay-power-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const power = async (...args: readonly string[]): Promise<PowerPlan> => {
  const { code, stdout, stderr } = await assay(['power', '-f', example, '--json', ...args]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
};

describe('assay power', () => {
  it('plans the example with the numbers of its file, in 80 columns for people', async () => {
    const { code, stdout } = await assay(['power', '-f', example]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/primary: net_value > 2, expected 3\.9\n {2}needs [\d,]+ units/);
    expect(stdout).toContain('28 days');
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    const plan = await power();
    expect(plan).toMatchObject({ unitsPerDay: 50_000, assumed: [] });
    expect(plan.criteria[0]).toMatchObject({ text: 'net_value > 2', limit: 2 });
    expect(plan.curve).toHaveLength(28);
  });

  it('lets the command line have the last word', async () => {
    const plan = await power(
      '--traffic',
      '500/h',
      '--baseline',
      '0.7',
      '--difference',
      'accuracy=0.05',
      '--power',
      '90%',
    );
    expect(plan).toMatchObject({ unitsPerDay: 12_000, power: 0.9 });
    expect(plan.metrics[0]).toMatchObject({ name: 'accuracy', control: 0.7, difference: 0.05, origin: 'given' });
  });

  it('takes level and noise from the report of a pilot', async () => {
    const report: Pick<Report, 'control' | 'variants' | 'metrics'> = {
      control: 'baseline',
      variants: [],
      metrics: [
        {
          name: 'latency',
          kind: 'mean',
          role: 'primary',
          method: 'Welch t-test',
          variants: [
            {
              variant: 'baseline',
              n: 400,
              estimate: 80,
              interval: { kind: 'bounded', lower: 80 - 1.959964, upper: 80 + 1.959964 },
            },
          ],
        },
      ],
    };
    const file = join(folder, 'pilot.json');
    await writeFile(file, JSON.stringify(report));
    const withPilot = await assay(['power', '-f', example, '--json', '--pilot', file]);
    // What the pilot showed goes before what the file supposes; how the candidate will differ only the file says.
    expect(JSON.parse(withPilot.stdout).metrics[1]).toMatchObject({
      name: 'latency',
      control: 80,
      difference: 19,
      origin: 'pilot',
    });
    await writeFile(file, JSON.stringify({ ...report, metrics: [] }));
    const empty = await assay(['power', '-f', example, '--pilot', file]);
    expect(empty.code).toBe(2);
    expect(empty.stderr).toContain('holds no measured metric of financial-forecast');
  });

  it.each([
    [['--traffic', 'lots'], 'must be units over time such as 500/h'],
    [['--baseline', 'accurcy=0.7'], 'must be one of: accuracy, latency'],
    [['--sd', 'latency=-1'], 'must be above 0'],
    [['--pilot', '/nowhere.json'], 'cannot be read'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await assay(['power', '-f', example, ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});

describe('assay simulate', () => {
  it('finds the rule of the example honest and able, and says the same again', async () => {
    const play = async (...args: readonly string[]): Promise<Simulation> => {
      const { code, stdout, stderr } = await assay(['simulate', '-f', example, '--json', '--seed', '11', ...args]);
      expect(code, stderr).toBe(0);
      expect(stderr).toContain('runs ');
      return JSON.parse(stdout);
    };
    const boundary = await play('--at-boundary', '--runs', '20');
    expect(boundary).toMatchObject({ runs: 20, seed: 11 });
    expect(boundary.falseShipRate).toBeLessThanOrEqual(0.2);
    expect(boundary.falseRollbackRate).toBeLessThanOrEqual(0.2);
    expect(boundary.naiveFalseShipRate).toBeGreaterThan(0.8);
    const planned = await play('--effect', 'planned', '--runs', '20');
    expect(planned.shipRate).toBeGreaterThanOrEqual(0.8 * (planned.plannedPower ?? 1));
    expect(await play('--effect', 'planned', '--runs', '20')).toEqual(planned);
  }, 120_000);

  it('wants one thing to be true', async () => {
    const { code, stderr } = await assay(['simulate', '-f', example, '--aa', '--at-boundary']);
    expect(code).toBe(2);
    expect(stderr).toContain('2 of --aa, --at-boundary and --effect are given, must be one');
  });
});

describe('what has been measured', () => {
  let server: Serving;
  let close = async (): Promise<void> => {};
  const data = (): string => join(folder, 'data');
  const file = (): string => join(folder, 'live.yaml');

  beforeAll(async () => {
    const model = await startModel('a');
    await writeFile(
      file(),
      `apiVersion: assay.dev/v1alpha1
kind: Experiment
metadata: { name: live }
spec:
  route: { path: /score }
  unit: { header: x-user-id }
  control: old
  variants:
    - { name: old, weight: 50, upstream: { url: "${model.url}", protocol: json } }
    - { name: new, weight: 50, upstream: { url: "${model.url}", protocol: json } }
  metrics: { latency: { mean: attempt_ms }, error_rate: { mean: failed } }
  decision: { primary: [latency < control.latency] }
`,
    );
    server = await serve(['-f', file(), '--start', '--data', data()]);
    close = async () => {
      await server.end('SIGTERM');
      await model.close();
    };
    for (let user = 0; user < 140; user += 1) {
      const headers = { 'x-user-id': `user-${user}`, 'content-type': 'application/json' };
      const reply = await fetch(`${server.gatewayUrl}/score`, { method: 'POST', headers, body: '{}' });
      await reply.arrayBuffer();
    }
  }, 120_000);
  afterAll(() => close(), 60_000);

  it('is the portfolio of a server: the experiment, its verdict, and no win yet', async () => {
    const { code, stdout, stderr } = await assay(['portfolio', '--server', server.apiUrl]);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^live\s+running\s+keep-testing/);
    expect(stdout).toContain('Win rate: no experiment is decided yet.');
    const json = await assay(['portfolio', '--server', server.apiUrl, '--cost-per-test', '10', '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({
      experiments: [{ name: 'live', state: 'running', verdict: { kind: 'keep-testing' } }],
      winRate: { kind: 'insufficient' },
    });
    const refused = await fetch(`${server.apiUrl}/api/v1/portfolio?costPerTest=much`);
    expect(refused.status).toBe(400);
  }, 120_000);

  it('is what the next plan starts from: levels and noise of a data directory', async () => {
    const { code, stdout, stderr } = await assay([
      'power',
      '-f',
      file(),
      '--log',
      data(),
      '--traffic',
      '100/h',
      '--json',
    ]);
    expect(code, stderr).toBe(0);
    const plan: PowerPlan = JSON.parse(stdout);
    expect(plan.metrics[0]).toMatchObject({ name: 'latency', origin: 'pilot' });
    expect(plan.metrics[0]?.control).toBeGreaterThan(0);
    expect(plan.assumed).toEqual([]);
  }, 120_000);

  it('is what runs are drawn from: units of the control with all their metrics', async () => {
    const play = async (...args: readonly string[]): Promise<Simulation> => {
      const { code, stdout, stderr } = await assay([
        ...['simulate', '-f', file(), '--log', data(), '--traffic', '100/h', '--runs', '10', '--looks', '15', '--json'],
        ...args,
      ]);
      expect(code, stderr).toBe(0);
      return JSON.parse(stdout);
    };
    const same = await play('--aa');
    expect(same.logged).toMatchObject({ variant: 'old', drawnFrom: same.logged?.units });
    expect(same.logged?.units).toBeGreaterThanOrEqual(50);
    const [world] = same.worlds;
    expect(world?.truth.candidate).toEqual(world?.truth.control);
    expect(await play('--aa')).toEqual(same);
    // A candidate that takes half the time.
    const level = world?.truth.control.latency ?? 0;
    const faster = await play('--effect', String(-level / 2));
    expect(faster.worlds[0]?.truth.candidate.latency).toBeCloseTo(level / 2, 6);
    expect(faster.shipRate).toBeGreaterThan(0);
    const text = await assay(['simulate', '-f', file(), '--log', data(), '--aa', '--runs', '10', '--looks', '15']);
    expect(text.stdout.replaceAll(/\s+/g, ' ')).toContain(
      `Units drawn with replacement from ${same.logged?.drawnFrom} logged ones of old, with all their metrics together.`,
    );
  }, 120_000);
});
