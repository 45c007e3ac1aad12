// Which tables hide the kept ones of the same name for a while, and go together?
import type { DuckdbSession } from './duckdb-session.ts';

/** Temporary tables and views of one session. */
export interface ScratchTables {
  make(table: string, select: string): Promise<void>;
  /** A view, for what each reader reads few columns of. */
  show(view: string, select: string): Promise<void>;
  drop(): Promise<void>;
}

/** None yet. */
export function createScratchTables(session: DuckdbSession): ScratchTables {
  const tables = new Set<string>();
  const views = new Set<string>();
  return {
    async make(table, select) {
      tables.add(table);
      await session.run(`CREATE OR REPLACE TEMP TABLE ${table} AS ${select}`);
    },
    async show(view, select) {
      views.add(view);
      await session.run(`CREATE OR REPLACE TEMP VIEW ${view} AS ${select}`);
    },
    async drop() {
      for (const view of views) await session.run(`DROP VIEW IF EXISTS temp.${view}`);
      views.clear();
      for (const table of tables) await session.run(`DROP TABLE IF EXISTS temp.${table}`);
      tables.clear();
    },
  };
}
