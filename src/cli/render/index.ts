// The door of src/cli/render: reports, plots and progress for a terminal.
export { formatCount, formatQuantity, type TerminalStyle, terminalStyle, wrapText } from './format.ts';
export { metricUnits } from './metric-unit.ts';
export { createProgress, type ProgressStream } from './progress.ts';
export { renderReport } from './report.ts';
