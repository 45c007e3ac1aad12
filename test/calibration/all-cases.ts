// Which promises of the statistics library are put to the test by simulation? Add a case by adding an entry to a list.
import { adjustmentCases } from './adjustment-cases.ts';
import { banditCases } from './bandit-cases.ts';
import { beliefCases } from './belief-cases.ts';
import type { CalibrationCase } from './calibration-case.ts';
import { clusterCases } from './cluster-cases.ts';
import { effectCases } from './effect-cases.ts';
import { familyCases } from './family-cases.ts';
import { labelCases } from './label-cases.ts';
import { lookCases } from './look-cases.ts';
import { marginCases } from './margin-cases.ts';
import { meanCases } from './mean-cases.ts';
import { modelCases } from './model-cases.ts';
import { proportionCases } from './proportion-cases.ts';
import { rankCases } from './rank-cases.ts';
import { rateCases } from './rate-cases.ts';
import { rollbackCases } from './rollback-cases.ts';
import { ruleCases } from './rule-cases.ts';
import { sequentialCases } from './sequential-cases.ts';
import { stratumCases } from './stratum-cases.ts';

/** Every case, in the order of the published table. */
export const calibrationCases: readonly CalibrationCase[] = [
  ...meanCases,
  ...adjustmentCases,
  ...proportionCases,
  ...rateCases,
  ...clusterCases,
  ...sequentialCases,
  ...stratumCases,
  ...marginCases,
  ...familyCases,
  ...lookCases,
  ...rankCases,
  ...modelCases,
  ...labelCases,
  ...beliefCases,
  ...banditCases,
  ...effectCases,
  ...rollbackCases,
  ...ruleCases,
];
