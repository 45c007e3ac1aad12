// Does the control log still say what was written into it? Reads it from the disk again, whatever this process remembers.
import type { Hono } from 'hono';
import { readControlLog } from '../adapters/file-control-log.ts';
import { paths } from '../api/index.ts';
import { auditEntries, type CountLeft, type ExperimentService, recomputeVerdicts } from '../control/index.ts';

/** What the route needs. */
export interface AuditOptions {
  readonly service: Pick<ExperimentService, 'get'>;
  readonly dataDirectory: string;
  readonly countLeft: CountLeft;
}

/** Adds `GET /api/v1/experiments/{name}/audit`; `?recompute=summaries` or `?recompute=records`. */
export function mountAudit(app: Hono, { service, dataDirectory, countLeft }: AuditOptions): void {
  app.get(`${paths.experiments}/:name/audit`, async (context) => {
    const experiment = { name: context.req.param('name'), namespace: context.req.query('namespace') || 'default' };
    const recompute = context.req.query('recompute');
    service.get(experiment.name, experiment.namespace);
    const { entries, fault } = await readControlLog(dataDirectory);
    return context.json({
      experiment: experiment.name,
      namespace: experiment.namespace,
      chain: { entries: entries.length, head: entries.at(-1)?.hash ?? null, fault },
      changes: auditEntries(entries, experiment),
      ...(recompute === undefined
        ? {}
        : {
            verdicts: await recomputeVerdicts(entries, experiment, recompute === 'records' ? countLeft : undefined),
          }),
    });
  });
}
