// How does power grow with time, in a terminal? One column per stretch of time, a mark where the wished power is reached.
import type { PowerPlan } from '../../decision/index.ts';
import type { TerminalStyle } from './format.ts';

const rows = 8;
const eighths = ['', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;

/** Lines of the chart: power 0..1 upwards, days to the right. */
export function renderPowerChart(
  curve: PowerPlan['curve'],
  options: { power: number; style: TerminalStyle },
): string[] {
  const { power: wished, style } = options;
  const wide = Math.max(1, Math.min(3, Math.floor((style.width - 12) / Math.max(1, curve.length))));
  const bar = (share: number, row: number): string => {
    const filled = share * rows - row;
    if (!style.unicode) return (filled >= 0.5 ? '#' : ' ').repeat(wide);
    return (eighths[Math.max(0, Math.min(8, Math.round(filled * 8)))] || ' ').repeat(wide);
  };
  const wishedRow = Math.min(rows - 1, Math.floor(wished * rows));
  const lines = Array.from({ length: rows }, (_, i) => {
    const row = rows - 1 - i;
    const label =
      row === rows - 1 ? '1.0' : row === wishedRow ? wished.toFixed(2).replace(/0$/, '') : row === 0 ? '0.0' : '';
    const mark = row === wishedRow ? (style.unicode ? '┄' : '-') : style.unicode ? '│' : '|';
    return `  ${label.padStart(5)} ${mark}${curve.map(({ power }) => bar(power, row)).join('')}`;
  });
  const last = curve.at(-1)?.day ?? 0;
  const half = (last / 2).toFixed(last < 10 ? 1 : 0);
  const end = `${last.toFixed(last < 10 ? 1 : 0)} days`;
  const length = curve.length * wide;
  const middle = Math.max(0, Math.round(length / 2) - half.length - 1);
  const axis = `0${' '.repeat(middle)}${half}`;
  return [...lines, `         ${axis}${' '.repeat(Math.max(1, length - axis.length - end.length))}${end}`];
}
