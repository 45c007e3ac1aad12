// How does a database compute the same value, row by row?
import { staticType } from './check.ts';
import type { Expression } from './expression.ts';

/** One name in SQL: a value stands in exactly one of the two forms; both are NULL when it is missing. */
export interface SqlName {
  /** DOUBLE; finite or NULL; booleans as 1 and 0; NULL for text. */
  readonly number: string;
  /** VARCHAR; NULL for numbers and booleans. */
  readonly text: string;
}

/** Options of `compileToSql`. */
export interface SqlOptions {
  /** The SQL of a name; it is pasted as it is, so it must be an operand (a column, a literal, or in parentheses). */
  readonly resolve: (name: string) => SqlName;
}

/**
 * DuckDB SQL of type DOUBLE that gives what `evaluateExpression` gives: true is 1, false is 0, missing is NULL, and so is
 * a value that is text. Only `log` may differ, in the last digit.
 *
 * No part that can nest is written or computed twice, so the cost grows with the length of the expression, not with
 * its depth.
 */
export function compileToSql(expression: Expression, options: SqlOptions): string {
  const { resolve } = options;

  const number = (node: Expression): string => {
    switch (node.kind) {
      case 'number':
        // As text, because a bare 0.1 is a DECIMAL, and DECIMAL to DOUBLE does not always round to the nearest.
        return `CAST('${node.value}' AS DOUBLE)`;
      case 'text':
        return missing;
      case 'boolean':
        return `CAST('${Number(node.value)}' AS DOUBLE)`;
      case 'name':
        return resolve(node.name).number;
      case 'negate':
        return `(- ${number(node.operand)})`;
      case 'arithmetic':
        return filtered(`${number(node.left)} ${node.operator} ${number(node.right)}`, 'isfinite(v)');
      case 'not':
      case 'logic':
      case 'comparison':
        return ofTruth(truth(node));
      case 'call':
        return call(node);
    }
  };

  const truth = (node: Expression): string => {
    switch (node.kind) {
      case 'not':
        return `(NOT ${truth(node.operand)})`;
      case 'logic':
        return `(${truth(node.left)} ${node.operator === 'and' ? 'AND' : 'OR'} ${truth(node.right)})`;
      case 'comparison':
        if (node.operator === '==') return equality(node.left, node.right);
        if (node.operator === '!=') return `(NOT ${equality(node.left, node.right)})`;
        return `(${number(node.left)} ${node.operator} ${number(node.right)})`;
      default:
        return `(${number(node)} <> 0)`;
    }
  };

  const call = (node: Expression & { readonly kind: 'call' }): string => {
    const [first, second] = node.arguments;
    switch (node.function) {
      case 'abs':
      case 'round':
        return `${node.function}(${number(first!)})`;
      case 'log':
        // ln(0) and ln(-1) are errors, not NULL.
        return `ln(${filtered(number(first!), 'v > 0')})`;
      case 'max':
      case 'min': {
        // greatest() ignores NULL, but NaN is the greatest of all: one missing argument makes the whole missing.
        const sign = node.function === 'min' ? '- ' : '';
        const numbers = node.arguments.map((argument) => `coalesce(${sign}${number(argument)}, ${nan})`);
        return `(${sign}${filtered(`greatest(${numbers.join(', ')})`, 'isfinite(v)')})`;
      }
      case 'exists':
        return ofTruth(exists(first!));
      case 'default':
        switch (staticType(node)) {
          case 'number':
            return `coalesce(${number(first!)}, ${number(second!)})`;
          case 'text':
            return missing;
          case 'any':
            return firstPresent(node, 'number', 'text');
        }
    }
  };

  const exists = (node: Expression): string => {
    switch (staticType(node)) {
      case 'number':
        return `(${number(node)} IS NOT NULL)`;
      case 'text':
        return `(${text(node)} IS NOT NULL)`;
      case 'any':
        return `(coalesce(CAST(${number(node)} AS VARCHAR), ${text(node)}) IS NOT NULL)`;
    }
  };

  // Only names, text, and defaults of those can be text, so these forms may be written twice without doubling by depth.
  const text = (node: Expression): string => {
    if (node.kind === 'text') return quoted(node.value);
    if (node.kind === 'name') return resolve(node.name).text;
    if (node.kind !== 'call' || node.function !== 'default') return 'CAST(NULL AS VARCHAR)';
    const [first, second] = node.arguments;
    return staticType(node) === 'any'
      ? firstPresent(node, 'text', 'number')
      : `coalesce(${text(first!)}, ${text(second!)})`;
  };

  const firstPresent = (node: Expression, form: 'number' | 'text', other: 'number' | 'text'): string => {
    const names = alternatives(node).map(resolve);
    return names
      .slice(0, -1)
      .reduceRight(
        (rest, name) => `CASE WHEN ${name[other]} IS NULL THEN coalesce(${name[form]}, ${rest}) END`,
        names.at(-1)![form],
      );
  };

  const equality = (left: Expression, right: Expression): string => {
    const types = [staticType(left), staticType(right)];
    if (types.includes('number')) return `(${comparable(left)} = ${comparable(right)})`;
    const texts = `${text(left)} = ${text(right)}`;
    if (!types.includes('any')) return `(${texts})`;
    if (types.includes('text')) {
      const mixed = types[0] === 'any' ? [number(left), text(right)] : [number(right), text(left)];
      return `(CASE WHEN ${mixed[0]} IS NOT NULL AND ${mixed[1]} IS NOT NULL THEN FALSE ELSE ${texts} END)`;
    }
    return (
      `(CASE WHEN ${number(left)} IS NOT NULL AND ${number(right)} IS NOT NULL THEN ${number(left)} = ${number(right)} ` +
      `WHEN ${text(left)} IS NOT NULL AND ${text(right)} IS NOT NULL THEN ${texts} ` +
      `WHEN ${exists(left)} AND ${exists(right)} THEN FALSE END)`
    );
  };

  // Text beside a number is unequal, not missing: NaN stands for it, because no number of ours is NaN.
  const comparable = (node: Expression): string =>
    staticType(node) === 'any'
      ? `CASE WHEN ${text(node)} IS NOT NULL THEN ${nan} ELSE ${number(node)} END`
      : number(node);

  return number(expression);
}

const missing = 'CAST(NULL AS DOUBLE)';
// By way of an integer, because not every engine makes a double of a truth value.
const ofTruth = (sql: string): string => `CAST(CAST(${sql} AS INTEGER) AS DOUBLE)`;
const nan = "CAST('NaN' AS DOUBLE)";

// The value, or NULL where the test fails. CASE and nullif() would need the value twice (DuckDB expands nullif into a
// CASE), which doubles the work with every level of nesting; a list of one costs about 20 ns a row and never doubles.
const filtered = (sql: string, test: string): string => `list_filter([${sql}], lambda v: ${test})[1]`;

const quoted = (value: string): string => `'${value.replaceAll("'", "''")}'`;

// Flat, because default(default(a, b), c) would otherwise double with every level.
function alternatives(node: Expression): readonly string[] {
  if (node.kind === 'name') return [node.name];
  if (node.kind !== 'call') throw new RangeError(`${node.kind} is no alternative, must be a name`);
  return node.arguments.flatMap(alternatives);
}
