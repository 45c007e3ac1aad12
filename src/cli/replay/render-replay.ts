// How does the result of a replay look in a terminal?
import type { Estimate, Insufficient } from '../../stats/index.ts';
import {
  formatCount,
  formatDifferenceWithInterval,
  formatPValue,
  formatQuantity,
  linesOf,
  newTable,
  type TerminalStyle,
  type Unit,
  wrapText,
} from '../render/index.ts';
import type { ReplaySummary } from './summarise-replay.ts';

/** The text of a summary; no line is longer than the terminal is wide. */
export function renderReplay(
  summary: ReplaySummary,
  { style, title }: { readonly style: TerminalStyle; readonly title: string },
): string {
  const { replies, value, decisions, latency } = summary;
  const table = newTable(style, ['left', 'right', 'right', 'right']);
  table.push(['', 'kept', 'replayed', 'replayed - kept']);
  table.push(['answered', formatCount(summary.sent), formatCount(summary.answered), '']);
  if (latency !== null) {
    table.push(['latency: mean', ms(latency.before.mean), ms(latency.after.mean), paired(latency.difference, 'ms')]);
    for (const name of ['p50', 'p95'] as const)
      table.push([`  ${name}`, ms(latency.before[name]), ms(latency.after[name]), '']);
  }
  if (decisions !== null) {
    const { both, onlyBefore, onlyAfter, neither, test } = decisions;
    const n = both + onlyBefore + onlyAfter + neither;
    const share = (yes: number): string => (n === 0 ? '' : formatQuantity(yes / n, 'share'));
    const difference =
      test.kind === 'insufficient' ? '' : formatDifferenceWithInterval(test.difference, test.interval, 'share');
    table.push([`value >= ${decisions.threshold}`, share(both + onlyBefore), share(both + onlyAfter), difference]);
  }
  const lines = [...wrapText(title, { width: style.width }), '', ...linesOf(table), ''];
  lines.push(`same status    ${formatCount(summary.sameStatus)} of ${formatCount(summary.answered)}`);
  lines.push(
    `same reply     ${formatCount(replies.same)} of ${formatCount(replies.compared)}${shareText(replies.share)}`,
  );
  if (replies.notComparable > 0)
    lines.push(`               ${formatCount(replies.notComparable)} cannot be compared (cut, left out or a stream)`);
  if (value !== null) {
    lines.push(`value          equal in ${formatCount(value.equal)} of ${formatCount(value.pairs)} pairs`);
    if (value.pairs > 0) {
      lines.push(`               largest difference ${formatQuantity(value.largestDifference, 'number')}`);
      lines.push(...sentence(`               mean difference ${pairedTest(value.difference)}`, style));
    }
  }
  if (decisions !== null) {
    const { onlyBefore, onlyAfter, test } = decisions;
    lines.push(`decisions      ${formatCount(onlyBefore)} only kept, ${formatCount(onlyAfter)} only replayed say yes`);
    const verdict =
      test.kind === 'insufficient'
        ? 'none differs, so there is nothing to test'
        : `McNemar's exact test: ${formatPValue(test.exactPValue)}`;
    lines.push(...sentence(`               ${verdict}`, style));
  }
  for (const [error, count] of Object.entries(summary.failed))
    lines.push(`failed         ${formatCount(count)} ${error}`);
  if (summary.notSent > 0) lines.push(`not sent       ${formatCount(summary.notSent)}: the time was over`);
  for (const [reason, count] of Object.entries(summary.skipped))
    lines.push(`skipped        ${formatCount(count)}: ${reason}`);
  if (summary.broken > 0) lines.push(`unreadable     ${formatCount(summary.broken)} lines or ends of files`);
  lines.push('', ...summary.notes.flatMap((note) => wrapText(note, { width: style.width })));
  return lines.join('\n');
}

const ms = (value: number): string => formatQuantity(value, 'ms');

function paired(result: Estimate | Insufficient, unit: Unit): string {
  return result.kind === 'insufficient' ? '' : formatDifferenceWithInterval(result.estimate, result.interval, unit);
}

function pairedTest(result: (Estimate & { readonly pValue: number }) | Insufficient): string {
  if (result.kind === 'insufficient') return `cannot be told: ${result.reason}`;
  return `${formatDifferenceWithInterval(result.estimate, result.interval, 'number')}, ${formatPValue(result.pValue)}`;
}

function shareText(share: Estimate | Insufficient): string {
  if (share.kind === 'insufficient' || share.interval.kind !== 'bounded') return '';
  const { lower, upper } = share.interval;
  return ` (${formatQuantity(share.estimate, 'share')}, 95 % interval ${formatQuantity(lower, 'share')} to ${formatQuantity(upper, 'share')})`;
}

function sentence(text: string, { width }: TerminalStyle): readonly string[] {
  const indent = text.length - text.trimStart().length;
  const [first = '', ...rest] = wrapText(text.trim(), { width: width - indent });
  return [first, ...rest].map((line) => ' '.repeat(indent) + line);
}
