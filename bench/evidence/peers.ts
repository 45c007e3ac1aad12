// What does the same work cost elsewhere: our SQL in PostgreSQL, and the tests of tea-tasting over DuckDB, on the same evidence?
import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openDuckdbAnalytics } from '../../src/adapters/duckdb-analytics.ts';
import { createEngineAnalytics } from '../../src/adapters/engine-analytics.ts';
import { segmentPath } from '../../src/adapters/evidence-store/segment-file.ts';
import { createPostgresEngine } from '../../src/adapters/postgres-analytics.ts';
import { postgresPrograms, startPostgres } from '../../src/adapters/postgres-server.fixture.ts';
import { benchPlan } from './bench-plan.ts';
import { shortSql } from './hand-sql.ts';
import { makeEvidence } from './make-evidence.ts';

/**
 * The per-unit table comes from the short statement's own CTE, so that tea-tasting has the same rows to test; both its steps are timed,
 * and DuckDB's threads are as many as ours.
 */
const teaTasting = `
import json, sys, time
import duckdb, ibis, tea_tasting as tt
asked = json.load(sys.stdin)
best = None
for turn in range(3):
    con = ibis.duckdb.connect(threads=2)
    started = time.perf_counter()
    con.raw_sql("CREATE TABLE per_unit AS " + asked["sql"])
    table = con.table("per_unit")
    test = tt.Experiment(clicks=tt.Mean("m1"), converted=tt.Mean("m2"), revenue=tt.Mean("m3", covariate="x3"), ratio=tt.SampleRatio())
    test.analyze(table)
    for seg in ("true", "false"):
        test.analyze(table.filter(table.seg == seg))
    took = time.perf_counter() - started
    best = took if best is None else min(best, took)
print(json.dumps({"ms": best * 1000}))
`;

/** Asks each peer that is there; a line for each. @param options.python a Python that has tea-tasting, ibis and duckdb. */
export async function askPeers(
  below: string,
  options: {
    readonly predictions: number;
    readonly python: string | undefined;
    readonly say: (line: string) => void;
  },
): Promise<void> {
  const { predictions, python, say } = options;
  const directory = join(below, 'peers');
  const segments = await makeEvidence(directory, {
    predictions,
    outcomes: predictions / 2,
    units: Math.ceil(predictions / 10),
  });
  const pathsOf = (kind: string): string[] =>
    segments.filter((each) => each.kind === kind).map((each) => segmentPath(directory, each));
  const took = async (work: () => Promise<unknown>): Promise<number> => {
    const startedMs = performance.now();
    await work();
    return performance.now() - startedMs;
  };
  const oursMs = async (): Promise<number> => {
    const anew = await openDuckdbAnalytics({ directory, keep: false });
    const ms = await took(() => anew.summarise(benchPlan()));
    await anew.close();
    return ms;
  };
  const ours = Math.min(await oursMs(), await oursMs(), await oursMs());
  say(`peers: ${predictions} exposures, ${predictions / 2} outcomes; our report ${ours.toFixed(0)} ms`);
  const programs = postgresPrograms();
  if (programs === undefined) say('peers: PostgreSQL is not installed, skipped');
  else {
    const server = await startPostgres(programs);
    const analytics = createEngineAnalytics({ directory, engine: createPostgresEngine({ url: server.url }) });
    try {
      const delivery = await took(() => analytics.catchUp());
      const first = await took(() => analytics.summarise(benchPlan()));
      const ms = Math.min(first, await took(() => analytics.summarise(benchPlan())));
      say(
        `peers: the same report in PostgreSQL ${ms.toFixed(0)} ms, ${(ms / ours).toFixed(1)} times ours (delivered in ${delivery.toFixed(0)} ms)`,
      );
    } finally {
      await analytics.close();
      await server.remove();
    }
  }
  if (python === undefined) say('peers: --python names no Python with tea-tasting, skipped');
  else {
    const short = shortSql({ predictions: pathsOf('predictions'), outcomes: pathsOf('outcomes') });
    const sql = `${short.slice(0, short.lastIndexOf('SELECT experiment, v AS variant'))} SELECT v AS variant, seg, m1, m2, m3, x3 FROM u`;
    const asking = promisify(execFile)(python, ['-c', teaTasting], { maxBuffer: 1 << 24 });
    asking.child.stdin?.end(JSON.stringify({ sql }));
    const { ms } = JSON.parse((await asking).stdout) as { readonly ms: number };
    say(
      `peers: tea-tasting over DuckDB, three metrics and the sample ratio of the whole and two segments, ${ms.toFixed(0)} ms, ` +
        `${(ms / ours).toFixed(2)} times ours, which also dedups, waits, measures latency and judges outcomes`,
    );
  }
  rmSync(directory, { recursive: true });
}
