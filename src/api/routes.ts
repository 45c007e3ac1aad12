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
  /** For Prometheus. */
  readonly metrics: string;
  /** Webhook of Alertmanager. */
  readonly alerts: string;
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
  audit(name: string): string;
  approve(name: string): string;
  annotations(name: string): string;
  explain(name: string): string;
  /** Sign-in of browsers. */
  readonly session: string;
  /** Server-sent events: which experiment has changed. */
  readonly live: string;
  readonly validate: string;
  readonly power: string;
  readonly portfolio: string;
  readonly probe: string;
  readonly playground: string;
  overview(name: string): string;
  now(name: string): string;
  series(name: string): string;
  splitCells(name: string): string;
  distributions(name: string): string;
  served(name: string): string;
  timeline(name: string): string;
  revisions(name: string): string;
}

/** Where everything is. A namespace other than `default` travels as `?namespace=`. */
export const paths: ApiPaths = {
  health: '/healthz',
  ready: '/readyz',
  metrics: '/metrics',
  alerts: `${apiPrefix}/alerts`,
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
  audit: (name) => `${paths.experiment(name)}/audit`,
  approve: (name) => `${paths.experiment(name)}/approve`,
  annotations: (name) => `${paths.experiment(name)}/annotations`,
  history: (name) => `${paths.experiment(name)}/history`,
  explain: (name) => `${paths.experiment(name)}/explain`,
  session: `${apiPrefix}/session`,
  live: `${apiPrefix}/live`,
  validate: `${apiPrefix}/validate`,
  power: `${apiPrefix}/power`,
  portfolio: `${apiPrefix}/portfolio`,
  probe: `${apiPrefix}/probe`,
  playground: `${apiPrefix}/playground`,
  overview: (name) => `${paths.experiment(name)}/overview`,
  now: (name) => `${paths.experiment(name)}/now`,
  series: (name) => `${paths.experiment(name)}/series`,
  splitCells: (name) => `${paths.experiment(name)}/split-cells`,
  distributions: (name) => `${paths.experiment(name)}/distributions`,
  served: (name) => `${paths.experiment(name)}/served`,
  timeline: (name) => `${paths.experiment(name)}/timeline`,
  revisions: (name) => `${paths.experiment(name)}/revisions`,
};
