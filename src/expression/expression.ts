// What an expression is, as data.

/** A value an expression can meet or give. A boolean counts as the number 1 or 0 wherever a number is wanted. */
export type Scalar = number | string | boolean;

/** What is known of a value before it is there: `any` is decided row by row. */
export type ValueType = 'number' | 'text' | 'boolean' | 'any';

/** The functions of the language. */
export type FunctionName = 'abs' | 'min' | 'max' | 'round' | 'log' | 'exists' | 'default';

export type ArithmeticOperator = '+' | '-' | '*' | '/';
export type OrderOperator = '<' | '<=' | '>' | '>=';
export type ComparisonOperator = '==' | '!=' | OrderOperator;

/** A parsed expression. `at` is the 0-based character the node stands for: its operator, or where it begins. */
export type Expression =
  | { readonly kind: 'number'; readonly at: number; readonly value: number }
  | { readonly kind: 'text'; readonly at: number; readonly value: string }
  | { readonly kind: 'boolean'; readonly at: number; readonly value: boolean }
  /** Segments joined by dots, for example `outcome.label`. */
  | { readonly kind: 'name'; readonly at: number; readonly name: string }
  | { readonly kind: 'negate'; readonly at: number; readonly operand: Expression }
  | { readonly kind: 'not'; readonly at: number; readonly operand: Expression }
  | {
      readonly kind: 'arithmetic';
      readonly at: number;
      readonly operator: ArithmeticOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: 'comparison';
      readonly at: number;
      readonly operator: ComparisonOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: 'logic';
      readonly at: number;
      readonly operator: 'and' | 'or';
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: 'call';
      readonly at: number;
      readonly function: FunctionName;
      readonly arguments: readonly Expression[];
    };

/** A fault in an expression: where (0-based character) and what, in one sentence that names the column (1-based). */
export interface ExpressionError {
  readonly kind: 'error';
  readonly at: number;
  readonly message: string;
}

/** The parts of a node, in reading order. */
function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'number':
    case 'text':
    case 'boolean':
    case 'name':
      return [];
    case 'negate':
    case 'not':
      return [expression.operand];
    case 'call':
      return expression.arguments;
    default:
      return [expression.left, expression.right];
  }
}

/** The names an expression uses, dotted, each once, in order of first use. */
export function namesIn(expression: Expression): readonly string[] {
  const names = new Set<string>();
  const visit = (node: Expression): void => {
    if (node.kind === 'name') names.add(node.name);
    for (const part of partsOf(node)) visit(part);
  };
  visit(expression);
  return [...names];
}
