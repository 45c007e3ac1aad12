// Shell completion scripts, made from the command tree itself so that they never lag behind it.
import type { Command } from 'commander';
import { AssayError } from '../errors.ts';
import { say } from './terminal.ts';

/**
 * Prints the completion script for a shell.
 * @throws AssayError `usage-invalid` for a shell we do not know.
 */
export function completionCommand(shell: string, program: Command): void {
  const commands = program
    .createHelp()
    .visibleCommands(program)
    .map((command) => ({
      name: command.name(),
      description: command.description(),
      options: command.options.map((option) => ({
        long: option.long ?? option.short ?? '',
        description: option.description,
      })),
    }));
  const names = commands.map((command) => command.name).join(' ');
  if (shell === 'bash') {
    const cases = commands.map(
      ({ name, options }) => `    ${name}) words="${options.map((option) => option.long).join(' ')} --help" ;;`,
    );
    say(`# bash completion for assay; load it with: source <(assay completion bash)
_assay() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words="${names} --help --version"
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  [ "$COMP_CWORD" -eq 1 ] && words="${names} --help --version"
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [ \${#COMPREPLY[@]} -eq 0 ] && COMPREPLY=($(compgen -f -- "$current"))
}
complete -o filenames -F _assay assay`);
  } else if (shell === 'zsh') {
    const quote = (text: string): string => text.replace(/'/g, "'\\''").replace(/[[\]:]/g, '\\$&');
    const cases = commands.map(
      ({ name, options }) =>
        `    ${name}) _arguments ${options.map((option) => `'${option.long}[${quote(option.description)}]'`).join(' ')} '*:file:_files' ;;`,
    );
    say(`#compdef assay
_assay() {
  local -a commands=(${commands.map(({ name, description }) => `'${name}:${quote(description)}'`).join(' ')})
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  case "$words[2]" in
${cases.join('\n')}
  esac
}
compdef _assay assay`);
  } else if (shell === 'fish') {
    const quote = (text: string): string => `'${text.replace(/\\/g, '\\\\').replace(/'/g, "\\'")}'`;
    say('# fish completion for assay');
    for (const { name, description, options } of commands) {
      say(`complete -c assay -n __fish_use_subcommand -a ${name} -d ${quote(description)}`);
      for (const option of options.filter(({ long }) => long.startsWith('--')))
        say(
          `complete -c assay -n '__fish_seen_subcommand_from ${name}' -l ${option.long.slice(2)} -d ${quote(option.description)}`,
        );
    }
  } else {
    throw new AssayError('usage-invalid', `shell is "${shell}", must be one of: bash, zsh, fish`);
  }
}
