import { describe, expect, it } from 'vitest';
import { checkTypes } from './check.ts';
import type { ValueType } from './expression.ts';
import { parseExpression } from './parse.ts';

const types: Readonly<Record<string, ValueType>> = {
  accuracy: 'number',
  latency_p95: 'number',
  failed: 'boolean',
  page: 'text',
  prediction: 'any',
};

function typeOf(text: string): string {
  const result = parseExpression(text);
  if (result.kind === 'error') throw new Error(result.message);
  const scope = (name: string): ValueType | undefined => (Object.hasOwn(types, name) ? types[name] : undefined);
  const checked = checkTypes(result.expression, scope, { known: Object.keys(types) });
  return checked.kind === 'typed' ? checked.type : checked.message;
}

describe('checkTypes', () => {
  it.each([
    ['accuracy + 1', 'number'],
    ['accuracy > 1', 'boolean'],
    ['prediction == page', 'boolean'],
    ['failed + failed', 'number'],
    ['failed == 1', 'boolean'],
    ['not accuracy', 'boolean'],
    ['page', 'text'],
    ['prediction', 'any'],
    ['default(prediction, 0)', 'number'],
    ['default(failed, false)', 'boolean'],
    ['default(failed, 2)', 'number'],
    ["default(prediction, 'none')", 'text'],
    ['exists(page)', 'boolean'],
    ['max(accuracy, failed)', 'number'],
  ])('says that %s is %s', (text, type) => {
    expect(typeOf(text)).toBe(type);
  });

  it('refuses text where a number is needed, and types that never meet', () => {
    expect(typeOf('page + 1')).toBe("'+' needs a number, found text at column 1");
    expect(typeOf('1 < page')).toBe("'<' needs a number, found text at column 5");
    expect(typeOf('abs(page)')).toBe('abs needs a number, found text at column 5');
    expect(typeOf("accuracy == 'high'")).toBe("'==' compares a number and text, must be of one type, at column 10");
    expect(typeOf('default(page, failed)')).toBe(
      'default chooses between text and a boolean, must be of one type, at column 1',
    );
  });

  it('names the nearest name that is known', () => {
    const known = 'must be one of: accuracy, latency_p95, failed, page, prediction';
    expect(typeOf('1 + accurcy')).toBe(`name 'accurcy' is not known at column 5, did you mean 'accuracy'? ${known}`);
    expect(typeOf('Latency_P95 < 3')).toContain("did you mean 'latency_p95'?");
    expect(typeOf('revenue')).toBe(`name 'revenue' is not known at column 1, ${known}`);
    expect(typeOf('constructor')).toContain("name 'constructor' is not known");
  });
});
