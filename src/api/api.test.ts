import { describe, expect, it } from 'vitest';
import { AssayError, errorCatalogue } from '../errors.ts';
import {
  experimentActions,
  fromProblem,
  openApi,
  parseActionRequest,
  parseApprovalRequest,
  paths,
  toProblem,
} from './index.ts';

describe('a fault on the wire', () => {
  it('comes back as the same error, for every code', () => {
    for (const code of Object.keys(errorCatalogue) as (keyof typeof errorCatalogue)[]) {
      const fault = new AssayError(code, 'weight is -3, must be >= 0', {
        issues: [{ place: 'weight', text: 'x', line: 3 }],
      });
      const problem = toProblem(fault);
      expect(problem).toMatchObject({ type: `urn:assay:error:${code}`, status: fault.status, detail: fault.message });
      const back = fromProblem(JSON.parse(JSON.stringify(problem)));
      expect(back).toMatchObject({
        code,
        message: fault.message,
        fix: fault.fix,
        issues: fault.issues,
        retryable: fault.retryable,
      });
    }
  });

  it('tells strangers nothing of our insides', () => {
    const problem = toProblem(new TypeError('cannot read /secret/path'));
    expect(problem.status).toBe(500);
    expect(JSON.stringify(problem)).not.toContain('secret');
    for (const other of [null, 3, 'x', {}, { code: 'made-up', detail: 'x' }]) expect(fromProblem(other)).toBeNull();
  });
});

describe('the body of an approval', () => {
  it('may say what was seen proposed', () => {
    expect(parseApprovalRequest({ reason: 'go' })).toEqual({ author: 'api', reason: 'go' });
    const seen = { reason: 'go', author: 'ann', proposal: { step: 'ramp', coverage: 0.5 } };
    expect(parseApprovalRequest(seen)).toEqual(seen);
    for (const [proposal, message] of [
      [{}, 'proposal.step is missing, must be a text'],
      [{ step: 'ramp', coverage: '1' }, 'proposal.coverage is "1", must be a number'],
      [{ step: 'ramp', to: 1 }, 'to is not known, must be one of'],
    ] as const)
      expect(() => parseApprovalRequest({ reason: 'go', proposal })).toThrow(message);
  });
});

describe('the body of a step', () => {
  it('needs a reason, and nothing it does not know', () => {
    expect(parseActionRequest({ reason: 'go' })).toEqual({ author: 'api', reason: 'go' });
    expect(parseActionRequest({ reason: 'go', author: 'ann', coverage: 0.2, variant: 'b' })).toEqual({
      author: 'ann',
      reason: 'go',
      coverage: 0.2,
      variant: 'b',
    });
    for (const [body, message] of [
      [null, 'body is null, must be a JSON object'],
      [[], 'body is [], must be a JSON object'],
      [{}, 'reason is missing, must be a text'],
      [{ reason: '  ' }, 'reason is "  ", must be a text'],
      [{ reason: 'x', coverage: 2 }, 'coverage is 2, must be a number in [0, 1]'],
      [{ reason: 'x', coverage: '1' }, 'coverage is "1", must be a number in [0, 1]'],
      [{ reason: 'x', weight: 1 }, 'weight is not known, must be one of'],
      [{ reason: 'x', author: '' }, 'author is "", must be a text'],
    ] as const)
      expect(() => parseActionRequest(body)).toThrowError(message);
  });
});

describe('the OpenAPI document', () => {
  it('describes every path of the API', () => {
    const described = Object.keys(openApi.paths as object);
    const built = Object.values(paths).map((path) =>
      typeof path === 'string' ? path : path.length === 2 ? null : path('{name}'),
    );
    for (const path of built) {
      if (path === null || path === paths.openApi) continue;
      expect(described).toContain(decodeURIComponent(path));
    }
    for (const action of experimentActions)
      expect(described).toContain(decodeURIComponent(paths.action('{name}', action)));
  });
});
