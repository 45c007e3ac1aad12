// How does text become an expression, and what does its author need to hear when it does not?
import { checkTypes } from './check.ts';
import type { ComparisonOperator, Expression, ExpressionError, FunctionName } from './expression.ts';
import { errorAt, type Token, tokenize } from './tokens.ts';

/** Longest text that is parsed, in characters. */
const maxLength = 1000;
/** Deepest nesting; bounds the work of every reader of the tree, and the SQL made from it. */
const maxDepth = 50;

/** Least and greatest number of arguments. */
const arities: Readonly<Record<FunctionName, readonly [number, number]>> = {
  abs: [1, 1],
  min: [2, 20],
  max: [2, 20],
  round: [1, 1],
  log: [1, 1],
  exists: [1, 1],
  default: [2, 2],
};

/** Functions people try by another name. */
const synonyms: Readonly<Record<string, FunctionName>> = {
  ln: 'log',
  coalesce: 'default',
  least: 'min',
  greatest: 'max',
};

type Parsed = { readonly expression: Expression; readonly depth: number };

class Stop extends Error {
  readonly fault: ExpressionError;
  constructor(fault: ExpressionError) {
    super(fault.message);
    this.fault = fault;
  }
}

/**
 * The expression that `text` says, or its first fault.
 *
 * Text beyond 1,000 characters and nesting beyond 50 levels are faults, and so is what can never have a value whatever
 * the names stand for (`'a' + 1`).
 */
export function parseExpression(
  text: string,
): { readonly kind: 'parsed'; readonly expression: Expression } | ExpressionError {
  if (text.length > maxLength) {
    return errorAt(maxLength, `the expression has ${text.length} characters, must have at most ${maxLength}, cut`);
  }
  const words = tokenize(text);
  if (words.kind === 'error') return words;
  try {
    const expression = parseTokens(words.tokens);
    const checked = checkTypes(expression, () => 'any');
    return checked.kind === 'error' ? checked : { kind: 'parsed', expression };
  } catch (error) {
    if (error instanceof Stop) return error.fault;
    throw error;
  }
}

function parseTokens(tokens: readonly Token[]): Expression {
  let next = 0;
  // Levels of recursion open right now: parentheses and signs nest the parser before they nest the tree.
  let open = 0;

  const peek = (): Token => tokens[next]!;
  const fail = (at: number, sentence: string): never => {
    throw new Stop(errorAt(at, sentence));
  };
  const describe = (token: Token): string => {
    switch (token.kind) {
      case 'end':
        return 'the end';
      case 'sign':
        return `'${token.sign}'`;
      case 'name':
        return `'${token.name}'`;
      case 'number':
        return `${token.value}`;
      case 'text':
        return 'text';
    }
  };
  const expectedValue = (): never => {
    const previous = next === 0 ? undefined : tokens[next - 1]!;
    const after = previous === undefined ? '' : ` after ${describe(previous)}`;
    const found = peek().kind === 'end' ? '' : `, found ${describe(peek())},`;
    return fail(peek().at, `expected a value${after}${found}`);
  };
  const takeSign = (...wanted: readonly string[]): (Token & { kind: 'sign' }) | undefined => {
    const token = peek();
    if (token.kind !== 'sign' || !wanted.includes(token.sign)) return undefined;
    next += 1;
    return token;
  };
  const takeWord = (word: string): Token | undefined => {
    const token = peek();
    if (token.kind !== 'name' || !token.bare || token.name !== word) return undefined;
    next += 1;
    return token;
  };
  const node = (expression: Expression, parts: readonly Parsed[]): Parsed => {
    const depth = 1 + Math.max(0, ...parts.map((part) => part.depth));
    if (depth > maxDepth) fail(expression.at, `the expression is nested more than ${maxDepth} levels deep`);
    return { expression, depth };
  };
  const nested = (parse: () => Parsed, at: number): Parsed => {
    open += 1;
    if (open > maxDepth) fail(at, `the expression is nested more than ${maxDepth} levels deep`);
    const parsed = parse();
    open -= 1;
    return parsed;
  };

  const parseLogic = (operator: 'and' | 'or', sign: string, parseOperand: () => Parsed): Parsed => {
    let left = parseOperand();
    for (;;) {
      const token = takeSign(sign) ?? takeWord(operator);
      if (token === undefined) return left;
      const right = parseOperand();
      left = node({ kind: 'logic', at: token.at, operator, left: left.expression, right: right.expression }, [
        left,
        right,
      ]);
    }
  };
  const parseOr = (): Parsed => parseLogic('or', '||', parseAnd);
  const parseAnd = (): Parsed => parseLogic('and', '&&', parseNot);

  const parseNot = (): Parsed => {
    const token = takeWord('not');
    if (token === undefined) return parseComparison();
    const operand = nested(parseNot, token.at);
    return node({ kind: 'not', at: token.at, operand: operand.expression }, [operand]);
  };

  const parseComparison = (): Parsed => {
    const left = parseSum();
    const token = takeSign('==', '!=', '<', '<=', '>', '>=');
    if (token === undefined) return left;
    const right = parseSum();
    const chained = peek();
    if (chained.kind === 'sign' && ['==', '!=', '<', '<=', '>', '>='].includes(chained.sign)) {
      fail(chained.at, "comparisons cannot be chained, join two with 'and'");
    }
    const operator = token.sign as ComparisonOperator;
    return node({ kind: 'comparison', at: token.at, operator, left: left.expression, right: right.expression }, [
      left,
      right,
    ]);
  };

  const parseArithmetic = (first: '+' | '*', second: '-' | '/', parseOperand: () => Parsed): Parsed => {
    let left = parseOperand();
    for (;;) {
      const token = takeSign(first, second);
      if (token === undefined) return left;
      const right = parseOperand();
      const operator = token.sign as '+' | '-' | '*' | '/';
      left = node({ kind: 'arithmetic', at: token.at, operator, left: left.expression, right: right.expression }, [
        left,
        right,
      ]);
    }
  };
  const parseSum = (): Parsed => parseArithmetic('+', '-', parseProduct);
  const parseProduct = (): Parsed => parseArithmetic('*', '/', parseUnary);

  const parseUnary = (): Parsed => {
    const token = takeSign('-', '!');
    if (token === undefined) return parsePrimary();
    const operand = nested(parseUnary, token.at);
    const kind = token.sign === '-' ? 'negate' : 'not';
    return node({ kind, at: token.at, operand: operand.expression }, [operand]);
  };

  const parsePrimary = (): Parsed => {
    const token = peek();
    if (token.kind === 'number' || token.kind === 'text') {
      next += 1;
      const { at } = token;
      return node(
        token.kind === 'number' ? { kind: 'number', at, value: token.value } : { kind: 'text', at, value: token.value },
        [],
      );
    }
    if (token.kind === 'name') return parseName(token);
    if (takeSign('(') === undefined) return expectedValue();
    const inner = nested(parseOr, token.at);
    if (takeSign(')') === undefined) {
      fail(peek().at, `expected ')' to match the '(' at column ${token.at + 1}, found ${describe(peek())}`);
    }
    return inner;
  };

  const parseName = (token: Token & { kind: 'name' }): Parsed => {
    const { at, name, bare } = token;
    if (bare && (name === 'and' || name === 'or' || name === 'not')) return expectedValue();
    next += 1;
    if (bare && (name === 'true' || name === 'false')) {
      return node({ kind: 'boolean', at, value: name === 'true' }, []);
    }
    const bracket = bare ? takeSign('(') : undefined;
    if (bracket === undefined) return node({ kind: 'name', at, name }, []);
    return parseCall(token, bracket.at);
  };

  const parseCall = (token: Token & { kind: 'name' }, bracketAt: number): Parsed => {
    const { at, name } = token;
    if (!Object.hasOwn(arities, name)) {
      const meant = Object.hasOwn(synonyms, name) ? `, did you mean '${synonyms[name]}'?` : '';
      fail(at, `function '${name}' is not known${meant} (known: ${Object.keys(arities).join(', ')})`);
    }
    const parts: Parsed[] = [];
    if (takeSign(')') === undefined) {
      do parts.push(nested(parseOr, at));
      while (takeSign(',') !== undefined);
      if (takeSign(')') === undefined) {
        fail(peek().at, `expected ',' or ')' to match the '(' at column ${bracketAt + 1}, found ${describe(peek())}`);
      }
    }
    const [least, most] = arities[name as FunctionName];
    if (parts.length < least || parts.length > most) {
      const wanted = least === most ? `${least}` : `${least} to ${most}`;
      fail(at, `${name} has ${parts.length} arguments, must have ${wanted},`);
    }
    const inner = parts.map((part) => part.expression);
    return node({ kind: 'call', at, function: name as FunctionName, arguments: inner }, parts);
  };

  if (peek().kind === 'end') fail(0, 'the expression is empty, expected a value');
  const parsed = parseOr();
  if (peek().kind !== 'end') fail(peek().at, `expected an operator or the end, found ${describe(peek())}`);
  return parsed.expression;
}
