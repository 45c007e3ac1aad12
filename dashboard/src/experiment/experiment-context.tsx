// What do the sections of an experiment's page share? Its answer, how it is looked at, and whether conclusions are withheld.
import { createContext, useContext } from 'react';
import type { MetricFormat, OverviewAnswer } from '../../../src/api/index.ts';
import type { FigureUnit } from '../../../src/decision/index.ts';
import { placeOf, type VariantPlace } from '../parts/variant-mark.tsx';
import type { ViewOf } from '../query-string.ts';
import type { ExperimentKey } from '../server/page-paths.ts';

/** What the address says about an experiment's page. */
export const viewShape = {
  view: ['absolute', 'relative'],
  method: ['sequential', 'fixed', 'bayes'],
  rows: ['all', 'primary', 'guardrail'],
  /** Of the table of where the split breaks. */
  cut: ['crossed', 'time', 'segment', 'revision'],
  metric: 'text',
  at: 'text',
} as const;

/** How the page is looked at. */
export type ExperimentView = ViewOf<typeof viewShape>;

/** Shared by all sections. */
export interface ExperimentContextValue {
  readonly key: ExperimentKey;
  readonly answer: OverviewAnswer;
  readonly view: ExperimentView;
  readonly setView: (change: Partial<Record<keyof typeof viewShape, string | undefined>>) => void;
  /** The split is broken and the reader has not asked to see effects all the same. */
  readonly isWithheld: boolean;
  /** Effects are shown although the experiment is invalid; everything that leaves the page says so. */
  readonly isMarkedInvalid: boolean;
  readonly showAnyway: () => void;
}

const Context = createContext<ExperimentContextValue | undefined>(undefined);
/** Hands the page's state to its sections. */
export const ExperimentProvider: React.Provider<ExperimentContextValue | undefined> = Context.Provider;

/** The page's state. */
export function useExperiment(): ExperimentContextValue {
  const value = useContext(Context);
  if (value === undefined) throw new Error('a section stands outside of an experiment page');
  return value;
}

/** Where a variant stands among those of the report. */
export function useVariantPlace(): (variant: string) => VariantPlace {
  const { report } = useExperiment().answer;
  const order = { control: report.control, variants: report.variants.map(({ name }) => name) };
  return (variant) => placeOf(variant, order);
}

/** The unit behind a metric's format. */
export function unitOf(format: MetricFormat | undefined): FigureUnit {
  switch (format?.kind) {
    case 'share':
      return 'share';
    case 'milliseconds':
      return 'ms';
    default:
      return 'number';
  }
}

/** The level of intervals as people write it, `95 %`. */
export function levelOf(answer: OverviewAnswer): string {
  return `${Number(((1 - answer.experiment.specification.decision.alpha) * 100).toFixed(2))} %`;
}
