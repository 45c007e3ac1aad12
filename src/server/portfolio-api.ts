// What have all experiments of a namespace brought? Answers from each one's last report, making those that are missing.
import type { Hono } from 'hono';
import { paths } from '../api/index.ts';
import type { ExperimentService } from '../control/index.ts';
import { makePortfolio, type PortfolioInput } from '../decision/index.ts';
import { AssayError } from '../errors.ts';
import { withheldBecause } from './page-rows.ts';
import type { StandingReports } from './standing-reports.ts';

/** What the route needs. */
export interface PortfolioOptions {
  readonly service: Pick<ExperimentService, 'list'>;
  readonly standing: Pick<StandingReports, 'recent'>;
}

/** Level of the reports' intervals unless an experiment says otherwise. */
const usualAlpha = 0.05;

/** Adds `GET /api/v1/portfolio`; `?namespace=` and `?costPerTest=`. */
export function mountPortfolio(app: Hono, { service, standing }: PortfolioOptions): void {
  app.get(paths.portfolio, async (context) => {
    const namespace = context.req.query('namespace') || 'default';
    const cost = context.req.query('costPerTest');
    const costPerTest = cost === undefined ? undefined : Number(cost);
    if (costPerTest !== undefined && !(Number.isFinite(costPerTest) && costPerTest >= 0 && cost !== ''))
      throw new AssayError('request-invalid', `costPerTest is "${cost}", must be a number >= 0`);
    const inputs: PortfolioInput[] = [];
    for (const { experiment, state } of service.list()) {
      if (experiment.namespace !== namespace || state === 'draft') continue;
      inputs.push({ name: experiment.name, state, report: await reportOf(experiment.name) });
    }
    return context.json(
      makePortfolio(inputs, { alpha: usualAlpha, ...(costPerTest === undefined ? {} : { costPerTest }) }),
    );

    // One experiment without a report must not hide the others.
    async function reportOf(name: string): Promise<PortfolioInput['report']> {
      try {
        const { verdict, value } = (await standing.recent(name, namespace)).report;
        const reason = withheldBecause(verdict);
        // What rests on a broken split must not move the mean of the others.
        if (reason === undefined) return { verdict, value };
        const { variant, unit } = value;
        return { verdict, value: { variant, unit, terms: [], net: { kind: 'insufficient', reason } } };
      } catch (fault) {
        return { kind: 'insufficient', reason: `its report failed: ${(fault as Error).message}` };
      }
    }
  });
}
