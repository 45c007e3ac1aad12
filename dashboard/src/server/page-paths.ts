// Where does the page read? The addresses of the API it uses, with the namespace of the experiment.
import { paths } from '../../../src/api/index.ts';

/** One experiment. */
export interface ExperimentKey {
  readonly namespace: string;
  readonly name: string;
}

const withQuery = (path: string, query: Readonly<Record<string, string | undefined>>): string => {
  const search = new URLSearchParams(
    Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  ).toString();
  return search === '' ? path : `${path}?${search}`;
};

/** What the page reads of one experiment beside its overview. */
export type ExperimentPart = 'now' | 'series' | 'splitCells' | 'distributions' | 'served' | 'timeline' | 'revisions';

const namespaceQuery = ({ namespace }: ExperimentKey): string | undefined =>
  namespace === 'default' ? undefined : namespace;

/** Address of the list of experiments. */
export const listPath: string = withQuery(paths.experiments, { view: 'list' });

/** Address of the numbers above the charts; `at` asks for the past. */
export function overviewPath(key: ExperimentKey, at?: string): string {
  return withQuery(paths.overview(key.name), { namespace: namespaceQuery(key), at });
}

/** Address of one part of an experiment. */
export function partPath(key: ExperimentKey, part: ExperimentPart): string {
  return withQuery(paths[part](key.name), { namespace: namespaceQuery(key) });
}

/** Address of a step. */
export function stepPath(key: ExperimentKey, action: Parameters<typeof paths.action>[1] | 'approve'): string {
  const path = action === 'approve' ? paths.approve(key.name) : paths.action(key.name, action);
  return withQuery(path, { namespace: namespaceQuery(key) });
}

/** Address an experiment file is put to. */
export function applyPath(
  key: ExperimentKey,
  authorship: { readonly author: string; readonly reason: string },
): string {
  return withQuery(paths.experiment(key.name), { ...authorship });
}

/** Addresses that belong to no experiment. */
export const otherPaths = {
  live: paths.live,
  session: paths.session,
  validate: paths.validate,
  probe: paths.probe,
  playground: paths.playground,
  portfolio: (query: { readonly namespace: string | undefined; readonly costPerTest: string | undefined }): string =>
    withQuery(paths.portfolio, query),
  power: (unitsPerDay: string | undefined): string => withQuery(paths.power, { unitsPerDay }),
} as const;

/** Address of an experiment's page. */
export function pageOf({ namespace, name }: ExperimentKey): string {
  return withQuery(`/experiments/${encodeURIComponent(name)}`, {
    namespace: namespace === 'default' ? undefined : namespace,
  });
}
