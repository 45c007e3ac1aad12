// Shell completion scripts, made from the command tree itself so that they never lag behind it.
import type { Command } from 'commander';
import { AssayError } from '../errors.ts';
import { say } from './terminal.ts';

/** A command with what can stand behind it. */
interface CompletedCommand {
  readonly name: string;
  readonly description: string;
  readonly options: readonly { readonly long: string; readonly description: string }[];
  readonly below: readonly CompletedCommand[];
}

function commandsBelow(parent: Command): readonly CompletedCommand[] {
  return parent
    .createHelp()
    .visibleCommands(parent)
    .filter((command) => command.name() !== 'help' || parent.parent === null)
    .map((command) => ({
      name: command.name(),
      description: command.description(),
      options: command.options.map((option) => ({
        long: option.long ?? option.short ?? '',
        description: option.description,
      })),
      below: commandsBelow(command),
    }));
}

/**
 * Prints the completion script for a shell.
 * @throws AssayError `usage-invalid` for a shell we do not know.
 */
export function completionCommand(shell: string, program: Command): void {
  const commands = commandsBelow(program);
  if (shell === 'bash') say(forBash(commands));
  else if (shell === 'zsh') say(forZsh(commands));
  else if (shell === 'fish') say(forFish(commands));
  else throw new AssayError('usage-invalid', `shell is "${shell}", must be one of: bash, zsh, fish`);
}

function forBash(commands: readonly CompletedCommand[]): string {
  const longs = ({ options }: CompletedCommand): string =>
    [...options.map(({ long }) => long), '--help'].filter((long) => long !== '').join(' ');
  const names = (of: readonly CompletedCommand[]): string => of.map(({ name }) => name).join(' ');
  const cases = commands.flatMap((command) => {
    const { name, below } = command;
    const own = [name, below.length === 0 ? longs(command) : `${names(below)} ${longs(command)}`] as const;
    return [own, ...below.map((each) => [`${name} ${each.name}`, longs(each)] as const)];
  });
  return `# bash completion for assay; load it with: source <(assay completion bash)
_assay_words() {
  case "$1" in
${cases.map(([path, words]) => `    '${path}') echo "${words}" ;;`).join('\n')}
    *) return 1 ;;
  esac
}
_assay() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words="${names(commands)} --help --version"
  if [ "$COMP_CWORD" -gt 2 ] && words="$(_assay_words "\${COMP_WORDS[1]} \${COMP_WORDS[2]}")"; then :
  elif [ "$COMP_CWORD" -gt 1 ]; then words="$(_assay_words "\${COMP_WORDS[1]}")"; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [ \${#COMPREPLY[@]} -eq 0 ] && COMPREPLY=($(compgen -f -- "$current"))
}
complete -o filenames -F _assay assay`;
}

function forZsh(commands: readonly CompletedCommand[]): string {
  const quote = (text: string): string => text.replace(/'/g, "'\\''").replace(/[[\]:]/g, '\\$&');
  const described = (of: readonly CompletedCommand[]): string =>
    of.map(({ name, description }) => `'${name}:${quote(description)}'`).join(' ');
  const argumentsOf = ({ options }: CompletedCommand): string =>
    `_arguments ${options.map((option) => `'${option.long}[${quote(option.description)}]'`).join(' ')} '*:file:_files'`;
  const cases = commands.map((command) => {
    const { name, below } = command;
    if (below.length === 0) return `    ${name}) ${argumentsOf(command)} ;;`;
    return `    ${name})
      commands=(${described(below)})
      if (( CURRENT == 3 )); then _describe command commands; return; fi
      case "$words[3]" in
${below.map((each) => `        ${each.name}) ${argumentsOf(each)} ;;`).join('\n')}
      esac ;;`;
  });
  return `#compdef assay
_assay() {
  local -a commands=(${described(commands)})
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  case "$words[2]" in
${cases.join('\n')}
  esac
}
compdef _assay assay`;
}

function forFish(commands: readonly CompletedCommand[]): string {
  const quote = (text: string): string => `'${text.replace(/\\/g, '\\\\').replace(/'/g, "\\'")}'`;
  const seen = '__fish_seen_subcommand_from';
  const optionsOf = ({ options }: CompletedCommand, condition: string): readonly string[] =>
    options
      .filter(({ long }) => long.startsWith('--'))
      .map(
        ({ long, description }) => `complete -c assay -n '${condition}' -l ${long.slice(2)} -d ${quote(description)}`,
      );
  const lines = commands.flatMap((command) => {
    const { name, description, below } = command;
    const siblings = below.map((each) => each.name).join(' ');
    return [
      `complete -c assay -n __fish_use_subcommand -a ${name} -d ${quote(description)}`,
      ...optionsOf(command, `${seen} ${name}`),
      ...below.flatMap((each) => [
        `complete -c assay -n '${seen} ${name}; and not ${seen} ${siblings}' -a ${each.name} -d ${quote(each.description)}`,
        ...optionsOf(each, `${seen} ${name}; and ${seen} ${each.name}`),
      ]),
    ];
  });
  return ['# fish completion for assay', ...lines].join('\n');
}
