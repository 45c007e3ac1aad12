// Run by assignment.test.ts in a process of its own: prints the assignments of the first thousand ids of every kind.
import { allocate, decide, prepareAssignment } from './index.ts';
import { unitIdKinds } from './unit-ids.fixture.ts';

/** `kind id variant reason coverageBucket splitBucket`, one line per id. */
export function assignmentLines(): string {
  const prepared = prepareAssignment({
    salt: 'default/größe',
    coverage: 0.6,
    control: 'a',
    variants: [{ name: 'a' }, { name: 'b' }],
    unit: { sources: [{ kind: 'header' }], orElse: 'control' },
    allocation: {
      kind: 'fixed',
      ranges: allocate([
        { variant: 'a', weight: 70 },
        { variant: 'b', weight: 30 },
      ]),
    },
  });
  const lines = unitIdKinds.flatMap(({ kind, makeId }) =>
    Array.from({ length: 1000 }, (_, index) => {
      const unit = makeId(index);
      const answer = decide(prepared, { unit, forced: null, random: () => 0 });
      return [kind, unit, answer.variant, answer.reason, answer.coverageBucket, answer.splitBucket].join(' ');
    }),
  );
  return `${lines.join('\n')}\n`;
}

if (process.argv.includes('--print')) process.stdout.write(assignmentLines());
