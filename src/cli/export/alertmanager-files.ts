// Which file does Alertmanager need to hand alerts to Assay? A route for those that want something done, and a receiver with its token.
import { stringify } from 'yaml';
import type { ExportedFile } from './prometheus-files.ts';

/** An example configuration. @param options.url address of Assay's API as Alertmanager reaches it. */
export function alertmanagerFiles(options: { readonly url: string }): readonly ExportedFile[] {
  const document = {
    route: {
      receiver: 'people',
      group_by: ['alertname', 'experiment'],
      group_wait: '10s',
      group_interval: '1m',
      repeat_interval: '4h',
      routes: [
        {
          // Acts at once, and people are told all the same.
          matchers: ['assay_action=~"roll-back|pause"', 'experiment!=""'],
          receiver: 'assay',
          group_by: ['...'],
          group_wait: '0s',
          group_interval: '1s',
          continue: true,
        },
        { receiver: 'people' },
      ],
    },
    receivers: [
      { name: 'people' },
      {
        name: 'assay',
        webhook_configs: [
          {
            url: `${options.url.replace(/\/+$/, '')}/api/v1/alerts`,
            send_resolved: false,
            // The file holds ASSAY_ALERTS_TOKEN, or the server's own token.
            http_config: { authorization: { credentials_file: 'assay-alerts-token' } },
          },
        ],
      },
    ],
  };
  const comment =
    '# Made by `assay export alertmanager`. Add your own receiver under `people`; without a token on the server, drop http_config.\n';
  return [{ path: 'alertmanager.yml', text: comment + stringify(document, { lineWidth: 0 }) }];
}
