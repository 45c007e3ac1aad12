// The door of src/cli/html-report: a report as one file that opens anywhere.
export { renderHtmlReport } from './html-report.ts';
export type { HtmlReportInput } from './sheet.ts';
