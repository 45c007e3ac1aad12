// Do ratios and quantiles keep their level when each unit brings many rows that belong together?
import {
  compareMeans,
  compareQuantiles,
  compareRatios,
  estimateQuantile,
  estimateRatio,
  jointMomentsOf,
  momentsOf,
  normal,
  quantileSampleOf,
  type Random,
} from '../../src/stats/index.ts';
import { type CalibrationCase, type CalibrationCheck, calibrationCase } from './calibration-case.ts';
import { covers, rejects } from './simulated-data.ts';

const alpha = 0.05;

/** Rows of each unit of both sides. */
interface Clusters {
  readonly control: readonly (readonly number[])[];
  readonly candidate: readonly (readonly number[])[];
}

/** One to thirty rows a unit; unit and row spread alike, so rows of a unit correlate with 0.5. */
function evenCluster(random: Random): number[] {
  const level = 5 + random.normal();
  return Array.from({ length: 1 + random.integer(30) }, () => level + random.normal());
}

/** Pareto row counts (cut at 500): a few units bring most rows, and busier units fail more often. */
const heavyCluster =
  (index: number) =>
  (random: Random): number[] => {
    const rows = Math.min(500, Math.floor((1 - random.uniform()) ** (-1 / index)));
    const rate = random.uniform() ** 2 * (rows > 10 ? 0.6 : 0.3);
    return Array.from({ length: rows }, () => (random.uniform() < rate ? 1 : 0));
  };

const drawClusters =
  (units: number, draw: (random: Random) => number[]) =>
  (random: Random): Clusters => ({
    control: Array.from({ length: units }, () => draw(random)),
    candidate: Array.from({ length: units }, () => draw(random)),
  });

const joint = (units: Clusters['control']): ReturnType<typeof jointMomentsOf> =>
  jointMomentsOf(units.map((rows) => [rows.reduce((sum, row) => sum + row, 0), rows.length]));

const ratios: CalibrationCheck<Clusters> = {
  method: 'ratio, delta method by unit (`compareRatios`)',
  measure: 'false alarms',
  nominal: alpha,
  outcome: ({ control, candidate }) => rejects(compareRatios(joint(control), joint(candidate), { alpha }), alpha),
};

const rowsAsUnits = (from: number, to: number): CalibrationCheck<Clusters> => ({
  method: 'Welch on rows as if each were a unit, beside it',
  measure: 'false alarms',
  nominal: alpha,
  expectedToFail: { from, to, warning: 'rows of one unit are not independent: never test them as units' },
  outcome: ({ control, candidate }) =>
    rejects(compareMeans(momentsOf(control.flat()), momentsOf(candidate.flat()), { alpha }), alpha),
});

const ratioCoverage = (truth: number): CalibrationCheck<Clusters> => ({
  method: 'interval of one ratio (`estimateRatio`)',
  measure: 'coverage',
  nominal: 1 - alpha,
  outcome: ({ control }) => covers(estimateRatio(joint(control), { alpha }), truth),
});

/** Log-latencies: half the variance is the unit's own, so the law of a row is log-normal and its quantiles known. */
function latencyCluster(random: Random): number[] {
  const level = 4 + 0.5 * random.normal();
  return Array.from({ length: 1 + random.integer(20) }, () => Math.exp(level + 0.5 * random.normal()));
}

const latencyQuantile = (q: number): number => Math.exp(4 + Math.SQRT1_2 * normal.quantile(q));

function quantileChecks(q: number, naive?: { from: number; to: number }): CalibrationCheck<Clusters>[] {
  const name = `p${Math.round(q * 100)}`;
  return [
    {
      method: `${name}, variance by unit (\`compareQuantiles\`)`,
      measure: 'false alarms',
      nominal: alpha,
      outcome: ({ control, candidate }) =>
        rejects(compareQuantiles(quantileSampleOf(control, q), quantileSampleOf(candidate, q), { alpha }), alpha),
    },
    {
      method: `interval of one ${name} (\`estimateQuantile\`)`,
      measure: 'coverage',
      nominal: 1 - alpha,
      outcome: ({ control }) => covers(estimateQuantile(quantileSampleOf(control, q), { alpha }), latencyQuantile(q)),
    },
    ...(naive === undefined
      ? []
      : [
          {
            method: `${name}, rows as if each were a unit, beside it`,
            measure: 'false alarms' as const,
            nominal: alpha,
            expectedToFail: { ...naive, warning: 'the customary quantile test forgets that a user has many requests' },
            outcome: ({ control, candidate }: Clusters) => {
              const [before, after] = [control, candidate].map((units) =>
                quantileSampleOf(
                  units.flat().map((row) => [row]),
                  q,
                ),
              );
              return rejects(compareQuantiles(before!, after!, { alpha }), alpha);
            },
          },
        ]),
  ];
}

/** The same checks, the interval of one quantile with a warning. */
function warned(
  checks: readonly CalibrationCheck<Clusters>[],
  expectedToFail: NonNullable<CalibrationCheck<Clusters>['expectedToFail']>,
): readonly CalibrationCheck<Clusters>[] {
  return checks.map((check) => (check.measure === 'coverage' ? { ...check, expectedToFail } : check));
}

export const clusterCases: readonly CalibrationCase[] = [
  calibrationCase({
    setting: '30 and 30 units with 1 to 30 correlated rows',
    rounds: 10_000,
    draw: drawClusters(30, evenCluster),
    checks: [
      {
        ...ratios,
        expectedToFail: {
          from: 0.05,
          to: 0.075,
          warning: 'the normal instead of a t reference costs about a point here',
        },
      },
      rowsAsUnits(0.3, 0.7),
    ],
  }),
  calibrationCase({
    setting: '200 and 200 units with 1 to 30 correlated rows',
    rounds: 4000,
    draw: drawClusters(200, evenCluster),
    checks: [ratios, ratioCoverage(5), rowsAsUnits(0.3, 0.7)],
  }),
  calibrationCase({
    setting: '1,000 and 1,000 units with Pareto(2.5) rows, busy units fail more often',
    rounds: 4000,
    draw: drawClusters(1000, heavyCluster(2.5)),
    checks: [ratios, rowsAsUnits(0.08, 0.3)],
  }),
  calibrationCase({
    setting: '1,000 and 1,000 units with Pareto(1.5) rows, busy units fail more often',
    rounds: 3000,
    draw: drawClusters(1000, heavyCluster(1.5)),
    checks: [
      {
        ...ratios,
        expectedToFail: {
          from: 0.05,
          to: 0.07,
          warning: 'the handful of units that bring most rows decide: cap rows per unit, or wait',
        },
      },
      rowsAsUnits(0.4, 0.55),
    ],
  }),
  calibrationCase({
    setting: 'latencies of 300 and 300 users with 1 to 20 correlated requests',
    rounds: 2000,
    draw: drawClusters(300, latencyCluster),
    checks: [
      ...warned(quantileChecks(0.5, { from: 0.3, to: 0.5 }), {
        from: 0.935,
        to: 0.952,
        warning: 'a normal reference with 300 users: half a point short',
      }),
      ...warned(quantileChecks(0.95), {
        from: 0.92,
        to: 0.947,
        warning: 'some 150 rows beyond the quantile: one p95 is a point or two short, the difference of two is not',
      }),
      ...warned(quantileChecks(0.99), {
        from: 0.89,
        to: 0.94,
        warning: 'some 30 rows beyond the quantile, from fewer users still: too few for one p99',
      }),
    ],
  }),
  calibrationCase({
    setting: 'latencies of 3,000 and 3,000 users with 1 to 20 correlated requests',
    rounds: 600,
    draw: drawClusters(3000, latencyCluster),
    checks: [...quantileChecks(0.95), ...quantileChecks(0.99)],
  }),
];
