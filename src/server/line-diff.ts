// Which lines differ between two texts? The longest common subsequence of lines, for files of a few hundred of them.
import type { RevisionsAnswer } from '../api/index.ts';

type DiffLine = RevisionsAnswer['revisions'][number]['diff'][number];

/** Beyond this many pairs of lines the texts are shown as one removed and the other added. */
const mostPairs = 4_000_000;

/** Every line of both texts once, in order: kept, removed, added. */
export function diffLines(older: string, newer: string): readonly DiffLine[] {
  const a = linesOf(older);
  const b = linesOf(newer);
  const width = b.length + 1;
  const isSmall = (a.length + 1) * width <= mostPairs;
  // common[i][j]: how many lines a[i..] and b[j..] have in common at most.
  const common = new Uint32Array(isSmall ? (a.length + 1) * width : 0);
  if (isSmall)
    for (let i = a.length - 1; i >= 0; i -= 1)
      for (let j = b.length - 1; j >= 0; j -= 1)
        common[i * width + j] =
          a[i] === b[j]
            ? common[(i + 1) * width + j + 1]! + 1
            : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
  const lines: DiffLine[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (isSmall && i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ kind: 'same', text: a[i]!, before: i + 1, after: j + 1 });
      i += 1;
      j += 1;
    } else if (
      i < a.length &&
      (!isSmall || j >= b.length || common[(i + 1) * width + j]! >= common[i * width + j + 1]!)
    ) {
      lines.push({ kind: 'removed', text: a[i]!, before: i + 1 });
      i += 1;
    } else {
      lines.push({ kind: 'added', text: b[j]!, after: j + 1 });
      j += 1;
    }
  }
  return lines;
}

function linesOf(text: string): readonly string[] {
  return text.replace(/\n$/, '').split('\n');
}
