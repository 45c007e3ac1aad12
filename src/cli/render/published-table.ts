// Which published figures follow from the published inputs? Quoted beside recomputed, one row each.
import type { Report } from '../../decision/index.ts';
import { shorten, type TerminalStyle } from './format.ts';
import { absent, isInsufficient, linesOf, newTable } from './tables.ts';

/** Gives the table, or nothing for a report that rests on no published document. */
export function renderPublishedTable({ published }: Report, style: TerminalStyle): readonly string[] {
  if (published === undefined || published.length === 0) return [];
  const missed = published.filter(({ reproduced }) => !reproduced).length;
  const table = newTable(style, ['left', 'right', 'right', 'left']);
  table.push(['figure', 'published', 'recomputed', '']);
  for (const { name, published: quoted, recomputed, reproduced } of published) {
    table.push([
      shorten(name, style.width - 52),
      formatFigure(quoted),
      isInsufficient(recomputed) ? absent : formatFigure(recomputed),
      reproduced ? 'reproduced' : 'does not follow',
    ]);
  }
  const all = `${published.length - missed} of ${published.length} follow from the published inputs`;
  return [...linesOf(table), missed === 0 ? all : `${all}; the findings say more about the rest`];
}

function formatFigure(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 4 });
}
