// Holds docs/assignment.md to what the code does.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { allocate } from './allocation.ts';
import { assign, prepareAssignment } from './assignment.ts';
import { murmur3 } from './murmur3.ts';

const page = readFileSync(new URL('../../docs/assignment.md', import.meta.url), 'utf8');
const script = readFileSync(new URL('./vectors.fixture.py', import.meta.url), 'utf8');

const rowsUnder = (heading: string): readonly (readonly string[])[] => {
  const lines = page.split('\n').map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')));
  const start = lines.findIndex((cells) => cells[1] === heading);
  const rest = lines.slice(start + 2);
  return rest
    .slice(
      0,
      rest.findIndex((cells) => cells.length < 3),
    )
    .map((cells) => cells.slice(1, -1));
};

describe('docs/assignment.md', () => {
  it('prints the port that made the vectors', () => {
    const port = /# port begins\n([\s\S]*?)# port ends/.exec(script)![1]!.trim();
    expect(port.length).toBeGreaterThan(500);
    expect(page).toContain(`\`\`\`python\n${port}\n\`\`\``);
  });

  it('prints hashes that are true', () => {
    const rows = rowsUnder('text');
    expect(rows.length).toBe(8);
    for (const [text, seed, hash] of rows) {
      expect([text, murmur3(text === '(empty)' ? '' : text!, Number(seed))]).toEqual([text, Number(hash)]);
    }
  });

  it('prints assignments that are true', () => {
    const prepared = prepareAssignment({
      salt: 'default/exp-1',
      coverage: 0.5,
      control: 'a',
      variants: [{ name: 'a' }, { name: 'b' }],
      unit: { sources: [{ kind: 'header' }], orElse: 'control' },
      allocation: {
        kind: 'fixed',
        ranges: allocate([
          { variant: 'a', weight: 1 },
          { variant: 'b', weight: 1 },
        ]),
      },
    });
    expect(page).toContain('Salt `default/exp-1`, coverage 0.5, control `a`');
    const rows = rowsUnder('unit');
    expect(rows.length).toBe(8);
    for (const [unit, coverageBucket, splitBucket, variant, reason] of rows) {
      expect([unit, assign(prepared, unit!)]).toMatchObject([
        unit,
        { coverageBucket: Number(coverageBucket), splitBucket: Number(splitBucket), variant, reason },
      ]);
    }
  });

  it('lists every reason an assignment can have', () => {
    const listed = rowsUnder('reason').map(([reason]) => reason);
    expect(listed).toEqual(['forced', 'paused', 'promoted', 'ended', 'no-unit', 'not-covered', 'split']);
  });
});
