// What can go wrong, by name: one error class and the catalogue of its codes. docs/errors.md is generated from here.

/** One row of the catalogue: the HTTP status the API answers with, and what the reader should do next. */
export interface ErrorKind {
  /** HTTP status of the problem+json answer. */
  readonly status: number;
  /** True when the same call may succeed later without a change by the caller. */
  readonly retryable: boolean;
  /** What the code means, in one sentence. */
  readonly title: string;
  /** What to do about it, in one sentence. */
  readonly fix: string;
}

const kind = (status: number, retryable: boolean, title: string, fix: string): ErrorKind => ({
  status,
  retryable,
  title,
  fix,
});

/** Every code an `AssayError` can carry. */
export type ErrorCode =
  | 'experiment-invalid'
  | 'experiment-unknown'
  | 'experiment-exists'
  | 'transition-refused'
  | 'revision-conflict'
  | 'outcome-invalid'
  | 'body-too-large'
  | 'content-unsupported'
  | 'request-invalid'
  | 'route-unknown'
  | 'unauthorized'
  | 'upstream-unreachable'
  | 'upstream-timeout'
  | 'credentials-missing'
  | 'dependency-missing'
  | 'registry-missing'
  | 'registry-refused'
  | 'registry-unreachable'
  | 'kubernetes-refused'
  | 'kubernetes-unreachable'
  | 'git-refused'
  | 'git-unreachable'
  | 'overloaded'
  | 'port-in-use'
  | 'listen-refused'
  | 'data-directory-unusable'
  | 'data-directory-locked'
  | 'evidence-not-durable'
  | 'evidence-corrupt'
  | 'evidence-too-new'
  | 'segment-invalid'
  | 'segment-conflict'
  | 'control-log-corrupt'
  | 'file-unreadable'
  | 'input-invalid'
  | 'usage-invalid'
  | 'server-unreachable'
  | 'worker-failed'
  | 'analysis-failed'
  | 'interrupted';

/** What each code means and what to do about it. */
export const errorCatalogue: Readonly<Record<ErrorCode, ErrorKind>> = {
  'experiment-invalid': kind(
    422,
    false,
    'The experiment file breaks a rule of its schema.',
    'Mend the named line; `assay validate -f FILE` shows every fault at once.',
  ),
  'experiment-unknown': kind(404, false, 'No experiment has this name.', '`assay get` lists the experiments.'),
  'experiment-exists': kind(
    409,
    false,
    'Another experiment already has this name or this route.',
    'Rename it, or change its route.',
  ),
  'transition-refused': kind(
    409,
    false,
    'The experiment is in a state from which this step is not allowed.',
    'The message names the steps that are allowed from here.',
  ),
  'revision-conflict': kind(
    409,
    true,
    'Somebody else changed the experiment in between.',
    'Read it again and repeat the change.',
  ),
  'outcome-invalid': kind(
    400,
    false,
    'An outcome breaks a rule.',
    'Mend the named field; nothing of the request was recorded.',
  ),
  'body-too-large': kind(413, false, 'The request body is larger than allowed.', 'Send fewer items per request.'),
  'content-unsupported': kind(
    415,
    false,
    'The body is of a type or a compression that is not known here.',
    'Send JSON, NDJSON or CloudEvents in JSON, plain or as gzip, br or deflate.',
  ),
  'request-invalid': kind(400, false, 'The request cannot be understood.', 'The message names the place and the rule.'),
  'route-unknown': kind(
    404,
    false,
    'Nothing is served at this path.',
    'Check the path, or set --default-upstream for requests that match no experiment.',
  ),
  unauthorized: kind(401, false, 'The token is missing or wrong.', 'Send `Authorization: Bearer TOKEN`.'),
  'upstream-unreachable': kind(
    502,
    true,
    'The model server could not be reached or broke the connection.',
    'Check that it runs and that the url in the experiment file is right.',
  ),
  'upstream-timeout': kind(
    504,
    true,
    'The model server did not answer in time.',
    'Check its load, or raise timeoutMs of the variant.',
  ),
  'credentials-missing': kind(
    502,
    true,
    'A secret or certificate that belongs to a variant is not there.',
    'Set the named environment variable, or write the named file; files are read again by themselves.',
  ),
  'dependency-missing': kind(
    500,
    false,
    'A package that this feature needs is not installed.',
    'Install the named package beside Assay; packages of seldom used features do not come with it.',
  ),
  'registry-missing': kind(
    422,
    false,
    'A variant names a registered model, and no model registry is configured.',
    'Set MLFLOW_TRACKING_URI (and MLFLOW_TRACKING_TOKEN, or _USERNAME and _PASSWORD) where `assay serve` starts.',
  ),
  'registry-refused': kind(
    422,
    false,
    'The model registry does not have what was asked for, or does not let Assay do it.',
    'Check name, version, alias and tags in the registry, and the credentials.',
  ),
  'registry-unreachable': kind(
    503,
    true,
    'The model registry did not answer.',
    'Try again when it is back; experiments that were taken over before go on without it.',
  ),
  'kubernetes-refused': kind(
    422,
    false,
    'The Kubernetes API does not do what was asked for.',
    'Read its own words in the message; a 403 means that a role or a role binding is missing.',
  ),
  'kubernetes-unreachable': kind(
    503,
    true,
    'The Kubernetes API did not answer.',
    'Try again when it is back; experiments go on without it.',
  ),
  'git-refused': kind(
    422,
    false,
    'A change could not be committed to the git repository or pushed.',
    "Read git's own words in the message; address, branch, path and credentials are the usual causes.",
  ),
  'git-unreachable': kind(
    503,
    true,
    'The git repository did not answer.',
    'Try again when it is back: what was pushed already is found. Nothing else waits for it.',
  ),
  overloaded: kind(
    503,
    true,
    'The gateway has as many requests under way as it may have.',
    'Send it again after the seconds in Retry-After; if it lasts, add replicas or raise maxInFlight.',
  ),
  'port-in-use': kind(
    500,
    false,
    'Another program already listens on the port.',
    'Stop it, or choose another port; 0 takes any free one.',
  ),
  'listen-refused': kind(
    500,
    false,
    'Listening beyond loopback needs a token.',
    'Set ASSAY_TOKEN (or --token-file), or listen on 127.0.0.1.',
  ),
  'data-directory-unusable': kind(
    500,
    false,
    'The data directory cannot be written.',
    'Check that it exists, has free space and belongs to this user.',
  ),
  'data-directory-locked': kind(
    500,
    false,
    'Another Assay process owns the data directory.',
    'Stop the named process, or choose another directory with --data.',
  ),
  'evidence-not-durable': kind(
    503,
    true,
    'The evidence log could not make the record durable.',
    'Free disk space or mend the disk; the log tries again every 2 s. Send the same outcomes again: an id counts once.',
  ),
  'evidence-corrupt': kind(
    500,
    false,
    'A sealed part of the evidence log does not match its checksum.',
    'Restore it from a backup; records before the named offset are intact.',
  ),
  'evidence-too-new': kind(
    500,
    false,
    'A newer version of Assay wrote this evidence.',
    'Use that version or a later one; nothing was read or changed.',
  ),
  'segment-invalid': kind(
    400,
    false,
    'What was handed over is no whole file of the named evidence log.',
    'Send the file as it stands on disk; nothing of it was kept.',
  ),
  'segment-conflict': kind(
    409,
    false,
    'What was handed over does not continue what this server has of that writer.',
    'The sender keeps the file. Look for two senders that share one data directory, or for a restored older copy.',
  ),
  'control-log-corrupt': kind(
    500,
    false,
    'The control log does not match its hash chain.',
    'Restore it from a backup; the message names the first wrong event.',
  ),
  'file-unreadable': kind(400, false, 'A file cannot be read.', 'Check the path and the permissions.'),
  'input-invalid': kind(400, false, 'An input file breaks a rule.', 'The message names the place and the rule.'),
  'usage-invalid': kind(400, false, 'The command line cannot be understood.', 'Run the command with --help.'),
  'worker-failed': kind(
    500,
    true,
    'A gateway worker process could not start, or ended.',
    'Read the lines before it on stderr; a worker that served before is started again by itself.',
  ),
  'analysis-failed': kind(
    503,
    true,
    'The process that computes reports ended, or could not answer.',
    'Ask again; a process that ended is started again by itself. The lines on stderr say why.',
  ),
  'server-unreachable': kind(
    503,
    true,
    'No Assay server answers at this address.',
    'Start one with `assay serve`, or name it with --server.',
  ),
  interrupted: kind(500, true, 'A signal ended the command before it was done.', 'Run it again.'),
};

/** Options of an `AssayError`. */
export interface AssayErrorOptions {
  /** The fault underneath, kept for logs. */
  readonly cause?: unknown;
  /** Overrides the catalogue's fix where the place knows better. */
  readonly fix?: string;
  /** Every fault found, when there are several; the message then sums them up. */
  readonly issues?: readonly { readonly place: string; readonly text: string; readonly line?: number }[];
}

/**
 * The one error class of Assay: the domain refuses, or the outside failed.
 *
 * @example
 * throw new AssayError('experiment-unknown', 'experiment "forecst" is unknown, must be one of: forecast');
 */
export class AssayError extends Error {
  readonly code: ErrorCode;
  readonly fix: string;
  readonly issues: NonNullable<AssayErrorOptions['issues']>;

  constructor(code: ErrorCode, message: string, options: AssayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AssayError';
    this.code = code;
    this.fix = options.fix ?? errorCatalogue[code].fix;
    this.issues = options.issues ?? [];
  }

  /** True when the same call may succeed later without a change by the caller. */
  get retryable(): boolean {
    return errorCatalogue[this.code].retryable;
  }

  /** The HTTP status the API answers with. */
  get status(): number {
    return errorCatalogue[this.code].status;
  }
}
