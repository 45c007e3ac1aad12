// What is done to the world before the demo replays it? Nothing (`real`), or one named effect or fault.
import type { VerdictKind } from '../../decision/index.ts';

/** What a model server does wrong, or too well, on purpose. */
export type ModelFault =
  /** This share of the forecasts is not the model's but tomorrow's truth. */
  | { readonly kind: 'oracle-leak'; readonly share: number }
  /** This share of the requests is answered with HTTP 500. */
  | { readonly kind: 'server-error'; readonly share: number };

/** Names of the scenarios, as the command line takes them. */
export type ScenarioName = 'real' | 'ship' | 'rollback' | 'broken-split';

/** One scenario: what is injected, and which verdict it must end in. */
export interface Scenario {
  readonly name: ScenarioName;
  /** The injected effect or fault in one sentence; null when nothing is injected. */
  readonly injected: string | null;
  /** The verdict the injected effect forces; null where only the market decides. */
  readonly ends: VerdictKind | null;
  /** Fault of the enhanced model's server. */
  readonly fault: ModelFault | null;
  /** Share of the units assigned to `enhanced` whose calls never leave the client, 0..1. */
  readonly lostUnits: number;
}

/** Gives a scenario by its name. */
export function scenarioOf(name: ScenarioName): Scenario {
  return scenarios[name];
}

const scenarios: Readonly<Record<ScenarioName, Scenario>> = {
  real: { name: 'real', injected: null, ends: null, fault: null, lostUnits: 0 },
  ship: {
    name: 'ship',
    injected: "oracle leak: 60 % of the enhanced model's forecasts are replaced by what the market did on the next day",
    ends: 'ship',
    fault: { kind: 'oracle-leak', share: 0.6 },
    lostUnits: 0,
  },
  rollback: {
    name: 'rollback',
    injected:
      'failing server: the enhanced model answers 10 % of its requests with HTTP 500 (callers get the fallback)',
    ends: 'roll-back',
    fault: { kind: 'server-error', share: 0.1 },
    lostUnits: 0,
  },
  'broken-split': {
    name: 'broken-split',
    // Whole units, not single calls: the sample ratio counts units, and a unit with several calls survives losing one.
    injected: 'lost users: for half of the users assigned to enhanced, no call ever leaves the client',
    ends: 'invalid',
    fault: null,
    lostUnits: 0.5,
  },
};
