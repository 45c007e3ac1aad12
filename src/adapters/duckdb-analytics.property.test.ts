import { describe } from 'vitest';
import { analyticsContract } from './analytics.contract.ts';
import { openDuckdbAnalytics } from './duckdb-analytics.ts';

describe('analytics in DuckDB', () => {
  analyticsContract((directory) => openDuckdbAnalytics({ directory }), { runs: 20 });
});
