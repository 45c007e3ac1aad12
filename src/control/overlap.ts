// Which other experiments could meet the same requests, and which of them then does?
import { hasEnded, type Route } from '../experiment/index.ts';
import type { ExperimentState } from './experiment-state.ts';

/**
 * Experiments under way whose route takes requests that this one's route would take too, in sentences: a request meets one
 * experiment only, the one with the most specific route.
 */
export function describeOverlaps(state: ExperimentState, states: Iterable<ExperimentState>): readonly string[] {
  if (hasEnded(state.state)) return [];
  const sentences: string[] = [];
  for (const other of states) {
    if (other === state || hasEnded(other.state) || other.state === 'draft') continue;
    const [mine, theirs] = [state.experiment, other.experiment];
    const name = `"${theirs.name}"`;
    const overlap = overlapOf(mine.route, theirs.route);
    if (overlap === 'inside')
      sentences.push(`its route lies within that of ${name}, which gets only the other requests`);
    else if (overlap === 'around')
      sentences.push(`its route holds that of ${name}, which takes those requests away from it`);
    else if (overlap === 'partly')
      sentences.push(`requests may fit its route and that of ${name}; model goes before path, path before host`);
  }
  return sentences;
}

function overlapOf(mine: Route, theirs: Route): 'none' | 'inside' | 'around' | 'partly' {
  if (mine.kind === 'path' && theirs.kind === 'path') {
    if (isWithin(mine.path, theirs.path)) return 'inside';
    return isWithin(theirs.path, mine.path) ? 'around' : 'none';
  }
  // Two names of models or of hosts are one and the same, or have nothing in common.
  return mine.kind === theirs.kind ? 'none' : 'partly';
}

const isWithin = (path: string, outer: string): boolean => path.startsWith(`${outer.replace(/\/+$/, '')}/`);
