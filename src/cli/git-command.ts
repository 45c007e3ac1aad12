// `assay model set` and `assay promote --git`: changes as commits, for clusters that follow a git repository.
import { commitToGit, type GitCommitted } from '../adapters/git-commit.ts';
import { promoteInManifest, setVersionInManifest } from '../adapters/git-manifest.ts';
import { seldonNameOf } from '../adapters/seldon-conversion.ts';
import { AssayError } from '../errors.ts';
import { connect, currentUser, type RemoteOptions, stepCommand } from './remote-commands.ts';
import { note, say, sayJson } from './terminal.ts';

interface GitOptions {
  readonly git: string;
  readonly path?: string;
  readonly branch?: string;
  readonly author?: string;
  readonly json?: boolean;
}

/** @throws AssayError `usage-invalid`, `git-refused`, `dependency-missing`. */
export async function modelSetCommand(
  options: GitOptions & { variant: string; version: string; experiment?: string; reason?: string },
): Promise<void> {
  const { variant, version, experiment, reason } = options;
  const done = await commit(options, {
    message: `Set ${variant} to version ${version}${reason === undefined ? '' : `\n\n${reason}`}\n\nAssay-Variant: ${variant}\nAssay-Version: ${version}\n`,
    edit: (text) => setVersionInManifest(text, { variant, experiment, version }),
  });
  if (options.json) sayJson(done);
  else say(sentenceOf(done));
}

/**
 * Commits the promotion, then takes the step on the server: tried again, the commit is found and only the rest is done.
 * @throws AssayError `usage-invalid`, `git-refused`, `dependency-missing`, and what the server says.
 */
export async function promoteToGitCommand(
  options: GitOptions & RemoteOptions & { name: string; reason: string; variant?: string },
): Promise<void> {
  const client = connect(options);
  const { state, allocation, specification } = await client.experiment(options.name);
  const candidates = specification.variants.filter(({ name }) => name !== specification.control);
  const winner = options.variant === undefined && candidates.length === 1 ? candidates[0]!.name : options.variant;
  const variant = specification.variants.find(({ name }) => name === winner);
  if (variant === undefined || variant.name === specification.control)
    throw new AssayError(
      'usage-invalid',
      `--variant is ${winner ?? 'missing'}, must be one of: ${candidates.map(({ name }) => name).join(', ')}`,
    );
  const isDone = state === 'promoted' && allocation.kind === 'single' && allocation.variant === variant.name;
  if (!isDone && state !== 'running' && state !== 'paused')
    throw new AssayError('transition-refused', `experiment "${options.name}" is ${state}, must be running or paused`);
  const verdict = await client.verdict(options.name).catch(() => undefined);
  const done = await commit(options, {
    message: [
      `Promote ${variant.name} in ${options.name}`,
      options.reason,
      [
        `Assay-Experiment: ${specification.namespace}/${options.name}`,
        `Assay-Variant: ${variant.name}`,
        ...(verdict === undefined ? [] : [`Assay-Verdict: ${verdict.kind}`]),
      ].join('\n'),
    ].join('\n\n'),
    edit: (text) =>
      promoteInManifest(text, { experiment: options.name, variant: variant.name, model: seldonNameOf(variant) }),
  });
  note(sentenceOf(done));
  if (isDone) note(`experiment "${options.name}" is promoted already`);
  else
    await stepCommand('promote', {
      ...options,
      variant: variant.name,
      reason: `${options.reason} (commit ${done.commit})`,
    });
}

function commit(
  { git, path, branch, author }: GitOptions,
  { message, edit }: { readonly message: string; readonly edit: (text: string) => string },
): Promise<GitCommitted> {
  if (path === undefined)
    throw new AssayError('usage-invalid', '--path is missing, must be given with --git: the file in the repository');
  const name = author ?? currentUser();
  const email = process.env.GIT_AUTHOR_EMAIL || `${name.replace(/[^A-Za-z0-9._-]/g, '-')}@assay.invalid`;
  return commitToGit({ repository: git, branch, path, edit, message, author: { name, email } });
}

function sentenceOf({ kind, commit: hash, branch }: GitCommitted): string {
  return kind === 'pushed'
    ? `Pushed ${hash.slice(0, 12)} to ${branch}.`
    : `${branch} says so already, at ${hash.slice(0, 12)}; nothing was pushed.`;
}
