// Which linear combination of names does a criterion bound, from which side, and at what limit?
import { evaluateExpression } from './evaluate.ts';
import { type Expression, type ExpressionError, namesIn, type OrderOperator } from './expression.ts';
import { errorAt } from './tokens.ts';

/** constant + sum of coefficient x name; names with a coefficient of 0 do not appear. */
export interface LinearForm {
  readonly kind: 'linear';
  readonly constant: number;
  readonly coefficients: { readonly [name: string]: number };
}

/** Why an expression is not linear in its names, and where. */
export interface NotLinear {
  readonly kind: 'not-linear';
  readonly at: number;
  readonly message: string;
}

/** One bound: `left` stands on the `comparison` side of `right`. */
export interface Criterion {
  readonly kind: 'criterion';
  readonly left: Expression;
  readonly comparison: OrderOperator;
  readonly right: Expression;
}

/** The two sides of a criterion such as `accuracy - control.accuracy > 3%`; an error for anything else. */
export function splitCriterion(expression: Expression): Criterion | ExpressionError {
  if (expression.kind === 'comparison') {
    const { left, operator, right } = expression;
    if (operator !== '==' && operator !== '!=') return { kind: 'criterion', left, comparison: operator, right };
  }
  return errorAt(expression.at, "a criterion is one comparison by '<', '<=', '>' or '>=', found something else");
}

/**
 * The expression as constant + sum of coefficient x name.
 *
 * Sums, differences, products with a constant and division by one are linear; anything may stand in a part without names.
 * @param isName true for the names that may appear.
 */
export function linearForm(expression: Expression, isName: (name: string) => boolean): LinearForm | NotLinear {
  const visit = (node: Expression): LinearForm | NotLinear => {
    if (namesIn(node).length === 0) return constantOf(node);
    switch (node.kind) {
      case 'name':
        return isName(node.name)
          ? { kind: 'linear', constant: 0, coefficients: { [node.name]: 1 } }
          : notLinear(node.at, `name '${node.name}' is not known`);
      case 'negate': {
        const operand = visit(node.operand);
        return operand.kind === 'linear' ? combine(operand, operand, [-1, 0]) : operand;
      }
      case 'arithmetic':
        return arithmetic(node);
      default:
        return notLinear(node.at, `${node.kind === 'call' ? node.function : node.kind} is not linear in its names`);
    }
  };

  const arithmetic = (node: Expression & { readonly kind: 'arithmetic' }): LinearForm | NotLinear => {
    const left = visit(node.left);
    if (left.kind !== 'linear') return left;
    const right = visit(node.right);
    if (right.kind !== 'linear') return right;
    const form = combined(node.operator, left, right);
    if (form === undefined) {
      return node.operator === '*'
        ? notLinear(node.at, 'a product of two names is not linear')
        : notLinear(node.at, 'division by a name is not linear');
    }
    return [form.constant, ...Object.values(form.coefficients)].every(Number.isFinite)
      ? form
      : notLinear(node.at, 'the result is not a finite number');
  };

  return visit(expression);
}

function combined(operator: '+' | '-' | '*' | '/', left: LinearForm, right: LinearForm): LinearForm | undefined {
  switch (operator) {
    case '+':
      return combine(left, right, [1, 1]);
    case '-':
      return combine(left, right, [1, -1]);
    case '*':
      if (isConstant(right)) return combine(left, left, [right.constant, 0]);
      return isConstant(left) ? combine(right, right, [left.constant, 0]) : undefined;
    case '/':
      return isConstant(right) ? divide(left, right.constant) : undefined;
  }
}

const isConstant = (form: LinearForm): boolean => Object.keys(form.coefficients).length === 0;

function constantOf(node: Expression): LinearForm | NotLinear {
  const value = evaluateExpression(node, () => undefined);
  if (value === undefined || typeof value === 'string') return notLinear(node.at, 'this part is not a number');
  return { kind: 'linear', constant: Number(value), coefficients: {} };
}

function combine(left: LinearForm, right: LinearForm, weights: readonly [number, number]): LinearForm {
  const [a, b] = weights;
  const coefficients = new Map<string, number>();
  for (const [name, value] of Object.entries(left.coefficients)) coefficients.set(name, a * value);
  if (b === 0) return withoutZeros(a * left.constant, coefficients);
  for (const [name, value] of Object.entries(right.coefficients)) {
    coefficients.set(name, (coefficients.get(name) ?? 0) + b * value);
  }
  return withoutZeros(a * left.constant + b * right.constant, coefficients);
}

function divide(form: LinearForm, divisor: number): LinearForm {
  const coefficients = new Map(Object.entries(form.coefficients).map(([name, value]) => [name, value / divisor]));
  return withoutZeros(form.constant / divisor, coefficients);
}

function withoutZeros(constant: number, coefficients: ReadonlyMap<string, number>): LinearForm {
  const kept = [...coefficients].filter(([, value]) => value !== 0);
  // + 0 turns -0 into 0, which would otherwise show in reports.
  return { kind: 'linear', constant: constant + 0, coefficients: Object.fromEntries(kept) };
}

function notLinear(at: number, sentence: string): NotLinear {
  return { kind: 'not-linear', at, message: errorAt(at, sentence).message };
}
