// The door of src/cli/export: files for the systems around Assay.
export { alertmanagerFiles } from './alertmanager-files.ts';
export { dashboardQueries, makeDashboard } from './grafana-dashboard.ts';
export { grafanaFiles } from './grafana-files.ts';
export { type ExportedFile, prometheusFiles } from './prometheus-files.ts';
