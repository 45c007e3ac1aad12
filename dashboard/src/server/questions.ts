// Which questions does the page ask, and under which name are the answers kept? Changes of an experiment make all of its stale.
import { type FetchQueryOptions, type QueryClient, type UseQueryResult, useQuery } from '@tanstack/react-query';
import type {
  DistributionsAnswer,
  ListAnswer,
  NowAnswer,
  OverviewAnswer,
  RevisionsAnswer,
  SeriesAnswer,
  ServedAnswer,
  SessionAnswer,
  SplitCellsAnswer,
  TimelineAnswer,
} from '../../../src/api/index.ts';
import type { Portfolio } from '../../../src/decision/index.ts';
import { type ExperimentKey, type ExperimentPart, listPath, otherPaths, overviewPath, partPath } from './page-paths.ts';
import { readApi } from './request.ts';

interface Parts {
  readonly now: NowAnswer;
  readonly series: SeriesAnswer;
  readonly splitCells: SplitCellsAnswer;
  readonly distributions: DistributionsAnswer;
  readonly served: ServedAnswer;
  readonly timeline: TimelineAnswer;
  readonly revisions: RevisionsAnswer;
}

const listQuestion: FetchQueryOptions<ListAnswer> = {
  queryKey: ['list'],
  queryFn: ({ signal }) => readApi<ListAnswer>(listPath, { signal }),
};

function overviewQuestion(key: ExperimentKey, at: string | undefined): FetchQueryOptions<OverviewAnswer> {
  return {
    queryKey: ['experiment', key.namespace, key.name, 'overview', at ?? 'now'],
    queryFn: ({ signal }) => readApi<OverviewAnswer>(overviewPath(key, at), { signal }),
  };
}

/** Asks what the page at an address is going to show, before anything of it is drawn. */
export function askAhead(queryClient: QueryClient, { pathname, search }: Pick<Location, 'pathname' | 'search'>): void {
  const name = /^\/experiments\/([^/]+)$/.exec(pathname)?.[1];
  if (pathname === '/') void queryClient.prefetchQuery(listQuestion);
  if (name === undefined) return;
  const query = new URLSearchParams(search);
  const key = { namespace: query.get('namespace') ?? 'default', name: decodeURIComponent(name) };
  void queryClient.prefetchQuery(overviewQuestion(key, query.get('at') ?? undefined));
}

/** Every experiment, one row each. */
export function useList(): UseQueryResult<ListAnswer> {
  return useQuery(listQuestion);
}

/** All of one experiment above the charts; `at`: as it was then. */
export function useOverview(key: ExperimentKey, at: string | undefined): UseQueryResult<OverviewAnswer> {
  return useQuery(overviewQuestion(key, at));
}

/** One further part of an experiment. */
export function usePart<Part extends ExperimentPart>(key: ExperimentKey, part: Part): UseQueryResult<Parts[Part]> {
  return useQuery({
    queryKey: ['experiment', key.namespace, key.name, part],
    queryFn: ({ signal }) => readApi<Parts[Part]>(partPath(key, part), { signal }),
    // The last hour moves on although nothing happens.
    ...(part === 'now' ? { refetchInterval: 10_000 } : {}),
  });
}

/** What all experiments of a namespace have brought. Read again now and then: it makes every report that is missing. */
export function usePortfolio(query: {
  readonly namespace: string | undefined;
  readonly costPerTest: string | undefined;
}): UseQueryResult<Portfolio> {
  const path = otherPaths.portfolio(query);
  return useQuery({
    queryKey: ['portfolio', path],
    queryFn: ({ signal }) => readApi<Portfolio>(path, { signal }),
    placeholderData: (before) => before,
    refetchInterval: 60_000,
  });
}

/** Whether this browser may read. */
export function useSession(): UseQueryResult<SessionAnswer> {
  return useQuery({
    queryKey: ['session'],
    queryFn: ({ signal }) => readApi<SessionAnswer>(otherPaths.session, { signal }),
    retry: false,
  });
}
