import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluateExpression } from './evaluate.ts';
import type { Expression } from './expression.ts';
import { linearForm, splitCriterion } from './linear.ts';
import { parseExpression } from './parse.ts';

function parsed(text: string): Expression {
  const result = parseExpression(text);
  if (result.kind === 'error') throw new Error(`${text}: ${result.message}`);
  return result.expression;
}
const form = (text: string) => linearForm(parsed(text), (name) => name !== 'unknown');

describe('splitCriterion', () => {
  it('gives the two sides of a comparison by order', () => {
    const criterion = splitCriterion(parsed('(accuracy - control.accuracy > 3%)'));
    expect(criterion).toMatchObject({ kind: 'criterion', comparison: '>' });
    if (criterion.kind === 'error') return;
    expect(linearForm(criterion.left, () => true)).toEqual({
      kind: 'linear',
      constant: 0,
      coefficients: { accuracy: 1, 'control.accuracy': -1 },
    });
    expect(linearForm(criterion.right, () => true)).toEqual({ kind: 'linear', constant: 0.03, coefficients: {} });
  });

  it('refuses everything else', () => {
    for (const text of ['accuracy', 'a == b', 'a > 1 and b > 1', 'not a > 1']) {
      expect(splitCriterion(parsed(text))).toMatchObject({
        kind: 'error',
        message: expect.stringContaining("'<=', '>'"),
      });
    }
  });
});

describe('linearForm', () => {
  it.each([
    ['a', 0, { a: 1 }],
    ['-a + 2', 2, { a: -1 }],
    ['2 * (a - b) / 4 - 1', -1, { a: 0.5, b: -0.5 }],
    ['(a + b) * 3', 0, { a: 3, b: 3 }],
    ['a - a + b', 0, { b: 1 }],
    ['log(1) + max(2, 3) * a', 0, { a: 3 }],
    ['(1 > 0) + a', 1, { a: 1 }],
    ['0 * a', 0, {}],
    ['3%', 0.03, {}],
    ['__proto__ * 2 - __proto__', 0, Object.fromEntries([['__proto__', 1]])],
  ])('reads %s', (text, constant, coefficients) => {
    expect(form(text)).toEqual({ kind: 'linear', constant, coefficients });
  });

  it.each([
    ['a * b', 'a product of two names is not linear at column 3'],
    ['1 / a', 'division by a name is not linear at column 3'],
    ['1 + abs(a)', 'abs is not linear in its names at column 5'],
    ['(a > 1) * 2', 'comparison is not linear in its names at column 4'],
    ['a + unknown', "name 'unknown' is not known at column 5"],
    ['a / 0', 'the result is not a finite number at column 3'],
    ['a + 1 / 0', 'this part is not a number at column 7'],
    ["'x'", 'this part is not a number at column 1'],
  ])('says why %s is not linear', (text, message) => {
    expect(form(text)).toMatchObject({ kind: 'not-linear', message });
  });

  it('has the value of the expression wherever it exists', () => {
    const leaf = fc.constantFrom('a', 'b', 'control.a', '2', '0.5', '3%');
    const { sum } = fc.letrec<{ sum: string }>((tie) => ({
      sum: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        leaf,
        fc.tuple(tie('sum'), fc.constantFrom('+', '-', '*', '/'), tie('sum')).map((parts) => `(${parts.join(' ')})`),
        tie('sum').map((part) => `(-${part})`),
      ),
    }));
    const names = { a: 0.75, b: -3, 'control.a': 0.5 };
    let linear = 0;
    fc.assert(
      fc.property(sum, (text) => {
        fc.pre(text.length <= 1000);
        const result = form(text);
        if (result.kind === 'not-linear') return;
        linear += 1;
        const wanted = evaluateExpression(parsed(text), (name) => names[name as keyof typeof names]);
        let total = result.constant;
        let scale = Math.abs(result.constant);
        for (const [name, coefficient] of Object.entries(result.coefficients)) {
          total += coefficient * names[name as keyof typeof names];
          scale += Math.abs(coefficient * names[name as keyof typeof names]);
        }
        expect(Math.abs(total - Number(wanted))).toBeLessThanOrEqual(1e-9 * Math.max(1, scale));
      }),
      { numRuns: 500 },
    );
    expect(linear).toBeGreaterThan(100);
  });
});
