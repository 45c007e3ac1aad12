import { describe, expect, it } from 'vitest';
import { assay, stay } from './assay-process.ts';
import { expectContract } from './report-contract.ts';

describe.concurrent('assay demo', () => {
  it.each([
    ['ship', 'ship', 1500],
    ['rollback', 'roll-back', 1500],
    ['broken-split', 'invalid', 1500],
  ] as const)(
    'ends scenario %s in the verdict %s and says what it injected',
    async (scenario, kind, requests) => {
      const { code, stdout, stderr } = await assay([
        'demo',
        '--scenario',
        scenario,
        '--requests',
        String(requests),
        '--json',
      ]);
      expect(code, stderr).toBe(0);
      const report = JSON.parse(stdout);
      expectContract(report);
      expect(report.verdict.kind).toBe(kind);
      expect(report.demo).toMatchObject({ scenario, injected: expect.stringMatching(/\S/) });
      // With fallback the callers of a failing model see nothing of it; the guardrail does.
      if (scenario === 'rollback') {
        const enhanced = report.variants.find((variant: { name: string }) => variant.name === 'enhanced');
        expect(enhanced.callerFailureRate).toBe(0);
        expect(enhanced.failureRate).toBeGreaterThan(0.05);
      }
    },
    90_000,
  );

  it('tells the real story in at most 80 columns, with every request on record', async () => {
    const { code, stdout, stderr } = await assay(['demo', '--requests', '600', '--seed', '5']);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('100 %');
    for (const line of stdout.split('\n')) expect([...line].length, line).toBeLessThanOrEqual(80);
    for (const part of ['accuracy', 'Differences from baseline', 'Value', 'Checks', 'Verdict', 'The customary rule'])
      expect(stdout).toContain(part);
  }, 120_000);

  it('keeps the page open after the verdict with --page, models and all, and ends with 0 when it is told to', async () => {
    const demo = await stay(
      ['demo', '--requests', '200', '--page', '--json'],
      /Page +(http:\S+)(\/experiments\/\S+)\n+Gateway +(http:\S+);[\s\S]+Ctrl-C/,
    );
    const [, apiUrl, path, gatewayUrl] = demo.found;
    const page = await fetch(`${apiUrl}${path}`);
    expect(page.headers.get('content-type')).toContain('text/html');
    const overview = (await (await fetch(`${apiUrl}/api/v1${path}/overview`)).json()) as { headline: string };
    const reply = await fetch(gatewayUrl!, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-user-id': 'somebody-else' },
      body: '{"inputs": []}',
    });
    expect(reply.headers.get('x-assay-experiment')).toBe('financial-forecast');
    const { code, stdout } = await demo.end('SIGINT');
    expect(code).toBe(0);
    // The page shows the verdict of the document on standard output.
    expect(overview.headline).toBe(JSON.parse(stdout).verdict.headline);
  }, 120_000);

  it('refuses options it cannot use, with exit code 2', async () => {
    for (const [args, text] of [
      [['--requests', 'many'], '--requests is many, must be an integer in [50, 200000]'],
      [['--scenario', 'sabotage'], 'Allowed choices are real, ship, rollback, broken-split'],
      [['--service-ms', '45'], '--service-ms is "45", must be two times in [0, 5000] ms such as 45,62'],
    ] as const) {
      const { code, stderr } = await assay(['demo', ...args]);
      expect(code).toBe(2);
      expect(stderr).toContain(text);
    }
  });
});
