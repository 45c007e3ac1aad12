// Which promises of the statistics library are put to the test by simulation? Add a case by adding an entry to a list.
import { adjustmentCases } from './adjustment-cases.ts';
import type { CalibrationCase } from './calibration-case.ts';
import { clusterCases } from './cluster-cases.ts';
import { furtherCases } from './further-cases.ts';
import { meanCases } from './mean-cases.ts';
import { proportionCases } from './proportion-cases.ts';
import { rateCases } from './rate-cases.ts';
import { sequentialCases } from './sequential-cases.ts';

/** Every case, in the order of the published table. */
export const calibrationCases: readonly CalibrationCase[] = [
  ...meanCases,
  ...adjustmentCases,
  ...proportionCases,
  ...rateCases,
  ...clusterCases,
  ...sequentialCases,
  ...furtherCases,
];
