// Which files does Grafana need? The dashboard, and the two that make Grafana load it and find Prometheus.
import { stringify } from 'yaml';
import { makeDashboard } from './grafana-dashboard.ts';
import type { ExportedFile } from './prometheus-files.ts';

/** Dashboard and provisioning. @param options.prometheusUrl Prometheus as Grafana reaches it. */
export function grafanaFiles(options: { readonly prometheusUrl: string }): readonly ExportedFile[] {
  const yaml = (document: unknown): string => `# Made by \`assay export grafana\`.\n${stringify(document)}`;
  return [
    { path: 'dashboards/assay.json', text: `${JSON.stringify(makeDashboard(), null, 2)}\n` },
    {
      path: 'provisioning/dashboards/assay.yaml',
      text: yaml({
        apiVersion: 1,
        providers: [
          {
            name: 'assay',
            orgId: 1,
            folder: 'Assay',
            type: 'file',
            allowUiUpdates: true,
            options: { path: '/var/lib/grafana/dashboards/assay' },
          },
        ],
      }),
    },
    {
      path: 'provisioning/datasources/assay.yaml',
      text: yaml({
        apiVersion: 1,
        datasources: [
          {
            name: 'Prometheus',
            uid: 'prometheus',
            type: 'prometheus',
            access: 'proxy',
            url: options.prometheusUrl,
            isDefault: true,
          },
        ],
      }),
    },
  ];
}
