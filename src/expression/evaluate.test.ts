import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluateExpression } from './evaluate.ts';
import type { Scalar } from './expression.ts';
import { parseExpression } from './parse.ts';

function value(text: string, names: Readonly<Record<string, Scalar>> = {}): Scalar | undefined {
  const result = parseExpression(text);
  if (result.kind === 'error') throw new Error(`${text}: ${result.message}`);
  return evaluateExpression(result.expression, (name) => names[name]);
}

describe('evaluateExpression', () => {
  it('gives the values of the language', () => {
    expect(value('1 + 2 * 3 - 4 / 8')).toBe(6.5);
    expect(value('3% + 50%')).toBe(0.53);
    expect(value('\'up\' == "up"')).toBe(true);
    expect(value('abs(-2) + min(3, 1, 2) + max(3, 1, 2) + round(2.5)')).toBe(9);
    expect(value('log(1)')).toBe(0);
    expect(value('`add-to-cart` > 2', { 'add-to-cart': 3 })).toBe(true);
    expect(value("'a\\\\b\\'c'")).toBe("a\\b'c");
  });

  it('binds as C and SQL do: not looser than comparison, ! tighter, and before or', () => {
    expect(value('not 1 == 2')).toBe(true);
    expect(value('!1 == 2')).toBe(false);
    expect(value('true or true and false')).toBe(true);
    expect(value('(true or true) and false')).toBe(false);
    expect(value('-2 * -3')).toBe(6);
    expect(value('10 - 3 - 2')).toBe(5);
    expect(value('16 / 4 / 2')).toBe(2);
  });

  it('agrees with JavaScript on arithmetic, order and logic over numbers', () => {
    const operand = fc.constantFrom('1', '2', '3', '0.5', '10');
    const operator = fc.constantFrom('+', '-', '*', '/');
    const sum = fc
      .tuple(operand, fc.array(fc.tuple(operator, operand), { maxLength: 6 }))
      .map(([first, rest]) => [first, ...rest.flat()].join(' '));
    const bound = fc.tuple(sum, fc.constantFrom('<', '<=', '>', '>=', '==', '!='), sum).map((parts) => parts.join(' '));
    const text = fc
      .tuple(bound, fc.array(fc.tuple(fc.constantFrom('&&', '||'), bound), { maxLength: 4 }))
      .map(([first, rest]) => [first, ...rest.flat()].join(' '));
    fc.assert(
      fc.property(fc.oneof(sum, text), (source) => {
        const reference: unknown = new Function(`return ${source}`)();
        expect(value(source)).toBe(reference);
      }),
      { numRuns: 500 },
    );
  });

  it('rounds halves away from zero', () => {
    expect([0.5, 1.5, -0.5, -2.5, 0.49999999999999994].map((x) => value('round(x) + 0', { x }))).toEqual([
      1, 2, -1, -3, 0,
    ]);
  });

  it('takes a boolean for 1 or 0, and never text for a number', () => {
    expect(value('failed + 1', { failed: true })).toBe(2);
    expect(value('x == 1', { x: true })).toBe(true);
    expect(value('x == y', { x: true, y: 1 })).toBe(true);
    expect(value('x == y', { x: '1', y: 1 })).toBe(false);
    expect(value('x != y', { x: 'true', y: true })).toBe(true);
    expect(value('x + 1', { x: '1' })).toBeUndefined();
    expect(value('x < 2', { x: '1' })).toBeUndefined();
  });

  it('lets a missing part make the whole missing', () => {
    for (const text of [
      'x + 1',
      '-x',
      'x == 1',
      'x != 1',
      'x == x',
      'x < 1',
      'not x',
      'min(x, 1)',
      'max(1, x)',
      'abs(x)',
    ]) {
      expect(value(text)).toBeUndefined();
    }
  });

  it('lets and/or be decided by one side alone', () => {
    expect(value('x and false')).toBe(false);
    expect(value('false and x')).toBe(false);
    expect(value('x or true')).toBe(true);
    expect(value('true or x')).toBe(true);
    expect(value('x and true')).toBeUndefined();
    expect(value('false or x')).toBeUndefined();
  });

  it('catches the missing with exists and default', () => {
    expect(value('exists(x)')).toBe(false);
    expect(value('exists(x)', { x: 0 })).toBe(true);
    expect(value('exists(1 / x)', { x: 0 })).toBe(false);
    expect(value('default(x, 0) + 1')).toBe(1);
    expect(value("default(x, 'none')", { x: 'home' })).toBe('home');
    expect(value('default(x, y)', { y: 'b' })).toBe('b');
  });

  it('gives default the type of its typed side', () => {
    expect(value('default(x, 0)', { x: 'text' })).toBe(0);
    expect(value("default(x, 'none')", { x: 3 })).toBe('none');
  });

  it('has no value for what is no finite number', () => {
    for (const text of ['1 / 0', '0 / 0', '-1 / 0', '1e308 * 10', '-1e308 - 1e308', 'log(0)', 'log(-1)']) {
      expect(value(text)).toBeUndefined();
    }
    expect(value('x', { x: Number.NaN })).toBeUndefined();
    expect(value('x', { x: Number.POSITIVE_INFINITY })).toBeUndefined();
  });
});
