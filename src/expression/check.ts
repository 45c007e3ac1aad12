// Can this expression have a value, given what its names stand for?
import type { Expression, ExpressionError, ValueType } from './expression.ts';
import { errorAt } from './tokens.ts';

/** Options of `checkTypes`. */
export interface CheckOptions {
  /** The names that may be used; they make the message about an unknown one helpful. */
  readonly known?: readonly string[];
}

/**
 * The type of the expression's value, or its first fault: a name the scope does not know, or types that do not meet.
 *
 * A boolean is welcome wherever a number is, and a number wherever a boolean is (0 is false).
 * @param scope the type of a name; undefined for a name that does not exist.
 */
export function checkTypes(
  expression: Expression,
  scope: (name: string) => ValueType | undefined,
  options: CheckOptions = {},
): { readonly kind: 'typed'; readonly type: ValueType } | ExpressionError {
  const visit = (node: Expression): ValueType | ExpressionError => {
    switch (node.kind) {
      case 'number':
      case 'text':
      case 'boolean':
        return node.kind;
      case 'name':
        return scope(node.name) ?? unknownName(node.name, node.at, options.known ?? []);
      case 'negate':
        return numberFrom(node.operand, "'-'") ?? 'number';
      case 'not':
        return numberFrom(node.operand, "'not'") ?? 'boolean';
      case 'logic':
        return numberFrom(node.left, `'${node.operator}'`) ?? numberFrom(node.right, `'${node.operator}'`) ?? 'boolean';
      case 'arithmetic':
        return numberFrom(node.left, `'${node.operator}'`) ?? numberFrom(node.right, `'${node.operator}'`) ?? 'number';
      case 'comparison':
        if (node.operator === '==' || node.operator === '!=') {
          const type = common(node, node.left, node.right, `'${node.operator}' compares`);
          return typeof type === 'string' ? 'boolean' : type;
        }
        return numberFrom(node.left, `'${node.operator}'`) ?? numberFrom(node.right, `'${node.operator}'`) ?? 'boolean';
      case 'call':
        return visitCall(node);
    }
  };

  const visitCall = (node: Expression & { readonly kind: 'call' }): ValueType | ExpressionError => {
    const [first, second] = node.arguments;
    if (node.function === 'exists') {
      const type = visit(first!);
      return typeof type === 'string' ? 'boolean' : type;
    }
    if (node.function === 'default') return common(node, first!, second!, 'default chooses between');
    for (const argument of node.arguments) {
      const fault = numberFrom(argument, node.function);
      if (fault !== undefined) return fault;
    }
    return 'number';
  };

  const numberFrom = (node: Expression, reader: string): ExpressionError | undefined => {
    const type = visit(node);
    if (typeof type !== 'string') return type;
    return type === 'text' ? errorAt(node.at, `${reader} needs a number, found text`) : undefined;
  };

  const common = (node: Expression, left: Expression, right: Expression, what: string): ValueType | ExpressionError => {
    const first = visit(left);
    if (typeof first !== 'string') return first;
    const second = visit(right);
    if (typeof second !== 'string') return second;
    if (first === second) return first;
    if (first === 'any' || second === 'any') return first === 'any' ? second : first;
    if (first !== 'text' && second !== 'text') return 'number';
    return errorAt(node.at, `${what} ${described(first)} and ${described(second)}, must be of one type,`);
  };

  const type = visit(expression);
  return typeof type === 'string' ? { kind: 'typed', type } : type;
}

/**
 * What the syntax alone says of a node: names are `any`, booleans count as numbers. A parsed expression always has one.
 */
export function staticType(expression: Expression): 'number' | 'text' | 'any' {
  const checked = checkTypes(expression, () => 'any');
  if (checked.kind === 'error') throw new RangeError(`expression is ill-typed (${checked.message}), must be parsed`);
  return checked.type === 'boolean' ? 'number' : checked.type;
}

const described = (type: ValueType): string => (type === 'text' ? 'text' : `a ${type}`);

function unknownName(name: string, at: number, known: readonly string[]): ExpressionError {
  if (known.length === 0) return errorAt(at, `name '${name}' is not known`);
  const nearest = [...known]
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0]!;
  const meant = nearest.distance <= Math.max(1, name.length / 3) ? `, did you mean '${nearest.candidate}'?` : ',';
  const fault = errorAt(at, `name '${name}' is not known`);
  return { ...fault, message: `${fault.message}${meant} must be one of: ${known.join(', ')}` };
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      row.push(Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
  }
  return row[b.length]!;
}
