// Where the control plane answers: every path of the HTTP API, shared by the server, the SDK and the page.

/** Prefix of all versioned paths. */
const apiPrefix = '/api/v1';

/** Steps a person or a program can ask for on one experiment. */
export const experimentActions = ['start', 'pause', 'resume', 'ramp', 'promote', 'roll-back', 'stop'] as const;
export type ExperimentAction = (typeof experimentActions)[number];

/** The paths of the API; the functions percent-encode the name. */
export interface ApiPaths {
  readonly health: string;
  readonly ready: string;
  readonly openApi: string;
  readonly outcomes: string;
  /** Foreign events, read by the mappings of the experiment. */
  events(name: string): string;
  readonly segments: string;
  readonly erasure: string;
  readonly routing: string;
  readonly status: string;
  readonly experiments: string;
  experiment(name: string): string;
  action(name: string, action: ExperimentAction): string;
  report(name: string): string;
  verdict(name: string): string;
  history(name: string): string;
  explain(name: string): string;
}

/** Where everything is. A namespace other than `default` travels as `?namespace=`. */
export const paths: ApiPaths = {
  health: '/healthz',
  ready: '/readyz',
  openApi: '/openapi.json',
  outcomes: `${apiPrefix}/outcomes`,
  events: (name) => `${apiPrefix}/events/${encodeURIComponent(name)}`,
  segments: `${apiPrefix}/segments`,
  erasure: `${apiPrefix}/erasure`,
  routing: `${apiPrefix}/routing`,
  status: `${apiPrefix}/status`,
  experiments: `${apiPrefix}/experiments`,
  experiment: (name) => `${apiPrefix}/experiments/${encodeURIComponent(name)}`,
  action: (name, action) => `${paths.experiment(name)}/${action}`,
  report: (name) => `${paths.experiment(name)}/report`,
  verdict: (name) => `${paths.experiment(name)}/verdict`,
  history: (name) => `${paths.experiment(name)}/history`,
  explain: (name) => `${paths.experiment(name)}/explain`,
};
