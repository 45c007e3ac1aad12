// Random expressions and rows for property tests: well-typed text of the whole language, except `log`.
import fc from 'fast-check';
import type { Scalar } from './expression.ts';

/** The names random expressions use; every row may hold any kind of value, or none, under each. */
export const rowNames = ['x', 'y', 'outcome.label', 'add-to-cart'] as const;

/** One row: a name without an entry is missing. */
export type Row = Readonly<Record<string, Scalar>>;

const values: readonly Scalar[] = [
  ...[0, 1, -1, 2, 0.1, 0.3, 0.5, -2.5, 3, 100, 1e-300, 1e308, -1e308],
  ...['', 'a', 'b', 'up', '1', "it's", 'é', 'say "no"'],
  ...[true, false],
];

/** A row with values that often meet each other and the literals of `expressionText`. */
export const row: fc.Arbitrary<Row> = fc.dictionary(fc.constantFrom(...rowNames), fc.constantFrom(...values), {
  maxKeys: rowNames.length,
  noNullPrototype: true,
});

const name = fc.constantFrom('x', 'y', 'outcome.label', '`add-to-cart`');
const infix = (...operators: readonly string[]): fc.Arbitrary<string> => fc.constantFrom(...operators);
const joined = (...parts: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...parts).map((words) => words.join(' '));
const bracketed = (part: fc.Arbitrary<string>): fc.Arbitrary<string> => part.map((text) => `(${text})`);
const called = (functionName: string, ...parts: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...parts).map((words) => `${functionName}(${words.join(', ')})`);

const { number, text, any } = fc.letrec<{ number: string; text: string; any: string }>((tie) => ({
  number: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('0', '1', '0.1', '3', '50%', '2.5', '1e308', 'true', 'false'),
    name,
    bracketed(joined(tie('number'), infix('+', '-', '*', '/'), tie('number'))),
    bracketed(joined(tie('number'), infix('<', '<=', '>', '>=', '==', '!='), tie('number'))),
    bracketed(joined(tie('number'), infix('and', 'or', '&&', '||'), tie('number'))),
    bracketed(joined(tie('any'), infix('==', '!='), tie('any'))),
    bracketed(joined(tie('any'), infix('==', '!='), tie('text'))),
    bracketed(joined(tie('text'), infix('==', '!='), tie('any'))),
    bracketed(joined(tie('any'), infix('==', '!='), tie('number'))),
    bracketed(joined(tie('number'), infix('==', '!='), tie('any'))),
    bracketed(joined(infix('-', '!', 'not'), tie('number'))),
    called('abs', tie('number')),
    called('round', tie('number')),
    called('min', tie('number'), tie('number')),
    called('max', tie('number'), tie('number'), tie('number')),
    called('exists', fc.oneof(tie('number'), tie('text'), tie('any'))),
    called('default', tie('number'), tie('number')),
    called('default', tie('any'), tie('number')),
  ),
  text: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom("''", '"a"', "'up'", "'1'", `"it's"`, "'it\\'s'", "'é'", `'say "no"'`),
    called('default', tie('any'), tie('text')),
    called('default', tie('text'), tie('any')),
  ),
  any: fc.oneof({ depthSize: 'small' }, name, called('default', tie('any'), tie('any'))),
}));

/** Text of an expression whose types meet; its value may be a number, text, a boolean or missing. */
export const expressionText: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: number, weight: 8 },
  { arbitrary: text, weight: 1 },
  { arbitrary: any, weight: 1 },
);
