// `POST /api/v1/alerts`: what happens to an experiment when Alertmanager says that something about it is wrong?
import type { Hono } from 'hono';
import { paths } from '../api/index.ts';
import type { ExperimentService, ExperimentState } from '../control/index.ts';
import { AssayError } from '../errors.ts';

/** What the webhook needs. */
interface AlertOptions {
  readonly service: Pick<ExperimentService, 'get' | 'act' | 'history'>;
}

/** One alert of Alertmanager's webhook, version 4. */
interface Alert {
  readonly status: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly fingerprint: string;
}

/** What was done about one alert. */
interface AlertResult {
  readonly alert: string;
  readonly experiment: string | null;
  readonly done: 'rolled-back' | 'paused' | 'nothing';
  /** Why nothing was done, or why something was. */
  readonly why: string;
}

/** Who stands in the audit trail. */
const author = 'alertmanager';

/** Label or annotation by which an alert says what shall be done; without it the experiment's `onBreach` says so. */
const actionKey = 'assay_action';
const actions = ['roll-back', 'pause', 'none'] as const;
type Action = (typeof actions)[number];

/** Adds the route. Alerts are handled one after another, so that two deliveries of one alert act once. */
export function mountAlerts(app: Hono, options: AlertOptions): void {
  let last: Promise<unknown> = Promise.resolve();
  app.post(paths.alerts, async (context) => {
    const alerts = parseAlerts(await readJson(context.req.raw));
    const turn = last.then(async () => {
      const results: AlertResult[] = [];
      for (const alert of alerts) results.push(await answerAlert(alert, options));
      return results;
    });
    last = turn.catch(() => undefined);
    return context.json({ results: await turn });
  });
}

async function answerAlert(alert: Alert, { service }: AlertOptions): Promise<AlertResult> {
  const { labels, fingerprint, startsAt } = alert;
  const name = labels.alertname ?? 'alert';
  const label = labels.experiment;
  const nothing = (why: string): AlertResult => ({ alert: name, experiment: label ?? null, done: 'nothing', why });
  if (alert.status !== 'firing') return nothing(`it is ${alert.status}; only firing alerts act`);
  if (label === undefined || label === '') return nothing('it has no label experiment');
  const [experimentName, namespace] = experimentOf(label);
  let state: ExperimentState;
  try {
    state = service.get(experimentName, namespace);
  } catch (fault) {
    // To the sender it is no failure: sending the alert again would not make the experiment known.
    if (fault instanceof AssayError && fault.code === 'experiment-unknown') return nothing(fault.message);
    throw fault;
  }
  const { experiment } = state;
  const variant = labels.variant ?? labels.model_name;
  if (variant === experiment.control) return nothing(`it is about the control ${variant}, which would go on answering`);
  const action = actionOf(alert, experiment.decision.onBreach);
  if (action === 'none') return nothing('neither the alert nor the experiment wants anything done');
  // The audit trail remembers across restarts, and Alertmanager repeats itself for as long as an alert fires.
  const mark = `[${fingerprint} ${startsAt}]`;
  const isKnown = service
    .history(experimentName, namespace)
    .some(({ event }) => event.author === author && event.reason.includes(mark));
  if (isKnown) return nothing('this firing of the alert was acted upon before');
  const isLive = state.state === 'running' || (state.state === 'paused' && action === 'roll-back');
  if (!isLive) return nothing(`the experiment is ${state.state}`);
  const summary = alert.annotations.summary ?? alert.annotations.description ?? '';
  const said = [name, variant, summary].filter((part) => part !== undefined && part !== '').join(': ');
  const reason = `${said.slice(0, 1500)} ${mark}`;
  await service.act(action, { name: experimentName, namespace, author, reason });
  const done = action === 'pause' ? 'paused' : 'rolled-back';
  return { alert: name, experiment: label, done, why: reason };
}

/** The label is `NAME`, or `NAMESPACE/NAME` outside the namespace `default`. */
function experimentOf(label: string): readonly [name: string, namespace: string] {
  const slash = label.indexOf('/');
  return slash < 0 ? [label, 'default'] : [label.slice(slash + 1), label.slice(0, slash)];
}

function actionOf({ labels, annotations }: Alert, policy: 'roll-back' | 'pause' | 'notify'): Action {
  const wanted = labels[actionKey] ?? annotations[actionKey];
  const known = actions.find((action) => action === wanted);
  if (known !== undefined) return known;
  // A word we do not know is no order.
  if (wanted !== undefined && wanted !== '') return 'none';
  return policy === 'notify' ? 'none' : policy;
}

/** @throws AssayError `request-invalid`. */
function parseAlerts(body: unknown): readonly Alert[] {
  const fault = (message: string): AssayError =>
    new AssayError('request-invalid', message, { fix: 'Point a webhook_config of Alertmanager 0.16 or newer here.' });
  const alerts = isFields(body) ? body.alerts : undefined;
  if (!Array.isArray(alerts)) throw fault('alerts is missing, must be a list as Alertmanager sends it');
  return alerts.map((alert, place): Alert => {
    if (!isFields(alert)) throw fault(`alerts[${place}] is no object, must be an alert`);
    const text = (key: string): string => {
      const value = alert[key];
      if (typeof value !== 'string' || value === '' || value.length > 500)
        throw fault(`alerts[${place}].${key} is ${JSON.stringify(value) ?? 'missing'}, must be a text`);
      return value;
    };
    return {
      status: text('status'),
      startsAt: text('startsAt'),
      fingerprint: text('fingerprint'),
      labels: textsOf(alert.labels),
      annotations: textsOf(alert.annotations),
    };
  });
}

function textsOf(value: unknown): Readonly<Record<string, string>> {
  if (!isFields(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

const isFields = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

async function readJson(request: Request): Promise<unknown> {
  const text = await request.text();
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AssayError('request-invalid', `the body is not JSON: ${(cause as Error).message}`, { cause });
  }
}
