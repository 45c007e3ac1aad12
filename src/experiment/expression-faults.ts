// Can this text be an expression here? Its first fault, with the names that may be used.
import { checkTypes, type Expression, parseExpression, type ValueType } from '../expression/index.ts';
import { builtInFields, type Capture } from './experiment.ts';
import { type Fault, faultAt, type Path } from './faults.ts';

/** Words that mean something of their own in expressions and criteria. */
export const reservedWords: ReadonlySet<string> = new Set([
  'outcome',
  'attribute',
  'item',
  'control',
  'net_value',
  'per',
  'and',
  'or',
  'not',
  'true',
  'false',
]);

/** Type of a name that stands for something in a prediction record. */
export function recordType(word: string, captures: readonly Capture[]): ValueType | undefined {
  if (builtInFields.includes(word)) return 'number';
  const found = captures.find((each) => each.name === word);
  if (found === undefined) return undefined;
  return found.threshold === undefined ? 'any' : 'number';
}

/** What an expression of one place may use and must give. */
export interface ExpressionRules {
  readonly path: Path;
  readonly known: readonly string[];
  readonly type: (name: string) => ValueType | undefined;
  readonly accepts: readonly ValueType[];
}

/** Yields the first fault of a text; returns the expression when there is none. */
export function* expressionFaults(text: string, rules: ExpressionRules): Generator<Fault, Expression | undefined> {
  const parsed = parseExpression(text);
  if (parsed.kind === 'error') {
    yield expressionFault(rules.path, { text, message: parsed.message });
    return undefined;
  }
  const typed = checkTypes(parsed.expression, rules.type, { known: rules.known });
  if (typed.kind === 'error') {
    yield expressionFault(rules.path, { text, message: typed.message });
    return undefined;
  }
  if (!rules.accepts.includes(typed.type)) {
    yield expressionFault(rules.path, { text, message: `it gives ${typed.type}, must give ${rules.accepts[0]}` });
    return undefined;
  }
  return parsed.expression;
}

/** A fault of an expression, the text shown. */
export function expressionFault(
  path: Path,
  { text, message }: { readonly text: string; readonly message: string },
): Fault {
  const shown = text.length <= 80 ? text : `${text.slice(0, 77)}...`;
  return faultAt(path, `is ${JSON.stringify(shown)}: ${message}`);
}
