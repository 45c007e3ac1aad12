import { describe, expect, it } from 'vitest';
import { type SqlRow, summarySql } from '../evidence/index.ts';
import { plan } from './analytics-records.fixture.ts';
import { openDuckdbSession } from './duckdb-session.ts';

describe('latencies of very many requests', () => {
  it('are the same numbers by counts as by values, within half a microsecond, in every scope', async () => {
    const session = await openDuckdbSession();
    const asked = plan([], { segments: ['isNew', 'days_since_exposure'] });
    for (const segments of [['isNew'], ['isNew', 'days_since_exposure']]) {
      await session.run(
        `CREATE OR REPLACE TEMP TABLE exposure AS SELECT i % 400 AS unit_no, i * 1e5 AS time_ms, CAST(i % 400 AS DOUBLE) AS first_ms, ` +
          'i % 7 % 2 AS row_index, (i % 3)::DOUBLE AS failed, (i % 5)::DOUBLE AS caller_failed, 0.0::DOUBLE AS fallback, ' +
          'CASE WHEN i % 11 > 0 THEN (i * 7919 % 10007) / 97.0 END AS attempt_ms, (i * 104729 % 10009) / 89.0 AS caller_ms FROM range(6000) t(i)',
      );
      await session.run(
        "CREATE OR REPLACE TEMP TABLE first_exposure AS SELECT DISTINCT unit_no, CASE unit_no % 3 WHEN 0 THEN 'a' ELSE 'b' END AS variant, " +
          "0 AS stratum, FALSE AS is_mixed, 0.0::DOUBLE AS first_ms, CASE WHEN unit_no % 5 = 0 THEN 'true' ELSE 'false' END AS s0 FROM exposure",
      );
      const answers = await Promise.resolve({ ...asked, experiment: { ...asked.experiment, segments } }).then(
        async (question) => {
          const rows: (readonly SqlRow[])[] = [];
          for (const isLarge of [false, true]) {
            const { steps, queries } = summarySql(question, { known: { isLarge } });
            for (const { table, select } of steps)
              if (table === 'scope' || table === 'unit_scope')
                await session.run(`CREATE OR REPLACE TEMP TABLE ${table} AS ${select}`);
            const found = await session.read(queries.requests ?? '');
            rows.push(
              [...found].sort(
                (a, b) => Number(a.scope) - Number(b.scope) || (String(a.variant) < String(b.variant) ? -1 : 1),
              ),
            );
          }
          return rows;
        },
      );
      const [byValues = [], byCounts = []] = answers;
      expect(byValues.length).toBeGreaterThan(5);
      expect(byCounts).toHaveLength(byValues.length);
      for (const [place, row] of byValues.entries())
        for (const [name, value] of Object.entries(row)) {
          const counted = byCounts[place]?.[name];
          if (typeof value === 'number') expect(Math.abs(Number(counted) - value)).toBeLessThanOrEqual(5.1e-4);
          else expect(counted, name).toEqual(value);
        }
    }
    await session.close();
  });
});
