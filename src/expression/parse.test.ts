import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { namesIn } from './expression.ts';
import { parseExpression } from './parse.ts';
import { expressionText } from './random-expressions.fixture.ts';

const messageOf = (text: string): string => {
  const result = parseExpression(text);
  return result.kind === 'error' ? result.message : `parsed: ${text}`;
};

describe('parseExpression', () => {
  it('gives the tree with the place of every node', () => {
    expect(parseExpression('accuracy - control.accuracy > 3%')).toEqual({
      kind: 'parsed',
      expression: {
        kind: 'comparison',
        at: 28,
        operator: '>',
        left: {
          kind: 'arithmetic',
          at: 9,
          operator: '-',
          left: { kind: 'name', at: 0, name: 'accuracy' },
          right: { kind: 'name', at: 11, name: 'control.accuracy' },
        },
        right: { kind: 'number', at: 30, value: 0.03 },
      },
    });
  });

  it.each([
    ['', 'the expression is empty, expected a value at column 1'],
    ['a >', "expected a value after '>' at column 4"],
    ['a > > b', "expected a value after '>', found '>', at column 5"],
    ['and a', "expected a value, found 'and', at column 1"],
    ['a b', "expected an operator or the end, found 'b' at column 3"],
    ['(a + 1', "expected ')' to match the '(' at column 1, found the end at column 7"],
    ['min(a, b', "expected ',' or ')' to match the '(' at column 4, found the end at column 9"],
    ['a)', "expected an operator or the end, found ')' at column 2"],
    ['a < b < c', "comparisons cannot be chained, join two with 'and' at column 7"],
    ['a = 1', "'=' is not known, write '==' to compare at column 3"],
    ['a <> 1', "'<>' is not known, write '!=' at column 3"],
    ['a === 1', "'===' is not known, write '==' at column 3"],
    ['a & b', "'&' is not known, write '&&' at column 3"],
    ['a $ b', "'$' is not known at column 3"],
    ['a + 🦊', "'🦊' is not known at column 5"],
    ['1_000', "'_' cannot follow a number at column 2"],
    ['3x', "'x' cannot follow a number at column 2"],
    ['1.', "'.' cannot follow a number at column 2"],
    ['.5', "a number begins with a digit, write '0.5' at column 1"],
    ['a %', "'%' stands right behind a number, as in 3%, at column 3"],
    ['1e999', '1e999 is too large, must be below 1.8e308, at column 1'],
    ['a.', "expected a name after 'a.' at column 3"],
    ["x == 'it", 'text is not closed, expected "\'" to match the one at column 6'],
    ['x == "it', "text is not closed, expected '\"' to match the one at column 6"],
    ["'a\\n'", 'a backslash in text must be followed by a quote or a backslash at column 3'],
    ['outcome.`x', "name is not closed, expected '`' to match the one at column 9"],
    [
      'ln(x)',
      "function 'ln' is not known, did you mean 'log'? (known: abs, min, max, round, log, exists, default) at column 1",
    ],
    ['toString(x)', "function 'toString' is not known (known: abs, min, max, round, log, exists, default) at column 1"],
    ['abs()', 'abs has 0 arguments, must have 1, at column 1'],
    ['min(1)', 'min has 1 arguments, must have 2 to 20, at column 1'],
    ["'a' + 1", "'+' needs a number, found text at column 1"],
    ["x < 'b'", "'<' needs a number, found text at column 5"],
    ["1 == 'a'", "'==' compares a number and text, must be of one type, at column 3"],
    ["default(1, 'a')", 'default chooses between a number and text, must be of one type, at column 1'],
  ])('says what is wrong with %j', (text, message) => {
    expect(messageOf(text)).toBe(message);
  });

  it('bounds length and depth', () => {
    expect(messageOf('1'.repeat(1001))).toMatch(/^the expression has 1001 characters, must have at most 1000/);
    const tooDeep = 'the expression is nested more than 50 levels deep';
    for (const text of ['('.repeat(400), '-'.repeat(999), '!'.repeat(999), 'abs('.repeat(200), 'not '.repeat(200)]) {
      expect(messageOf(text)).toContain(tooDeep);
    }
    expect(messageOf(Array.from({ length: 60 }, () => 'x').join(' + '))).toContain(tooDeep);
    expect(messageOf(`${'('.repeat(50)}1${')'.repeat(50)}`)).toMatch(/^parsed/);
  });

  it('answers any text with a tree or a place inside it, and never throws', () => {
    const words = fc.constantFrom(
      'a',
      '.',
      '`',
      "'",
      '"',
      '(',
      ')',
      ',',
      '-',
      '!',
      'not',
      'and',
      '==',
      '<',
      '1',
      '%',
      'min',
      '\\',
      ' ',
    );
    const mess = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(words).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(mess, (text) => {
        const result = parseExpression(text);
        if (result.kind === 'parsed') return;
        expect(result.at).toBeGreaterThanOrEqual(0);
        expect(result.at).toBeLessThanOrEqual(text.length);
        expect(result.message).toContain(`at column ${result.at + 1}`);
      }),
      { numRuns: 2000 },
    );
  });

  it('parses every well-typed text of the grammar', () => {
    fc.assert(
      fc.property(expressionText, (text) => {
        if (text.length <= 1000) expect(messageOf(text)).toBe(`parsed: ${text}`);
      }),
    );
  });
});

describe('namesIn', () => {
  it('gives each name once, dotted, in order', () => {
    const good = parseExpression(
      'prediction == outcome.label and exists(outcome.`add-to-cart`) or -prediction > max(1, q)',
    );
    if (good.kind === 'error') throw new Error(good.message);
    expect(namesIn(good.expression)).toEqual(['prediction', 'outcome.label', 'outcome.add-to-cart', 'q']);
  });
});
