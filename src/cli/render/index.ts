// The door of src/cli/render: reports, plots and progress for a terminal.
export {
  formatCount,
  formatDifferenceWithInterval,
  formatPValue,
  formatQuantity,
  shorten,
  type TerminalStyle,
  terminalStyle,
  type Unit,
  wrapText,
} from './format.ts';
export { moneyLines } from './money.ts';
export { renderPowerChart } from './power-chart.ts';
export { createProgress, type Progress, type ProgressStream } from './progress.ts';
export { renderReport } from './report.ts';
export { linesOf, newTable } from './tables.ts';
