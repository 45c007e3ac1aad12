// Will tomorrow's range (log high / low) exceed its median of the last quarter? Two models that answer, and the truth.
//
// The median runs over 63 trading days (a quarter), the shortest round window for which yesterday alone is worth
// something: explored from 22 to 500, the one-lag model is right on 60 % (22 days), 65 % (63) and 69 % (500) of the days
// it has not seen, the HAR-type model on 64 %, 70 % and 74 %. Long windows make both look good because volatility has
// regimes, so that "above the median of two years" is nearly known; a quarter leaves a question.

import { type Coefficients, fitLogisticRegression, predictProbability } from './logistic-regression.ts';
import type { MarketDay } from './market-data.ts';

/** Days a forecast looks back on, today included: a quarter. Median, lags and the last return all lie within. */
export const historyDays = 63;

/** Lags of the HAR model, in days: a week and a month. */
const weekDays = 5;
const monthDays = 22;

/** open, high, low, close. */
export type Ohlc = readonly [number, number, number, number];

/** `baseline` knows today's range; `enhanced` also the week's, the month's and today's return. */
export type ForecastModelName = 'baseline' | 'enhanced';

/** A fitted model. */
export interface ForecastModel {
  readonly name: ForecastModelName;
  readonly coefficients: Coefficients;
  /** Day of the last question the fit has seen, ISO date; its truth is of the day after. */
  readonly fittedUpTo: string;
}

/** One question to a model, with the answer the market gave on the day after. */
export interface ForecastCase {
  /** The day on whose evening the question is asked, ISO date. */
  readonly date: string;
  /** The last `historyDays` days, oldest first; the last one is `date`. */
  readonly history: readonly Ohlc[];
  /** 1 when the next day's range exceeded the median of the history's ranges, else 0. */
  readonly label: 0 | 1;
}

/**
 * Gives a model's features of a history; nothing later than its last day is looked at. Log ranges are taken relative to
 * their median, which makes a calm year and a crash comparable.
 *
 * @param history exactly `historyDays` rows, oldest first.
 * @see Corsi 2009, "A simple approximate long-memory model of realized volatility", equation 9 (daily, weekly, monthly).
 */
export function forecastFeatures(model: ForecastModelName, history: readonly Ohlc[]): readonly number[] {
  const ranges = history.map(logRange);
  const level = Math.log(median(ranges));
  const logs = ranges.map((range) => Math.log(range) - level);
  const day = logs.at(-1)!;
  if (model === 'baseline') return [day];
  const lastReturn = Math.log(history.at(-1)![3] / history.at(-2)![3]);
  // In percent, so that Newton's matrix has entries of one size.
  return [day, mean(logs.slice(-weekDays)), mean(logs.slice(-monthDays)), 100 * lastReturn];
}

/**
 * Gives every question the days allow: from the first full history to the last day but one.
 *
 * @param days oldest first; fewer than `historyDays` + 1 give none.
 */
export function forecastCases(days: readonly MarketDay[]): readonly ForecastCase[] {
  const rows = days.map(({ open, high, low, close }): Ohlc => [open, high, low, close]);
  const cases: ForecastCase[] = [];
  for (let today = historyDays - 1; today + 1 < days.length; today++) {
    const history = rows.slice(today + 1 - historyDays, today + 1);
    const label = logRange(rows[today + 1]!) > median(history.map(logRange)) ? 1 : 0;
    cases.push({ date: days[today]!.date, history, label });
  }
  return cases;
}

/**
 * Splits questions in time: the first half of the days to fit on, the second to ask about.
 *
 * No day is shared: the truth of the last fitted question is the first day of the second half at the latest.
 */
export function splitInTime(days: readonly MarketDay[]): {
  readonly fit: readonly ForecastCase[];
  readonly ask: readonly ForecastCase[];
} {
  const middle = days[Math.floor(days.length / 2)]?.date ?? '';
  const cases = forecastCases(days);
  const first = cases.findIndex((question) => question.date >= middle);
  return { fit: cases.slice(0, first), ask: cases.slice(first) };
}

/** Fits a model on questions whose truth is known; deterministic. */
export function fitForecastModel(name: ForecastModelName, cases: readonly ForecastCase[]): ForecastModel {
  const coefficients = fitLogisticRegression(
    cases.map((question) => forecastFeatures(name, question.history)),
    cases.map((question) => question.label),
  );
  return { name, coefficients, fittedUpTo: cases.at(-1)!.date };
}

/** P(the next day's range exceeds the median of the history's ranges), 0..1. */
export function forecast(model: ForecastModel, history: readonly Ohlc[]): number {
  return predictProbability(model.coefficients, forecastFeatures(model.name, history));
}

/** Share of the questions a model answers rightly at threshold 0.5, 0..1. */
export function accuracyOn(model: ForecastModel, cases: readonly ForecastCase[]): number {
  const right = cases.filter(
    (question) => (forecast(model, question.history) >= 0.5 ? 1 : 0) === question.label,
  ).length;
  return right / cases.length;
}

function logRange([, high, low]: Ohlc): number {
  return Math.log(high / low);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
