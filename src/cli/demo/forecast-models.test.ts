import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  accuracyOn,
  type ForecastCase,
  fitForecastModel,
  forecast,
  forecastCases,
  forecastFeatures,
  historyDays,
  splitInTime,
} from './forecast-models.ts';
import { loadMarketDays, type MarketDay, parseMarketDays } from './market-data.ts';

let days: readonly MarketDay[] = [];
let fit: readonly ForecastCase[] = [];
let ask: readonly ForecastCase[] = [];

beforeAll(async () => {
  days = await loadMarketDays();
  ({ fit, ask } = splitInTime(days));
});

describe('the market days', () => {
  it('are the 5,105 days of vega-datasets, oldest first', () => {
    expect(days).toHaveLength(5105);
    expect(days[0]).toEqual({ date: '2000-01-03', open: 1469.25, high: 1478, low: 1438.359985, close: 1455.219971 });
    expect(days.at(-1)!.date).toBe('2020-04-17');
  });

  it.each([
    ['date,open,high,low\n', 'line 1: column "close" is missing'],
    ['date,open,high,low,close\n2000-01-03,1,2,x,1.5', 'line 2: low is "x", must be a price > 0'],
    [
      'date,open,high,low,close\n2000-01-03,1,2,1,1.5\n2000-01-03,1,2,1,1.5',
      'line 3: date is "2000-01-03", must be an ISO date after 2000-01-03',
    ],
    ['date,open,high,low,close\n2000-01-03,1,1,1,1', 'line 2: high is 1, must be above low (1)'],
  ])('are refused with line, value and rule when the text is %j', (text, message) => {
    expect(() => parseMarketDays(text)).toThrow(message);
  });
});

describe('the forecasting models, fitted on the first half of the days', () => {
  it('reach about 0.65 and 0.70 on the second half, which they have not seen', () => {
    const baseline = accuracyOn(fitForecastModel('baseline', fit), ask);
    const enhanced = accuracyOn(fitForecastModel('enhanced', fit), ask);
    expect(baseline).toBeGreaterThan(0.64);
    expect(baseline).toBeLessThan(0.66);
    expect(enhanced).toBeGreaterThan(0.685);
    expect(enhanced).toBeLessThan(0.71);
  });

  it('cannot win by always saying the same: yes and no are near even', () => {
    const yes = ask.filter(({ label }) => label === 1).length / ask.length;
    expect(yes).toBeGreaterThan(0.45);
    expect(yes).toBeLessThan(0.55);
  });

  it('share no day between what they were fitted on and what they are asked', () => {
    // The truth of the last fitted question is known on the evening of the first question asked, not after it.
    const truthDay = days.findIndex(({ date }) => date === fit.at(-1)!.date) + 1;
    expect(days[truthDay]!.date <= ask[0]!.date).toBe(true);
    expect(fit.length + ask.length).toBe(days.length - historyDays);
    expect(ask.length).toBeGreaterThanOrEqual(2500);
  });

  it('are the same on every fit', () => {
    expect(fitForecastModel('enhanced', fit)).toEqual(fitForecastModel('enhanced', fit));
  });

  it('see nothing of the future: changing later days changes neither history, features nor forecast', () => {
    const model = fitForecastModel('enhanced', fit);
    const factor = fc.double({ min: 0.5, max: 2, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: historyDays, max: 400 }), factor, factor, (from, scale, stretch) => {
        const some = days.slice(0, 420);
        const changed = some.map((day, at) =>
          at < from
            ? day
            : {
                ...day,
                open: day.open * scale,
                high: day.high * scale * (1 + stretch),
                low: day.low * scale,
                close: day.close * scale,
              },
        );
        const before = forecastCases(some).filter(({ date }) => date < days[from]!.date);
        const after = forecastCases(changed).slice(0, before.length);
        for (const [at, question] of before.entries()) {
          const other = after[at]!;
          expect(other.history).toEqual(question.history);
          expect(forecastFeatures('enhanced', other.history)).toEqual(forecastFeatures('enhanced', question.history));
          expect(forecast(model, other.history)).toBe(forecast(model, question.history));
          // Only the last question before the change may get another truth: its truth is the changed day.
          if (at < before.length - 1) expect(other.label).toBe(question.label);
        }
      }),
      { numRuns: 10 },
    );
  });

  it('take their truth from the day after: the label is read off the next range by hand', () => {
    const at = 3000;
    const question = forecastCases(days).find(({ date }) => date === days[at]!.date)!;
    const ranges = days
      .slice(at - historyDays + 1, at + 1)
      .map(({ high, low }) => Math.log(high / low))
      .toSorted((a, b) => a - b);
    const next = Math.log(days[at + 1]!.high / days[at + 1]!.low);
    expect(question.label).toBe(next > ranges[31]! ? 1 : 0);
  });
});
