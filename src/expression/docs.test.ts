// Runs every example of docs/expressions.md.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { evaluateExpression } from './evaluate.ts';
import type { Expression, Scalar } from './expression.ts';
import { linearForm, splitCriterion } from './linear.ts';
import { parseExpression } from './parse.ts';

const page = readFileSync(new URL('../../docs/expressions.md', import.meta.url), 'utf8');

/** The cells of the table whose first heading is `heading`, without code quotes. */
function tableUnder(heading: string): readonly (readonly string[])[] {
  const lines = page.split('\n');
  const start = lines.findIndex((line) => cellsOf(line)[0] === heading);
  const rows: (readonly string[])[] = [];
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith('|')) break;
    rows.push(cellsOf(line));
  }
  return rows;
}

const cellsOf = (line: string): readonly string[] =>
  line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replace(/^(`+) ?(.*?) ?\1$/, '$2'));

function parsed(text: string): Expression {
  const result = parseExpression(text);
  if (result.kind === 'error') throw new Error(`${text}: ${result.message}`);
  return result.expression;
}

function scalar(text: string): Scalar {
  if (text === 'true' || text === 'false') return text === 'true';
  return text.startsWith("'") ? text.slice(1, -1) : Number(text);
}

/** `0.25 revenue - 0.25 control.revenue >= 1`: the names on the left, the limit on the right. */
function boundOf(text: string): string {
  const criterion = splitCriterion(parsed(text));
  if (criterion.kind === 'error') return criterion.message;
  const form = linearForm({ ...criterion, kind: 'arithmetic', at: 0, operator: '-' }, () => true);
  if (form.kind === 'not-linear') return form.message;
  const terms = Object.entries(form.coefficients).map(([name, value], index) => {
    const sign = value < 0 ? '- ' : index === 0 ? '' : '+ ';
    return `${sign}${Math.abs(value) === 1 ? '' : `${Math.abs(value)} `}${name}`;
  });
  return `${terms.join(' ')} ${criterion.comparison} ${-form.constant + 0}`;
}

describe('docs/expressions.md', () => {
  it('opens with expressions that parse', () => {
    const block = /```text\n([^`]*(?:`[^`]+`[^`]*)*?)```/.exec(page)![1]!;
    const lines = block.trim().split('\n');
    expect(lines.length).toBe(6);
    for (const line of lines) expect(parseExpression(line)).toMatchObject({ kind: 'parsed' });
  });

  it('tells the value of every example', () => {
    const rows = tableUnder('expression');
    expect(rows.length).toBeGreaterThan(20);
    for (const [text, names, gives] of rows) {
      const pairs = names === '' ? [] : names!.split(', ').map((pair) => pair.split('='));
      const values = new Map(pairs.map(([name, value]) => [name!, scalar(value!)]));
      const value = evaluateExpression(parsed(text!), (name) => values.get(name));
      expect([text, value]).toEqual([text, gives === 'missing' ? undefined : scalar(gives!)]);
    }
  });

  it('tells what every criterion bounds', () => {
    const rows = tableUnder('criterion');
    expect(rows.length).toBe(5);
    for (const [text, bounds] of rows) expect(boundOf(text!)).toBe(bounds);
  });

  it('tells the answer to every fault', () => {
    const rows = tableUnder('written');
    expect(rows.length).toBe(6);
    for (const [text, answer] of rows) expect(parseExpression(text!)).toMatchObject({ kind: 'error', message: answer });
  });
});
