// The expression language of metrics, criteria, filters and value: parse, check, run in JS, compile to SQL.
export { type CheckOptions, checkTypes } from './check.ts';
export { evaluateExpression } from './evaluate.ts';
export {
  type Expression,
  type ExpressionError,
  namesIn,
  type OrderOperator,
  type Scalar,
  type ValueType,
} from './expression.ts';
export { type Criterion, type LinearForm, linearForm, type NotLinear, splitCriterion } from './linear.ts';
export { parseExpression } from './parse.ts';
export { compileToSql, type SqlName, type SqlOptions } from './sql.ts';
