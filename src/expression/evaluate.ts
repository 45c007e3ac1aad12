// What is the value of an expression for one row?
import { staticType } from './check.ts';
import type { Expression, Scalar } from './expression.ts';

/**
 * The value of a parsed expression; undefined when it is missing.
 *
 * Missing spreads: a part that is missing, is text where a number is needed, divides by 0, or leaves the range of
 * doubles makes the whole missing. `exists` and `default` catch it, and `and`/`or` ignore it where the other side
 * decides alone (`false and missing` is false).
 * @param lookup the value of a name; undefined, NaN and infinities count as missing.
 */
export function evaluateExpression(
  expression: Expression,
  lookup: (name: string) => Scalar | undefined,
): Scalar | undefined {
  const value = (node: Expression): Scalar | undefined => {
    switch (node.kind) {
      case 'number':
      case 'text':
      case 'boolean':
        return node.value;
      case 'name': {
        const found = lookup(node.name);
        return typeof found === 'number' ? finite(found) : found;
      }
      case 'negate':
        return map(number(node.operand), (x) => -x);
      case 'not':
        return map(number(node.operand), (x) => x === 0);
      case 'logic':
        return logic(node.operator, node.left, node.right);
      case 'arithmetic':
        return map(number(node.left), (x) => map(number(node.right), (y) => finite(arithmetic(node.operator, x, y))));
      case 'comparison': {
        const { operator } = node;
        return operator === '==' || operator === '!='
          ? equality(operator, value(node.left), value(node.right))
          : map(number(node.left), (x) => map(number(node.right), (y) => order(operator, x, y)));
      }
      case 'call':
        return call(node);
    }
  };

  const number = (node: Expression): number | undefined => {
    const found = value(node);
    return typeof found === 'string' ? undefined : map(found, Number);
  };

  const logic = (operator: 'and' | 'or', left: Expression, right: Expression): boolean | undefined => {
    const decisive = operator === 'or';
    const x = map(number(left), (found) => found !== 0);
    if (x === decisive) return x;
    const y = map(number(right), (found) => found !== 0);
    if (y === decisive) return y;
    return x === undefined || y === undefined ? undefined : !decisive;
  };

  const call = (node: Expression & { readonly kind: 'call' }): Scalar | undefined => {
    const [first, second] = node.arguments;
    switch (node.function) {
      case 'exists':
        return value(first!) !== undefined;
      case 'default':
        // The whole has one type: beside a number, text counts as missing, and the other way round.
        switch (staticType(node)) {
          case 'number':
            return number(first!) ?? number(second!);
          case 'text':
            return textOnly(value(first!)) ?? textOnly(value(second!));
          case 'any':
            return value(first!) ?? value(second!);
        }
    }
    const numbers: number[] = [];
    for (const argument of node.arguments) {
      const found = number(argument);
      if (found === undefined) return undefined;
      numbers.push(found);
    }
    const x = numbers[0]!;
    switch (node.function) {
      case 'abs':
        return Math.abs(x);
      case 'round':
        return Math.sign(x) * Math.round(Math.abs(x));
      case 'log':
        return x > 0 ? Math.log(x) : undefined;
      case 'min':
        return Math.min(...numbers);
      case 'max':
        return Math.max(...numbers);
    }
  };

  return value(expression);
}

const finite = (value: number): number | undefined => (Number.isFinite(value) ? value : undefined);

const textOnly = (value: Scalar | undefined): string | undefined => (typeof value === 'string' ? value : undefined);

function map<A, B>(value: A | undefined, change: (value: A) => B): B | undefined {
  return value === undefined ? undefined : change(value);
}

function arithmetic(operator: '+' | '-' | '*' | '/', x: number, y: number): number {
  switch (operator) {
    case '+':
      return x + y;
    case '-':
      return x - y;
    case '*':
      return x * y;
    case '/':
      return x / y;
  }
}

function order(operator: '<' | '<=' | '>' | '>=', x: number, y: number): boolean {
  switch (operator) {
    case '<':
      return x < y;
    case '<=':
      return x <= y;
    case '>':
      return x > y;
    case '>=':
      return x >= y;
  }
}

function equality(operator: '==' | '!=', x: Scalar | undefined, y: Scalar | undefined): boolean | undefined {
  if (x === undefined || y === undefined) return undefined;
  const equal = typeof x === 'string' || typeof y === 'string' ? x === y : Number(x) === Number(y);
  return equal === (operator === '==');
}
