// Which checks do most calibrations make: of a level of 5 %, of a 95 % interval, and with a warning where one is known to miss?
import { normal } from '../../src/stats/index.ts';
import type { CalibrationCheck } from './calibration-case.ts';

/** Level of all of them. */
export const alpha = 0.05;

/** z that a two-sided test at this level needs. */
export const critical: number = normal.isf(alpha / 2);

/** How a method is known to miss. */
export type Warning = NonNullable<CalibrationCheck<never>['expectedToFail']>;

/** The data of two variants. */
export interface Sides<Data> {
  readonly control: Data;
  readonly candidate: Data;
}

/** The same check, known to miss on this data. */
export function warned<Data>(check: CalibrationCheck<Data>, expectedToFail?: Warning): CalibrationCheck<Data> {
  return expectedToFail === undefined ? check : { ...check, expectedToFail };
}

/** A check of a level of 5 %. */
export function alarms<Data>(method: string, outcome: CalibrationCheck<Data>['outcome']): CalibrationCheck<Data> {
  return { method, measure: 'false alarms', nominal: alpha, outcome };
}

/** A check of a 95 % interval. */
export function coverage<Data>(method: string, outcome: CalibrationCheck<Data>['outcome']): CalibrationCheck<Data> {
  return { method, measure: 'coverage', nominal: 1 - alpha, outcome };
}
